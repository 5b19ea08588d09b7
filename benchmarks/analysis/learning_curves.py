"""Learning curves: a metric at each checkpoint against what had been paid by then, means over seeds.

Intervals are over seeds and draws of the teacher: records hold no hits of a checkpoint, and so no test samples' error.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.analysis import crossed
from benchmarks.analysis.scores import plain
from benchmarks.records.checkpoints import COSTS
from benchmarks.records.groups import Groups, finished
from benchmarks.registry import tasks

COLUMNS = ["task", "teacher", "budget", "match", "method", *COSTS, "n_seeds", "mean", "low", "high"]


def frame(groups: Groups) -> pd.DataFrame:
    """One row a (group, method, step) with the columns `COLUMNS`."""
    rows = []
    for group, cells in groups.items():
        metric = tasks.get(group.task).metric
        for method, seeds in cells.items():
            curves = {unit: record.curve for unit, record in finished(seeds).items()}
            for points in zip(*curves.values(), strict=False):
                known = zip(curves, points, strict=True)
                scores = {unit: value for unit, point in known if (value := point.test.get(metric)) is not None}
                if found := crossed.estimate(plain(scores)):
                    paid = [float(np.mean([cost(point) for point in points])) for cost in COSTS.values()]
                    rows.append((*group, method, *paid, found.n, found.mean, found.low, found.high))
    return pd.DataFrame(rows, columns=COLUMNS)
