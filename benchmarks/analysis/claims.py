"""The paper's claims as data (results/ledger/*.yaml), and what the records say of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from benchmarks.analysis import stats
from benchmarks.core.paths import ROOT
from benchmarks.metrics.classification import label
from benchmarks.records.groups import Group, Groups, Unit, values

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C where it is there: ten times as fast
LEDGER = ROOT / "results" / "ledger"
#: How verdicts are reached, for those who read them.
METHOD = (
    "A check is decided by its own 95 % interval: t over seeds, paired, or Welch's for gains of two tasks. A claim "
    "holds if all its checks do, for which none needs correcting; it fails if any fails by Holm's p over all of them. "
    "Checks that go beyond a claim have no effect on its verdict. Confirmed, recalled or unknown: how surely the paper "
    "claims it; published: the paper's number, not available until someone who has the paper fills it in."
)


class Than(BaseModel):
    """Where a second gain is taken; what is not named is as in the check."""

    model_config = ConfigDict(extra="forbid")

    task: str = ""
    budget: int = 0
    metric: str = ""


class Check(BaseModel):
    """One comparison a claim makes: `better` above `worse` in a metric.

    With `worse_budget`, `worse` is taken at that many samples, and `better` at fewer.
    With `than` it is of two gains: that of `better` over `worse` above the same gain elsewhere.
    With `within` as well the two gains are to be alike: their difference to lie within so many points of zero.
    """

    model_config = ConfigDict(extra="forbid")

    task: str
    teacher: str = "full"
    budget: int
    metric: str
    better: str
    worse: str
    worse_budget: int = 0
    than: Than | None = None
    within: float | None = None
    beyond: bool = False  # goes beyond what the claim says: no effect on its verdict

    @model_validator(mode="after")
    def _whole(self) -> Check:
        if self.within is not None and self.than is None:
            raise ValueError("within is of two gains: it needs than")
        return self


class Claim(BaseModel):
    """A claim of the paper. `published` stays "not available" until someone with the paper fills it in.

    A check whose fields are lists stands for one of each combination of their entries.
    """

    model_config = ConfigDict(extra="forbid")

    id: str
    claim: str
    where: str
    trust: Literal["confirmed", "recalled", "unknown"]
    published: str = "not available"
    checks: list[Check] = []
    cannot_run: str = ""  # why, of a claim that no check here stands for
    findings: list[str] = []

    @field_validator("checks", mode="before")
    @classmethod
    def _each(cls, checks: list[dict]) -> list[dict]:
        spread = [{name: v if isinstance(v, list) else [v] for name, v in check.items()} for check in checks]
        return [dict(zip(check, point, strict=True)) for check in spread for point in product(*check.values())]


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
            for entry in yaml.load(path.read_text(), _Loader):
                yield (Claim if "id" in entry else Number).model_validate(entry)
        except ValidationError as error:
            found = error.errors()[0]
            place = ".".join(map(str, found["loc"]))
            raise ValueError(f"{path} is not a valid ledger: {place + ': ' if place else ''}{found['msg']}") from error
        except (yaml.YAMLError, TypeError) as error:
            raise ValueError(f"{path} is not a valid ledger: {str(error).splitlines()[0]}") from error


@dataclass(frozen=True)
class Verdict:
    """What records say of a check: "holds", "fails", "undecided" or "not run", and the numbers behind it.

    corrected: Holm's p over all checks that are read together with it.
    """

    check: Check
    outcome: str
    numbers: str
    corrected: float


def verdicts(claim: Claim, groups: Groups) -> list[Verdict]:
    """One a check. Corrected together are the claim's own checks, and those beyond it."""
    found = [_difference(check, groups) for check in claim.checks]
    p = [_p(check, one) for check, one in zip(claim.checks, found, strict=True)]
    corrected = [math.nan] * len(p)
    for beyond in (False, True):
        family = [i for i, check in enumerate(claim.checks) if check.beyond == beyond]
        for i, value in zip(family, stats.holm([p[i] for i in family]), strict=True):
            corrected[i] = value
    return [_verdict(*each) for each in zip(claim.checks, found, p, corrected, strict=True)]


def _p(check: Check, found: stats.Difference | None) -> float:
    if found is None:
        return math.nan
    return found.p if check.within is None else stats.margin(found, check.within / 100)


