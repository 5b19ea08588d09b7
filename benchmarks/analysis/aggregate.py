"""Methods over all tasks at once: interquartile mean, average rank with its critical difference, performance profile.

A row and its twin with a pool are one method here. Each task counts once, at the smallest budget of its table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from scipy import stats

from benchmarks.analysis.stats import LEVEL
from benchmarks.core import paths
from benchmarks.core.fingerprint import seed_of
from benchmarks.registry import tasks
from benchmarks.registry.experiments import EXPERIMENTS
from benchmarks.report import figures, tables
from benchmarks.report.tables import Cells, Group

DRAWS = 2000
COLUMNS = ["method", "n_tasks", "n_seeds", "iqm", "low", "high", "rank"]


@dataclass(frozen=True)
class Scores:
    """Scores (methods, tasks, seeds) as shares of the labeler's own; all methods on the same tasks and seeds."""

    methods: tuple[str, ...]
    tasks: tuple[str, ...]
    values: np.ndarray


def scores(groups: dict[Group, Cells]) -> Scores | None:
    """What is comparable in a results folder; None where fewer than two methods share two tasks.

    Methods that miss a task are left out, so that nobody gains by the tasks that they do without.
    """
    cells: dict[str, tuple[int, dict[str, dict[int, float]]]] = {}
    wanted = {task for name, e in EXPERIMENTS.items() if name.startswith("table") for task in (*e.tasks, *e.also)}
    for (name, teacher, budget, match), group in groups.items():
        record = next((r for seeds in group.values() for r in seeds.values() if r and r.status == "ok"), None)
        if teacher != "full" or match != "samples" or name not in wanted or record is None:
            continue
        task = tasks.get(name)
        size = task.sizes[record.spec.size]
        if budget not in (size.table or (size.budget,)) or (name in cells and budget >= cells[name][0]):
            continue
        top = record.teachers["labeler"]["metrics"]["test"][task.metric]
        found = {}
        for method, seeds in group.items():
            if values := tables.values(seeds, task.metric):
                found[fact(method).pool_of or method] = {seed: value / top for seed, value in values.items()}
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


