"""The price of an accuracy: what each method pays until it is as good as distillation is in the end. Reads records."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd

from benchmarks.metrics.classification import label
from benchmarks.records.checkpoints import COSTS
from benchmarks.records.record import Record
from benchmarks.registry import tasks
from benchmarks.registry.methods import METHODS
from benchmarks.report import tables
from benchmarks.report.tables import Cells, Group

HEAD = (
    "# The price of an accuracy",
    "",
    "What a run pays until its validation metric first reaches what distillation of the same seed has at its end: "
    "seconds of training (one thread, pools' filling included), labeler queries and student updates, linear between "
    "checkpoints. Medians over seeds, one that never reaches it counting as infinite: – where half of them do not; ≤ "
    "where most are there by the first checkpoint, and pay no more than that. A method that is early may still end "
    "lower; its table says where it ends.",
    "",
)


def price(groups: dict[Group, Cells]) -> pd.DataFrame:
    """What each method pays until its validation metric first reaches distillation's at its end: time-to-accuracy.

    One row a (group, method): updates, labeler queries and seconds, linear between checkpoints, medians over seeds with
    infinity for one that never reaches it. `target`: distillation's ends, mean over seeds; `reached`: how many seeds
    reach their own; `at_first`: how many at their first checkpoint, before which nothing is known.
    """
    rows = []
    for (task, teacher, budget, match), group in groups.items():
        metric = tasks.get(task).metric
        of_baseline = {seed: _curve(record, metric) for seed, record in _done(group.get(tables.BASELINE, {})).items()}
        ends = {seed: curve[-1][0] for seed, curve in of_baseline.items() if curve}
        if not ends:
            continue
        for method in [*(row for row in METHODS if row in group), *(row for row in group if row not in METHODS)]:
            curves = {seed: _curve(record, metric) for seed, record in _done(group[method]).items() if seed in ends}
            curves = {seed: curve for seed, curve in curves.items() if curve}
            paid = [spent for seed, curve in curves.items() if (spent := _paid(curve, ends[seed])) is not None]
            never = [np.inf] * (len(curves) - len(paid))
            row = {"task": task, "teacher": teacher, "budget": budget, "match": match, "method": method}
            row |= {"target": float(np.mean(list(ends.values()))), "n_seeds": len(curves), "reached": len(paid)}
            row |= {"at_first": sum(curve[0][0] >= ends[seed] for seed, curve in curves.items())}
            row |= {cost: float(np.median([*(spent[cost] for spent in paid), *never])) for cost in COSTS if curves}
            rows.append(row)
    return pd.DataFrame(rows)


def markdown(frame: pd.DataFrame) -> list[str]:
    """One table a group."""
    out: list[str] = []
    for key, rows in frame.groupby(["task", "teacher", "budget", "match"], sort=False):
        name = cast(Group, key)
        goal = (
            f"{100 * rows.target.iloc[0]:.1f} % {label(tasks.get(name[0]).metric)} on validation samples, in the mean"
        )
        out += [f"### {tables.title(name)}: {goal}", ""]
        out += [f"| method | {' | '.join(COSTS)} | seeds that reach it |", "|---" + "|---:" * (len(COSTS) + 1) + "|"]
        for row in rows.to_dict("records"):
            most = "≤ " if row["at_first"] > row["n_seeds"] / 2 else ""
            paid = [f"{most}{row[cost]:,.0f}" if np.isfinite(row[cost]) else "–" for cost in COSTS]
            out.append(f"| {row['method']} | {' | '.join(paid)} | {row['reached']} of {row['n_seeds']} |")
        out.append("")
    return out


def _done(seeds: dict[int, Record | None]) -> dict[int, Record]:
    return {seed: record for seed, record in seeds.items() if record is not None and record.status == "ok"}


def _curve(record: Record, metric: str) -> list[tuple[float, dict[str, float]]]:
    """(validation metric, costs) at each checkpoint; empty where the budget took the validation samples."""
    return [
        (value, {name: paid(point) for name, paid in COSTS.items()})
        for point in record.curve
        if point.validation and (value := point.validation.get(metric)) is not None
    ]


def _paid(curve: list[tuple[float, dict[str, float]]], target: float) -> dict[str, float] | None:
    before: tuple[float, dict[str, float]] | None = None
    for value, costs in curve:
        if value >= target:
            if before is None:
                return costs
            share = (target - before[0]) / (value - before[0])
            return {name: before[1][name] + share * (cost - before[1][name]) for name, cost in costs.items()}
        before = value, costs
    return None
