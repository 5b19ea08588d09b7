"""Learning curves: a metric at each checkpoint against what had been paid by then, means over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.analysis import stats
from benchmarks.records.checkpoints import COSTS
from benchmarks.records.groups import Groups, finished
from benchmarks.registry import tasks

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["task", "teacher", "budget", "match", "method", *COSTS, "n_seeds", "mean", "low", "high"]


def frame(groups: Groups) -> pd.DataFrame:
    """One row a (group, method, step) with the columns `COLUMNS`."""
    import pandas as pd

    rows = []
    for group, cells in groups.items():
        metric = tasks.get(group.task).metric
        for method, seeds in cells.items():
            curves = [record.curve for record in finished(seeds).values()]
            for points in zip(*curves, strict=False):
                scores = [value for point in points if (value := point.test.get(metric)) is not None]
                if scores:
                    found = stats.interval(scores)
                    paid = [float(np.mean([cost(point) for point in points])) for cost in COSTS.values()]
                    rows.append((*group, method, *paid, found.n, found.mean, found.low, found.high))
    return pd.DataFrame(rows, columns=COLUMNS)
