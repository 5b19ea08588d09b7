"""Records that may be compared: a group is everything but method, seed and the teacher's draw."""

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


#: A method's records by replication, see `unit`; None where a run is still to come.
Seeds = dict[int, Record | None]
#: The records of a group by method.
Cells = dict[str, Seeds]
Groups = dict[Group, Cells]

#: Above any seed.
_STRIDE = 1_000_000


def unit(seed: int, draw: int = 0) -> int:
    """One number for a replication, by which methods are paired: a seed under a draw of the teacher.

    Under draw 0 it is the seed itself.
    """
    return draw * _STRIDE + seed


def seed_and_draw(unit: int) -> tuple[int, int]:
    """What `unit` made one number of."""
    draw, seed = divmod(unit, _STRIDE)
    return seed, draw


def group_of(spec: Spec) -> Group:
    return Group(spec.task, spec.teacher, spec.budget, spec.match)


def grouped(pairs: Iterable[tuple[Spec, Record | None]]) -> Groups:
    """Group records. Raises ValueError if records of different teachers would meet in one draw of a group."""
    groups: Groups = {}
    teachers: dict[tuple, dict] = {}
    for spec, record in pairs:
        group = group_of(spec)
        groups.setdefault(group, {}).setdefault(spec.method, {})[unit(spec.seed, spec.draw)] = record
        if record is not None:
            # A same-data teacher is made anew from each seed's samples; a full one serves all seeds.
            one = (*group, spec.draw, spec.seed if spec.teacher == "same-data" else None)
            found = record.identity["teacher_sha256"]
            if teachers.setdefault(one, found) != found:
                raise ValueError(
                    f"records of different teachers meet in {spec.task} ({spec.teacher}, n={spec.budget}): "
                    "they are not comparable; delete the records of one of them"
                )
    return groups


def finished(seeds: Seeds) -> dict[int, Record]:
    """A method's finished runs by replication."""
    return {one: record for one, record in seeds.items() if record is not None and record.status == "ok"}


def values(seeds: Seeds, metric: str) -> dict[int, float]:
    """A metric by replication, of the finished runs that have it."""
    found = {one: record.metrics.get(metric) for one, record in finished(seeds).items()}
    return {one: value for one, value in found.items() if value is not None}


def first_finished(cells: Cells) -> Record | None:
    """Any finished run of a group: what all of them have in common stands in it."""
    return next((record for seeds in cells.values() for record in finished(seeds).values()), None)
