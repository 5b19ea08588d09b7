"""Methods over all tasks at once: interquartile mean, average rank with its critical difference, performance profile.

A method with its samples in a pool and the same without one are one method here. Each task counts once, at the smallest
budget of its table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from benchmarks.analysis import summary
from benchmarks.analysis.stats import LEVEL
from benchmarks.core.fingerprint import seed_of
from benchmarks.records.groups import Groups, Unit, first_finished
from benchmarks.registry import tasks
from benchmarks.registry.experiments import EXPERIMENTS
from benchmarks.registry.methods import fact

DRAWS = 2000
COLUMNS = ["method", "n_tasks", "n_seeds", "iqm", "low", "high", "rank"]


@dataclass(frozen=True)
class Scores:
    """Scores (methods, tasks, seeds) as shares of the labeler's own; all methods on the same tasks and seeds."""

    methods: tuple[str, ...]
    tasks: tuple[str, ...]
    values: np.ndarray

    @cached_property
    def ranks(self) -> np.ndarray:
        """Mean over tasks of each method's rank by its mean over seeds; 1 is best, ties share."""
        from scipy import stats

        return stats.rankdata(-self.values.mean(2), axis=0).mean(1)

    @cached_property
    def critical_difference(self) -> float:
        return critical_difference(len(self.methods), len(self.tasks))


def scores(groups: Groups) -> Scores | None:
    """What is comparable in a results folder; None where fewer than two methods share two tasks.

    Methods that miss a task are left out, so that nobody gains by the tasks that they do without.
    """
    cells: dict[str, tuple[int, dict[str, dict[Unit, float]]]] = {}
    for name, budget, found in _of_tables(groups):
        if name not in cells or budget < cells[name][0]:
            cells[name] = budget, found
    if len(cells) < 2:
        return None
    everywhere = set.intersection(*(set(found) for _, found in cells.values()))
    methods = tuple(method for method in next(iter(cells.values()))[1] if method in everywhere)
    common = set.intersection(*(set(found[method]) for _, found in cells.values() for method in methods))
    if len(methods) < 2 or not common:
        return None
    shares = [[[found[method][seed] for seed in sorted(common)] for _, found in cells.values()] for method in methods]
    return Scores(methods, tuple(cells), np.array(shares))


def _of_tables(groups: Groups) -> Iterator[tuple[str, int, dict[str, dict[Unit, float]]]]:
    """Task, budget, and each method's shares of the labeler's score, of the groups that stand in a table."""
    wanted = {task for e in EXPERIMENTS.values() if not e.figure for task in (*e.tasks, *e.also)}
    for group, cells in groups.items():
        record = first_finished(cells)
        if group.teacher != "full" or group.match != "samples" or group.task not in wanted or record is None:
            continue
        task = tasks.get(group.task)
        size = task.sizes[record.spec.size]
        if group.budget in (size.table or (size.budget,)):
            top = summary.of_labeler(cells)[task.metric]
            assert top is not None  # the metric that a task leads with is always there
            shares = {}
            for method, ours in summary.scores(cells, task.metric).items():
                shares[fact(method).pool_of or method] = {seed: value / top for seed, value in ours.by_seed.items()}
            yield group.task, group.budget, shares


def frame(found: Scores) -> pd.DataFrame:
    """One row a method, best interquartile mean first, with the columns `COLUMNS`.

    `low` and `high` are a percentile bootstrap, stratified: seeds are resampled within each task (Agarwal et al. 2021).
    With a handful of seeds it is narrower than a 95 % interval, as `stats.bootstrap` is.
    """
    rng = np.random.default_rng(seed_of("aggregate"))
    _, n_tasks, n_seeds = found.values.shape
    drawn = rng.integers(n_seeds, size=(DRAWS, n_tasks, n_seeds))
    rows = []
    for m, method in enumerate(found.methods):
        runs = found.values[m]
        resampled = runs[np.arange(n_tasks)[:, None], drawn].reshape(DRAWS, -1)
        low, high = np.quantile(iqm(resampled), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        rows.append((method, n_tasks, n_seeds, float(iqm(runs.reshape(1, -1))[0]), low, high, found.ranks[m]))
    return pd.DataFrame(rows, columns=COLUMNS).sort_values("iqm", ascending=False, ignore_index=True)


def iqm(values: np.ndarray) -> np.ndarray:
    """Mean of the middle half of each row of values (N, K)."""
    from scipy import stats

    return stats.trim_mean(values, 0.25, axis=1)


def critical_difference(methods: int, n_tasks: int, level: float = LEVEL) -> float:
    """Nemenyi's: average ranks that differ by less do not differ significantly (Demsar 2006, section 3.2.2)."""
    from scipy import stats

    q = stats.studentized_range.ppf(level, methods, math.inf) / math.sqrt(2)
    return float(q * math.sqrt(methods * (methods + 1) / (6 * n_tasks)))


def friedman(found: Scores) -> float:
    """p of Friedman's test that all methods rank alike; nan for two methods, for which it is not defined."""
    from scipy import stats

    means = found.values.mean(2)
    return float(stats.friedmanchisquare(*means).pvalue) if len(means) > 2 else math.nan


def profile(found: Scores, at: np.ndarray) -> np.ndarray:
    """Share of runs (methods, thresholds) that score above each threshold (Agarwal et al. 2021, section 4.2)."""
    runs = found.values.reshape(len(found.methods), -1, 1)
    return (runs > at).mean(1)
