"""How fast the student's error falls with the samples, on known manifolds of d dimensions in R^D."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmarks.analysis import crossed
from benchmarks.analysis.scores import plain
from benchmarks.records.groups import Groups, Unit, values
from benchmarks.tasks.manifold import TEST

COLUMNS = ["latent", "dimension", "method", "n_seeds", "slope", "low", "high", "rate_latent", "rate_input"]
#: Below this an error cannot be distinguished from 0 on the test points.
FLOOR = 0.5 / TEST


def dimensions(task: str) -> tuple[int, int]:
    """(d, D) of a manifold task's name."""
    _, latent, _, dimension = task.split("-")
    return int(latent), int(dimension)


def frame(groups: Groups) -> pd.DataFrame:
    """Least-squares slope of log error against log samples, fitted seed by seed, with the t interval over seeds.

    Beside it two rates at which samples cover a space, n^(-1/d) and n^(-1/D): an empirical measure comes near its own
    in the Wasserstein distance no faster (Weed & Bach 2019). They are not the paper's bounds: those are not at hand.
    """
    errors: dict[tuple[str, str], dict[Unit, list[tuple[int, float]]]] = {}
    for group, cells in groups.items():
        for method, seeds in cells.items():
            for seed, accuracy in values(seeds, "accuracy").items():
                points = errors.setdefault((group.task, method), {}).setdefault(seed, [])
                points.append((group.budget, max(1 - accuracy, FLOOR)))
    rows = []
    for (task, method), curves in errors.items():
        fitted = {unit: _slope(curve) for unit, curve in curves.items() if len(curve) > 1}
        if found := crossed.estimate(plain(fitted)):
            latent, dimension = dimensions(task)
            rates = -1 / latent, -1 / dimension
            rows.append((latent, dimension, method, found.n, found.mean, found.low, found.high, *rates))
    return pd.DataFrame(rows, columns=COLUMNS)


def _slope(curve: list[tuple[int, float]]) -> float:
    samples, error = np.log(np.array(curve)).T
    return float(np.polyfit(samples, error, 1)[0])


def lines(fitted: pd.DataFrame) -> Iterator[str]:
    """The slopes in words."""
    for (_, method), rows in fitted.groupby(["latent", "method"], sort=False):
        latent = rows.latent.iloc[0]
        told = ", ".join(f"{r.slope:+.2f} [{r.low:+.2f}, {r.high:+.2f}] in {r.dimension}" for r in rows.itertuples())
        yield f"d = {latent}, {method}: slope {told}; -1/d = {-1 / latent:+.2f}"
