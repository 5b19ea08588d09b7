"""The paper's claims as data (results/ledger/*.yaml), and what the records say of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from benchmarks import stats, tables
from benchmarks.paths import ROOT

LEDGER = ROOT / "results" / "ledger"


class Check(BaseModel):
    """One comparison a claim makes: `better` above `worse` in a metric.

    With `than` it is of two gains: that of `better` over `worse` on `task`, above the same gain on the task `than`.
    With `within` as well the two gains are to be alike: their difference to lie within so many points of zero.
    """

    model_config = ConfigDict(extra="forbid")

    task: str
    teacher: str = "full"
    budget: int
    metric: str
    better: str
    worse: str
    than: str = ""
    within: float | None = None
    beyond: bool = False  # asked here of the claim's method, and more than the claim says: no part of its verdict


class Claim(BaseModel):
    """A claim of the paper. `published` stays "not available" until someone with the paper fills it in."""

    model_config = ConfigDict(extra="forbid")

    id: str
    claim: str
    where: str
    trust: Literal["confirmed", "recalled", "unknown"]
    published: str = "not available"
    checks: list[Check] = []
    cannot_run: str = ""  # why, of a claim that no check here stands for
    findings: list[str] = []


class Number(BaseModel):
    """A published number: a cell of the paper's tables, for whoever has the paper to fill in.

    It is printed as the paper's only once its trust is "confirmed".
    """

    model_config = ConfigDict(extra="forbid")

    table: str  # as the paper calls it
    column: str  # the data set and measure there
    row: str  # the method, as rows are called here
    value: float | Literal["not available"] = "not available"  # in per cent
    source: str = ""  # edition and place it was read at
    split: str = "unknown"
    selection: str = "unknown"  # the rule by which the checkpoint was chosen
    trust: Literal["confirmed", "recalled", "unknown"] = "unknown"
    note: str = ""  # other figures published for it, and where
    task: str  # the task here that stands in for it
    metric: str
    budget: int

    @model_validator(mode="after")
    def _sourced(self) -> Number:
        if self.value != "not available" and not self.source:
            raise ValueError(f"{self.table}, {self.row}, {self.column}: a value needs its source")
        return self

    @property
    def printed(self) -> str:
        """As tables show it."""
        return f"{self.value:g}" if self.trust == "confirmed" and self.value != "not available" else "not available"


def load(folder: Path = LEDGER) -> list[Claim]:
    """All claims. Raises ValueError naming the file that is not a valid ledger."""
    return [entry for entry in _entries(folder) if isinstance(entry, Claim)]


def numbers(folder: Path = LEDGER) -> list[Number]:
    """All published numbers. Raises ValueError naming the file that is not a valid ledger."""
    return [entry for entry in _entries(folder) if isinstance(entry, Number)]


def _entries(folder: Path) -> Iterator[Claim | Number]:
    for path in sorted(folder.glob("*.yaml")):
        try:
            for entry in yaml.safe_load(path.read_text()):
                yield (Claim if "id" in entry else Number).model_validate(entry)
        except ValidationError as error:
            found = error.errors()[0]
            place = ".".join(map(str, found["loc"]))
            raise ValueError(f"{path} is not a valid ledger: {place + ': ' if place else ''}{found['msg']}") from error
        except (yaml.YAMLError, TypeError) as error:
            raise ValueError(f"{path} is not a valid ledger: {str(error).splitlines()[0]}") from error


def verdict(check: Check, groups: dict[tables.Group, tables.Cells]) -> tuple[str, str]:
    """("holds" | "fails" | "undecided" | "not run", the paired difference behind it)."""
    gain = _gain(check, check.task, groups)
    other = _gain(check, check.than, groups) if check.than else dict.fromkeys(gain, 0.0)
    found = stats.paired(gain, other)
    if found is None:
        return "not run", "no common seed is recorded"
    points = f"{100 * found.mean:+.1f} points in {check.metric}"
    if found.n < 2:
        return "undecided", f"{points}, one seed"
    interval = f"[{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    if check.within is not None:
        inside = 100 * max(abs(found.low), abs(found.high)) <= check.within
        outside = 100 * max(found.low, -found.high) > check.within
        return ("holds" if inside else "fails" if outside else "undecided"), f"{points} {interval}, {found.n} seeds"
    outcome = "holds" if found.low > 0 else "fails" if found.high < 0 else "undecided"
    return outcome, f"{points} {interval}, {found.n} seeds, p = {found.p:.2g}"


def _gain(check: Check, task: str, groups: dict[tables.Group, tables.Cells]) -> dict[int, float]:
    """`better` less `worse` on a task, by seed."""
    group = groups.get((task, check.teacher, check.budget, "samples"), {})
    better, worse = (tables.values(group.get(method, {}), check.metric) for method in (check.better, check.worse))
    return {seed: better[seed] - worse[seed] for seed in better.keys() & worse.keys()}


def asked(check: Check) -> str:
    """What a check asks, in words."""
    where = f"{check.task}, teacher {check.teacher}, {check.budget:,} samples"
    if not check.than:
        return f"{check.better} above {check.worse} ({where})"
    relation = "above that" if check.within is None else f"within {check.within:g} points of that"
    return f"gain of {check.better} over {check.worse} ({where}) {relation} on {check.than}"


def columns(group: tables.Group, metric: str, folder: Path = LEDGER) -> dict[str, dict[str, str]]:
    """The paper's confirmed numbers that stand beside a group's table: by column, by method; empty while none is."""
    out: dict[str, dict[str, str]] = {}
    for number in numbers(folder):
        if (number.task, number.budget, number.metric) == (group[0], group[2], metric) and group[1] == "full":
            out.setdefault(f"paper: {number.column} %", {})[number.row] = number.printed
    return {head: found for head, found in out.items() if set(found.values()) != {"not available"}}


def overall(claim: Claim, groups: dict[tables.Group, tables.Cells]) -> tuple[str, str]:
    """A claim's verdict from those of its checks, and the words for it.

    It fails if any of its own checks fails, and holds if all that have records hold. What is asked beyond it is told.
    """
    if not claim.checks:
        return "cannot run here", claim.cannot_run
    found, beyond = (
        Counter(verdict(check, groups)[0] for check in claim.checks if check.beyond == further)
        for further in (False, True)
    )
    told = _counted(found) + (f"; asked beyond it: {_counted(beyond)}" if beyond else "")
    if found["fails"]:
        return "fails", told
    if found["undecided"] or not found["holds"]:
        return "undecided" if found["undecided"] else "not run", told
    return "holds", told


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in found.most_common())


def lines(groups: dict[tables.Group, tables.Cells], folder: Path = LEDGER) -> list[str]:
    """Markdown: each claim, the paper's number, the verdict on each check, and what was found."""
    out = []
    for claim in load(folder):
        outcome, told = overall(claim, groups)
        out += [f"**{claim.id}** {claim.claim}  ", f"({claim.where}; {claim.trust}; published: {claim.published})  "]
        out += [f"{outcome.capitalize()}: {told}", ""]
        for check in claim.checks:
            found, numbers = verdict(check, groups)
            out.append(f"- {found.upper()}: {asked(check)}: {numbers}")
        out += [f"- {finding}" for finding in claim.findings] + [""]
    return out