def frame(found: Scores) -> pd.DataFrame:
    """One row a method, best interquartile mean first, with the columns `COLUMNS`.

    `low` and `high` are a percentile bootstrap, stratified: seeds are resampled within each task (Agarwal et al. 2021).
    With a handful of seeds it is narrower than a 95 % interval, as `stats.bootstrap` is.
    """
    rng = np.random.default_rng(seed_of("aggregate"))
    _, n_tasks, n_seeds = found.values.shape
    drawn = rng.integers(n_seeds, size=(DRAWS, n_tasks, n_seeds))
    ranks = average_ranks(found)
    rows = []
    for m, method in enumerate(found.methods):
        runs = found.values[m]
        resampled = runs[np.arange(n_tasks)[:, None], drawn].reshape(DRAWS, -1)
        low, high = np.quantile(iqm(resampled), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        rows.append((method, n_tasks, n_seeds, float(iqm(runs.reshape(1, -1))[0]), low, high, ranks[m]))
    return pd.DataFrame(rows, columns=COLUMNS).sort_values("iqm", ascending=False, ignore_index=True)


def iqm(values: np.ndarray) -> np.ndarray:
    """Mean of the middle half of each row of values (N, K)."""
    return stats.trim_mean(values, 0.25, axis=1)


def average_ranks(found: Scores) -> np.ndarray:
    """Mean over tasks of each method's rank by its mean over seeds; 1 is best, ties share."""
    return stats.rankdata(-found.values.mean(2), axis=0).mean(1)


def critical_difference(methods: int, n_tasks: int, level: float = LEVEL) -> float:
    """Nemenyi's: average ranks of two methods that differ by less are not told apart (Demsar 2006, section 3.2.2)."""
    q = stats.studentized_range.ppf(level, methods, math.inf) / math.sqrt(2)
    return float(q * math.sqrt(methods * (methods + 1) / (6 * n_tasks)))


def friedman(found: Scores) -> float:
    """p of Friedman's test that all methods rank alike; nan for two methods, for which it is not defined."""
    means = found.values.mean(2)
    return float(stats.friedmanchisquare(*means).pvalue) if len(means) > 2 else math.nan


def profile(found: Scores, at: np.ndarray) -> np.ndarray:
    """Share of runs (methods, thresholds) that score above each threshold (Agarwal et al. 2021, section 4.2)."""
    runs = found.values.reshape(len(found.methods), -1, 1)
    return (runs > at).mean(1)


def markdown(found: Scores) -> list[str]:
    """The table with what a reader must know of it."""
    rows = frame(found)
    apart = critical_difference(len(found.methods), len(found.tasks))
    lines = [
        "### All tasks at once",
        "",
        "| method | interquartile mean [resampled] | average rank |",
        "|---|---:|---:|",
    ]
    lines += [f"| {r.method} | {r.iqm:.3f} [{r.low:.3f}, {r.high:.3f}] | {r.rank:.2f} |" for r in rows.itertuples()]
    p = friedman(found)
    told = "" if math.isnan(p) else f" Friedman's test that all rank alike: p = {p:.2g}."
    return [
        *lines,
        "",
        f"Scores are shares of the labeler's own, on {', '.join(found.tasks)}, each at the smallest budget of its "
        f"table, {found.values.shape[2]} seeds; methods that were run on all of them. A row and its twin with a pool "
        "are one method. [2.5 % and 97.5 % of resamplings of the seeds of each task]: of so few seeds narrower than a "
        "95 % interval. Average ranks nearer than "
        f"{apart:.2f} are not told apart (Nemenyi).{told} Means over tasks hide where a method fails: the tables tell.",
    ]


def write(groups: dict[Group, Cells], folder: Path) -> list[Path]:
    """Table and figure; nothing where there is nothing to compare."""
    found = scores(groups)
    if found is None:
        return []
    written = draw(found, folder / "aggregate")
    for suffix, text in ((".csv", tables.to_csv(frame(found))), (".md", "\n".join(markdown(found)) + "\n")):
        with paths.atomic(folder / f"aggregate{suffix}") as temporary:
            temporary.write_text(text)
        written.append(folder / f"aggregate{suffix}")
    return written


def _row(method: str) -> Row:
    """The row of a method as it is called here; of one that there is with a pool alone, that."""
    twins = (row for row in METHODS.values() if row.pool_of == method)
    return METHODS.get(method) or next(twins, fact(method))


def draw(found: Scores, path: Path) -> list[Path]:
    """Left the performance profile, right the average ranks with the critical difference as a bar."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    at = np.linspace(0, max(1.05, float(found.values.max())), 400)
    for method, share in zip(found.methods, profile(found, at), strict=True):
        row = _row(method)
        left.plot(at, 100 * share, lw=2.4 if row.is_tgt else 1.4, color=row.colour or "#d62728", label=method)
    left.set(xlabel="share of the labeler's score", ylabel="runs above it (%)", ylim=(0, 103))
    left.set_title("Performance profile", loc="left", fontsize=10)
    left.grid(alpha=0.3)
    left.legend(fontsize=8)
    ranks = average_ranks(found)
    order = np.argsort(-ranks)
    for y, m in enumerate(order):
        right.plot(ranks[m], y, "o", color=_row(found.methods[m]).colour or "#d62728")
    right.set_yticks(range(len(order)), [found.methods[m] for m in order], fontsize=9)
    apart = critical_difference(len(found.methods), len(found.tasks))
    best = ranks.min()
    right.plot([best, best + apart], [len(order) - 0.4] * 2, "k-", lw=3)
    right.annotate(f"critical difference {apart:.2f}", (best + apart, len(order) - 0.4), (6, -3), fontsize=8,
                   textcoords="offset points")  # fmt: skip
    right.set(xlabel="average rank (1 is best)", ylim=(-0.6, len(order) + 0.2))
    right.set_xlim(0.8, max(len(order), best + 1.9 * apart))
    right.set_title(f"Average rank over {len(found.tasks)} tasks", loc="left", fontsize=10)
    right.grid(alpha=0.3, axis="x")
    return figures.save(figure, path)
