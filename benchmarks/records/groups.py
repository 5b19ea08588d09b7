"""Records that may be compared: a group is everything but method and seed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.records.record import Record, Spec
from benchmarks.registry import tasks


class Group(NamedTuple):
    """A set of comparable runs."""

    task: str
    teacher: str
    budget: int
    match: str

    @property
    def title(self) -> str:
        """What it is called above its tables."""
        told = "" if self.match == "samples" else f", match {self.match}"
        return f"{tasks.get(self.task).title}: {self.budget:,} labelled samples, teacher {self.teacher}{told}"

    @property
    def label(self) -> str:
        """What it is called in a line of text."""
        told = "" if self.match == "samples" else f", match {self.match}"
        return f"{self.task}, teacher {self.teacher}, {self.budget:,} samples{told}"


class Unit(NamedTuple):
    """A replication: what methods are paired by."""

    seed: int
    draw: int = 0  # of the teacher


#: A method's records by replication; None where a run is still to come.
Seeds = dict[Unit, Record | None]
#: The records of a group by method.
Cells = dict[str, Seeds]
Groups = dict[Group, Cells]


def group_of(spec: Spec) -> Group:
    return Group(spec.task, spec.teacher, spec.budget, spec.match)


def grouped(pairs: Iterable[tuple[Spec, Record | None]]) -> Groups:
    """Group records. Raises ValueError if records of different teachers would meet in one group."""
    groups: Groups = {}
    teachers: dict[tuple, dict] = {}
    places: dict[Group, str] = {}
    for spec, record in pairs:
        group = group_of(spec)
        groups.setdefault(group, {}).setdefault(spec.method, {})[Unit(spec.seed, spec.draw)] = record
        if places.setdefault(group, spec.place) != spec.place:
            told = " and ".join(sorted(place or "cpu" for place in (places[group], spec.place)))
            raise ValueError(
                f"records of {told} meet in {group.label}: they are other numbers; keep them in folders of their own"
            )
        if record is not None:
            # A same-data teacher is made anew from each seed's samples; a draw of a full one serves all seeds.
            unit = (*group, spec.draw, spec.seed if spec.teacher == "same-data" else None)
            found = record.identity["teacher_sha256"]
            if teachers.setdefault(unit, found) != found:
                raise ValueError(
                    f"records of different teachers meet in {spec.task} ({spec.teacher}, n={spec.budget}): "
                    "they are not comparable; delete the records of one of them"
                )
    return groups


def finished(seeds: Seeds) -> dict[Unit, Record]:
    """A method's finished runs by replication."""
    return {unit: record for unit, record in seeds.items() if record is not None and record.status == "ok"}


def values(seeds: Seeds, metric: str) -> dict[Unit, float]:
    """A metric by replication, of the finished runs that have it."""
    found = {unit: record.metrics.get(metric) for unit, record in finished(seeds).items()}
    return {unit: value for unit, value in found.items() if value is not None}


#: What is said of everything that shows runs of a size whose numbers mean nothing.
TRIAL_SIZES = {"smoke": "size smoke: it shows that everything works, and is no result"}


def size_of(cells: Cells) -> str:
    """The size of a group's runs; "" where none has finished."""
    found = first_finished(cells)
    return found.spec.size if found else ""


def first_finished(cells: Cells) -> Record | None:
    """Any finished run of a group: what all of them have in common stands in it."""
    return next((record for seeds in cells.values() for record in finished(seeds).values()), None)