def _verdict(check: Check, found: stats.Difference | None, p: float, corrected: float) -> Verdict:
    if found is None:
        return Verdict(check, "not run", "no common seed is recorded", corrected)
    numbers = f"{100 * found.mean:+.1f} points in {_called(check.metric)}"
    if math.isnan(p):
        numbers += f", {found.n} seed{'s' * (found.n > 1)}: no spread to judge by"
        return Verdict(check, "undecided", numbers, corrected)
    numbers += f" {found.bounds}, {found.n} seeds, p = {p:.2g}, Holm's {corrected:.2g}"
    true = found.mean > 0 if check.within is None else 100 * abs(found.mean) <= check.within
    outcome = "undecided" if p >= 1 - stats.LEVEL else "holds" if true else "fails"
    return Verdict(check, outcome, numbers, corrected)


def _difference(check: Check, groups: Groups) -> stats.Difference | None:
    """The difference that a check is of: paired by seed, but for gains of two tasks, whose seeds share nothing."""
    gain = _gain(check, groups)
    if check.than is None:
        return stats.paired(gain, dict.fromkeys(gain, 0.0))
    other = _gain(check, groups, check.than)
    if check.than.task not in ("", check.task):
        return stats.unpaired(list(gain.values()), list(other.values()))
    return stats.paired(gain, other)


def _gain(check: Check, groups: Groups, than: Than | None = None) -> dict[Unit, float]:
    """`better` less `worse`, by seed, where the check is or where `than` says."""
    than = than or Than()
    task, budget, metric = than.task or check.task, than.budget or check.budget, than.metric or check.metric

    def scores(method: str, budget: int) -> dict[Unit, float]:
        cells = groups.get(Group(task, check.teacher, budget, "samples"), {})
        return values(cells.get(method, {}), metric)

    better, worse = scores(check.better, budget), scores(check.worse, check.worse_budget or budget)
    return {seed: better[seed] - worse[seed] for seed in better.keys() & worse.keys()}


def _called(metric: str) -> str:
    return f"{metric.replace('_', '-')} accuracy" if metric.endswith("_shot") else label(metric)


def asked(check: Check) -> str:
    """What a check asks, in words."""
    where = f"{check.task}, teacher {check.teacher}, {check.budget:,} samples"
    if check.worse_budget:
        return f"{check.better} above {check.worse} with {check.worse_budget:,} samples ({where})"
    if check.than is None:
        return f"{check.better} above {check.worse} ({where})"
    relation = "above that" if check.within is None else f"within {check.within:g} points of that"
    than = check.than
    places = [f"on {than.task}"] * bool(than.task) + [f"with {than.budget:,} samples"] * bool(than.budget)
    places += [f"in {_called(than.metric)}"] * bool(than.metric)
    return f"gain of {check.better} over {check.worse} ({where}) {relation} {' '.join(places)}"


def columns(group: Group, metric: str, published: list[Number]) -> dict[str, dict[str, str]]:
    """The paper's confirmed numbers that stand beside a group's table: by column, by method; empty while none is."""
    out: dict[str, dict[str, str]] = {}
    for number in published:
        if (number.task, "full", number.budget, number.metric) == (group.task, group.teacher, group.budget, metric):
            out.setdefault(f"paper: {number.column} %", {})[number.row] = number.printed
    return {head: found for head, found in out.items() if set(found.values()) != {"not available"}}


@dataclass(frozen=True)
class Judged:
    """A claim with the verdict on it, as METHOD tells, the words for it, and the verdicts on its checks."""

    claim: Claim
    outcome: str
    told: str
    verdicts: list[Verdict]


def judge(claim: Claim, groups: Groups) -> Judged:
    """A claim's verdict from those of its own checks; checks without records are left out."""
    if not claim.checks:
        return Judged(claim, "cannot run here", claim.cannot_run, [])
    found = verdicts(claim, groups)
    own, beyond = (Counter(one.outcome for one in found if one.check.beyond == further) for further in (False, True))
    surely = sum(one.outcome == "fails" and one.corrected < 1 - stats.LEVEL for one in found if not one.check.beyond)
    told = _counted(own) + (f" ({surely} by Holm's p)" if own["fails"] else "")
    told += f"; beyond it: {_counted(beyond)}" if beyond else ""
    if surely:
        return Judged(claim, "fails", told, found)
    if own["undecided"] or own["fails"]:
        return Judged(claim, "undecided", told, found)
    return Judged(claim, "holds" if own["holds"] else "not run", told, found)


def _counted(found: Counter[str]) -> str:
    order = ("holds", "undecided", "fails", "not run")
    return ", ".join(f"{found[outcome]} {outcome}" for outcome in order if found[outcome])
