"""Time-to-accuracy: what a method pays until its validation metric first reaches distillation's at its end."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from benchmarks.records.checkpoints import COSTS
from benchmarks.records.groups import Groups, Seeds, Unit, finished
from benchmarks.registry import tasks
from benchmarks.registry.experiments import BASELINE
from benchmarks.registry.methods import METHODS

NOTE = (
    "What a run pays until its validation metric first reaches what distillation of the same seed has at its end: "
    "seconds of training (one thread, pools' filling included), labeler queries and student updates, linear between "
    "checkpoints. Medians over seeds, one that never reaches it counting as infinite: – where half of them do not; ≤ "
    "where most are there by the first checkpoint, and pay no more than that. A method that is early may still end "
    "lower; its table says where it ends."
)


def frame(groups: Groups) -> pd.DataFrame:
    """One row a (group, method): updates, labeler queries and seconds, linear between checkpoints, medians over seeds.

    A seed that never reaches it counts as infinite. `target`: distillation's ends, mean over seeds; `reached`: how many
    seeds reach their own; `at_first`: how many at their first checkpoint, before which nothing is known.
    """
    rows = []
    for group, cells in groups.items():
        metric = tasks.get(group.task).metric
        ends = {seed: curve[-1][0] for seed, curve in _curves(cells.get(BASELINE, {}), metric).items()}
        if not ends:
            continue
        for method in [*(row for row in METHODS if row in cells), *(row for row in cells if row not in METHODS)]:
            curves = {seed: curve for seed, curve in _curves(cells[method], metric).items() if seed in ends}
            paid = [spent for seed, curve in curves.items() if (spent := _paid(curve, ends[seed])) is not None]
            never = [np.inf] * (len(curves) - len(paid))
            row = {**group._asdict(), "method": method, "target": float(np.mean(list(ends.values())))}
            row |= {"n_seeds": len(curves), "reached": len(paid)}
            row |= {"at_first": sum(curve[0][0] >= ends[seed] for seed, curve in curves.items())}
            row |= {cost: float(np.median([*(spent[cost] for spent in paid), *never])) for cost in COSTS if curves}
            rows.append(row)
    return pd.DataFrame(rows)


def _curves(seeds: Seeds, metric: str) -> dict[Unit, list[tuple[float, dict[str, float]]]]:
    """(validation metric, costs) at each checkpoint of the finished runs that were validated."""
    found = {}
    for seed, record in finished(seeds).items():
        curve = [
            (value, {name: paid(point) for name, paid in COSTS.items()})
            for point in record.curve
            if point.validation and (value := point.validation.get(metric)) is not None
        ]
        if curve:
            found[seed] = curve
    return found


def _paid(curve: list[tuple[float, dict[str, float]]], target: float) -> dict[str, float] | None:
    """Costs at the first crossing of a target, linear between checkpoints; None of a curve below it."""
    for (low, before), (value, costs) in pairwise([curve[0], *curve]):
        if value >= target:
            share = (target - low) / (value - low) if value > low else 1.0
            return {name: before[name] + share * (cost - before[name]) for name, cost in costs.items()}
    return None
