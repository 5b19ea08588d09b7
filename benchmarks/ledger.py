"""The paper's claims as data (results/ledger/*.yaml), and what the records say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks import stats, tables
from benchmarks.paths import ROOT

LEDGER = ROOT / "results" / "ledger"


class Check(BaseModel):
    """One comparison a claim makes: `better` above `worse` in a metric."""

    model_config = ConfigDict(extra="forbid")

    task: str
    teacher: str = "full"
    budget: int
    metric: str
    better: str
    worse: str


class Claim(BaseModel):
    """A claim of the paper. `published` stays "not available" until someone with the paper fills it in."""

    model_config = ConfigDict(extra="forbid")

    id: str
    claim: str
    where: str
    trust: Literal["confirmed", "recalled", "unknown"]
    published: str = "not available"
    checks: list[Check] = []
    findings: list[str] = []


def load(folder: Path = LEDGER) -> list[Claim]:
    """All claims. Raises ValueError naming the file that is not a valid ledger."""
    claims = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            claims += [Claim.model_validate(entry) for entry in yaml.safe_load(path.read_text())]
        except (ValidationError, yaml.YAMLError, TypeError) as error:
            raise ValueError(f"{path} is not a valid ledger: {str(error).splitlines()[0]}") from error
    return claims


def verdict(check: Check, groups: dict[tables.Group, tables.Cells]) -> tuple[str, str]:
    """("holds" | "fails" | "undecided" | "not run", the paired difference behind it)."""
    group = groups.get((check.task, check.teacher, check.budget, "samples"), {})
    better, worse = (tables.values(group.get(method, {}), check.metric) for method in (check.better, check.worse))
    found = stats.paired(better, worse)
    if found is None:
        return "not run", "no common seed is recorded"
    points = f"{100 * found.mean:+.1f} points in {check.metric}"
    if found.n < 2:
        return "undecided", f"{points}, one seed"
    outcome = "holds" if found.low > 0 else "fails" if found.high < 0 else "undecided"
    interval = f"[{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    return outcome, f"{points} {interval}, {found.n} seeds, p = {found.p:.2g}"


def lines(groups: dict[tables.Group, tables.Cells], folder: Path = LEDGER) -> list[str]:
    """Markdown: each claim, the paper's number, the verdict on each check, and what was found."""
    out = []
    for claim in load(folder):
        out += [f"**{claim.id}** {claim.claim}  ", f"({claim.where}; {claim.trust}; published: {claim.published})", ""]
        for check in claim.checks:
            found, numbers = verdict(check, groups)
            where = f"{check.task}, teacher {check.teacher}, {check.budget:,} samples"
            out.append(f"- {found.upper()}: {check.better} above {check.worse} ({where}): {numbers}")
        out += [f"- {finding}" for finding in claim.findings] + [""]
    return out
