"""Which of a run's checkpoints is reported, and what it had reached at a cost: read from records, after the fact."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.records.groups import Seeds, Unit
from benchmarks.records.record import Checkpoint, Record


def _last(curve: list[Checkpoint], metric: str) -> Checkpoint | None:
    return curve[-1]


def _best_on_validation(curve: list[Checkpoint], metric: str) -> Checkpoint | None:
    judged = [point for point in curve if point.validation and point.validation.get(metric) is not None]
    return max(judged, key=lambda point: point.validation[metric]) if judged else None  # type: ignore[index, arg-type, return-value]


def _oracle(curve: list[Checkpoint], metric: str) -> Checkpoint | None:
    judged = [point for point in curve if point.test.get(metric) is not None]
    return max(judged, key=lambda point: point.test[metric]) if judged else None  # type: ignore[arg-type, return-value]


#: Rules of selection by name. The tables report the first; the last looks at the test set and is for warnings alone.
RULES: dict[str, Callable[[list[Checkpoint], str], Checkpoint | None]] = {
    "last step": _last,
    "best on validation": _best_on_validation,
    "best on test (oracle)": _oracle,
}

#: What a method pays, by name: how much of it up to a checkpoint.
COSTS: dict[str, Callable[[Checkpoint], float]] = {
    "student updates": lambda point: point.step,
    "labeler queries": lambda point: point.labeler_queries,
    "seconds": lambda point: point.seconds,
}


def score(record: Record, metric: str, rule: str = "last step") -> float | None:
    """A finished run's test metric under a rule of selection; None where the rule finds nothing to go by."""
    point = RULES[rule](record.curve, metric) if record.curve else None
    return point.test.get(metric) if point else None


def scores(seeds: Seeds, metric: str, rule: str) -> dict[Unit, float]:
    """`score` of each seed's finished run that has one."""
    found = {}
    for seed, record in seeds.items():
        if record is not None and record.status == "ok" and (value := score(record, metric, rule)) is not None:
            found[seed] = value
    return found


def at_cost(record: Record, metric: str, cost: str, amount: float) -> float | None:
    """Test metric at the last checkpoint that had paid at most `amount`; None where even the first had paid more.

    A run cut off there: its learning rate had not come down, so it may stand lower than a run planned to end there.
    """
    paid = COSTS[cost]
    within = [point for point in record.curve if paid(point) <= amount * (1 + 1e-9)]
    return within[-1].test.get(metric) if within else None
