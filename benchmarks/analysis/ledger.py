"""The paper's claims and published numbers as data: what results/ledger/*.yaml may say."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from benchmarks.core.paths import ROOT
from benchmarks.records.groups import Group

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C where it is there: ten times as fast
LEDGER = ROOT / "results" / "ledger"
Trust = Literal["confirmed", "recalled", "unknown"]


class Than(BaseModel):
    """Where a second gain is taken; what is not named is as in the check."""

    model_config = ConfigDict(extra="forbid")

    task: str = ""
    budget: int = 0
    metric: str = ""


class Check(BaseModel):
    """One comparison: `better` above `worse` in a metric, on the same data and teacher.

    Attributes:
        budget: labelled samples; of several the mean of their differences, () for the task's usual one.
        metric: of several joined by " + " their mean.
        better, worse: a row, or comma-separated rows and patterns of them (distillation*): of these the one that is
            best on validation samples.
        worse_budget, worse_teacher: where `worse` is taken, if elsewhere: one budget for each of `budget`.
        relative: gains are shares of the error that `worse` leaves.
        than: it is of two gains: that of `better` over `worse` above the same gain elsewhere.
        within: the difference is to be no larger than so many points either way (equivalence). not_below: it is to be
            above minus so many points (non-inferiority).
    """

    model_config = ConfigDict(extra="forbid")

    task: str
    teacher: str = "full"
    budget: tuple[int, ...] = ()
    metric: str
    better: str
    worse: str
    worse_budget: tuple[int, ...] = ()
    worse_teacher: str = ""
    relative: bool = False
    than: Than | None = None
    within: float | None = None
    not_below: float | None = None

    @field_validator("budget", "worse_budget", mode="before")
    @classmethod
    def _several(cls, budget: int | list[int]) -> list[int]:
        return [budget] if isinstance(budget, int) else budget

    @model_validator(mode="after")
    def _whole(self) -> Check:
        if self.within is not None and self.not_below is not None:
            raise ValueError("within and not_below exclude each other")
        if self.worse_budget and len(self.worse_budget) != len(self.budget):
            raise ValueError("worse_budget needs one budget for each of budget")
        return self


class Claim(BaseModel):
    """A claim of the paper, decided by one check.

    Attributes:
        published: "not available" until someone with the paper fills it in. rule: in one sentence, when `primary` says
            that the claim is supported, and when that it is contradicted.
        secondary: shown beside it. A check whose fields are lists stands for one of each combination of their entries.
        cannot_run: why, of a claim that no check here stands for.
    """

    model_config = ConfigDict(extra="forbid")

    id: str
    claim: str
    where: str
    trust: Trust
    published: str = "not available"
    rule: str = ""
    primary: Check | None = None
    secondary: list[Check] = []
    cannot_run: str = ""
    findings: list[str] = []

    @field_validator("secondary", mode="before")
    @classmethod
    def _each(cls, checks: list[dict]) -> list[dict]:
        spread = [{name: v if isinstance(v, list) else [v] for name, v in check.items()} for check in checks]
        return [dict(zip(check, point, strict=True)) for check in spread for point in product(*check.values())]

    @model_validator(mode="after")
    def _decided(self) -> Claim:
        if (self.primary is None) == (not self.cannot_run) or (self.primary is not None and not self.rule):
            raise ValueError(f"{self.id}: a claim has a primary check with its rule, or tells why it cannot run")
        return self


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
    trust: Trust = "unknown"
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


def columns(group: Group, metric: str, published: list[Number]) -> dict[str, dict[str, str]]:
    """The paper's confirmed numbers that stand beside a group's table: by column, by method; empty while none is."""
    out: dict[str, dict[str, str]] = {}
    for number in published:
        if (number.task, "full", number.budget, number.metric) == (group.task, group.teacher, group.budget, metric):
            out.setdefault(f"paper: {number.column} %", {})[number.row] = number.printed
    return {head: found for head, found in out.items() if set(found.values()) != {"not available"}}
