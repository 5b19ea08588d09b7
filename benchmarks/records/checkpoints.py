"""Which of a run's checkpoints is reported, and what it had reached at a cost: read from records, after the fact."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from benchmarks.records.groups import Seeds, Unit, finished
from benchmarks.records.record import Checkpoint, Record


def _best(curve: list[Checkpoint], metric: str, part: Literal["validation", "test"]) -> Checkpoint | None:
    """The first checkpoint of the highest metric on a part of the data; None where none was judged by it."""
    values = {i: (getattr(point, part) or {}).get(metric) for i, point in enumerate(curve)}
    judged = {i: value for i, value in values.items() if value is not None}
    return curve[max(judged, key=judged.__getitem__)] if judged else None


#: Rules of selection by name. The tables report the first; the last looks at the test set and is for warnings alone.
RULES: dict[str, Callable[[list[Checkpoint], str], Checkpoint | None]] = {
    "last step": lambda curve, metric: curve[-1],
    "best on validation": partial(_best, part="validation"),
    "best on test (oracle)": partial(_best, part="test"),
}

#: What a method pays, by name: how much of it up to a checkpoint.
COSTS: dict[str, Callable[[Checkpoint], float]] = {
    "student updates": lambda point: point.step,
    "labeler queries": lambda point: point.labeler_queries,
    "seconds": lambda point: point.seconds,
}


def score(record: Record, metric: str, rule: str) -> float | None:
    """A finished run's test metric under a rule of selection; None where the rule finds nothing to go by."""
    point = RULES[rule](record.curve, metric) if record.curve else None
    return point.test.get(metric) if point else None


def scores(seeds: Seeds, metric: str, rule: str) -> dict[Unit, float]:
    """`score` of each seed's finished run that has one."""
    found = {unit: score(record, metric, rule) for unit, record in finished(seeds).items()}
    return {unit: value for unit, value in found.items() if value is not None}


def at_cost(record: Record, metric: str, cost: str, amount: float) -> float | None:
    """Test metric at the last checkpoint that had paid at most `amount`; None where even the first had paid more.

    A run cut off there: its learning rate had not come down, so it may stand lower than a run planned to end there.
    """
    paid = COSTS[cost]
    within = [point for point in record.curve if paid(point) <= amount * (1 + 1e-9)]
    return within[-1].test.get(metric) if within else None
