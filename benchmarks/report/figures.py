"""Figures from records, each as PNG and PDF with its data as CSV beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks.analysis import stats
from benchmarks.core.fingerprint import seed_of
from benchmarks.core.paths import atomic
from benchmarks.metrics.classification import label
from benchmarks.records.checkpoints import COSTS
from benchmarks.registry import tasks
from benchmarks.report import tables
from benchmarks.report.tables import BASELINE, Cells, Group

plt.switch_backend("agg")

_DASHES = {"teacher": "-", "BM25": "--", "TF-IDF": ":"}  # of what needs no student
DRAWS = 2000  # bootstrap draws over seeds for the multiplier's interval


#: Metadata without time stamps by format, so that the same data give the same files.
_FORMATS: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Producer": None},
    ".svg": {"Date": None, "Creator": None},
}


def save(figure: Figure, path: Path, suffixes: tuple[str, ...] = (".png", ".pdf", ".svg")) -> list[Path]:
    """The figure in each format."""
    written = []
    for suffix in suffixes:
        with atomic(path.with_suffix(suffix)) as temporary, plt.rc_context({"svg.hashsalt": path.name}):
            figure.savefig(temporary, format=suffix[1:], dpi=150, bbox_inches="tight", metadata=_FORMATS[suffix])
        written.append(path.with_suffix(suffix))
    plt.close(figure)
    return written


def budget_curve(groups: dict[Group, Cells], multipliers: pd.DataFrame, path: Path) -> list[Path]:
    """Accuracy against labelled samples, one panel a (task, teacher), intervals shaded; beside it the multiplier.

    What is recorded at one budget alone makes no curve and is left out, unless there is nothing else.
    """
    frame = tables.summary(groups)
    everything = list(dict.fromkeys((task, teacher) for task, teacher, _, _ in groups))
    points = {panel: len({group[2] for group in groups if group[:2] == panel}) for panel in everything}
    panels = [panel for panel in everything if points[panel] > 1] or everything
    figure, axes = plt.subplots(
        len(panels), 2, figsize=(11, 5.4 * len(panels)), squeeze=False, width_ratios=[3, 2], layout="constrained"
    )
    for (task, teacher), (left, right) in zip(panels, axes, strict=True):
        metric = tasks.get(task).metric
        rows = frame[(frame.task == task) & (frame.teacher == teacher) & (frame.metric == metric)]
        for method, line in rows.groupby("method", sort=False):
            line = line.sort_values("budget")
            if len(line) < min(2, points[task, teacher]):
                continue
            if method in tasks.get(task).references:
                left.axhline(100 * line["mean"].iloc[0], color="#555555", lw=1, ls=_DASHES[str(method)], label=method)
                continue
            width = 2.4 if tables.is_tgt(str(method)) else 1.4
            left.plot(
                line.budget,
                100 * line["mean"],
                "o-",
                ms=3,
                lw=width,
                color=fact(str(method)).colour or None,
                label=method,
            )
            colour = fact(str(method)).colour or None
            left.fill_between(line.budget, 100 * line.low, 100 * line.high, color=colour, alpha=0.15)
        left.set(xscale="log", xlabel="labelled samples", ylabel=f"{label(metric)} (%)")
        left.set_title(f"{tasks.get(task).title}, teacher {teacher}", loc="left", fontsize=10)
        left.grid(alpha=0.3)
        left.set_ylim(max(100 * rows["mean"].min() - 5, 0), None)  # a wide interval must not press the others together
        left.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncol=3)
        found = multipliers[(multipliers.task == task) & (multipliers.teacher == teacher)]
        for method, line in found.groupby("method", sort=False):
            colour = fact(str(method)).colour or None
            exact = line[~line.bound]
            right.errorbar(
                exact.budget,
                exact.multiplier,
                yerr=[exact.multiplier - exact.low, exact.high.clip(upper=1e4) - exact.multiplier],
                fmt="o-", ms=4, color=colour, capsize=2, label=method,
            )  # fmt: skip
            right.plot(line[line.bound].budget, line[line.bound].multiplier, "^", ms=7, mfc="none", color=colour)
        right.axhline(1, color="#888888", lw=0.8)
        right.set(xscale="log", yscale="log", xlabel="labelled samples", ylabel="times the data distillation needs")
        right.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))  # a decade alone would leave most axes one number
        right.yaxis.set_major_formatter("{x:g}")
        right.yaxis.set_minor_formatter(NullFormatter())
        right.set_title("to match (open triangle: more than)", loc="left", fontsize=10)
        right.grid(alpha=0.3)
        if len(found):
            right.legend(fontsize=8)
        budgets = sorted(rows.budget.unique())
        for axis in (left, right):  # the budgets themselves, not powers of ten between them
            axis.set_xticks(budgets, [f"{budget:,}" for budget in budgets], fontsize=8)
            axis.minorticks_off()
    written = save(figure, path)
    with atomic(path.with_name(path.name + "-multiplier.csv")) as temporary:
        temporary.write_text(tables.to_csv(multipliers))
    return [*written, path.with_name(path.name + "-multiplier.csv")]


def _explores(method: str) -> bool:
    """Whether the multiplier is asked of a method: TGT, and the rival that decodes without the training points."""
    return tables.is_tgt(method) or method in ("prior-sampling", "prior-sampling-pool")


CURVE_COLUMNS = ["task", "teacher", "budget", "match", "method", *COSTS, "n_seeds", "mean", "low", "high"]
MULTIPLIER_COLUMNS = ["task", "teacher", "method", "budget", "multiplier", "low", "high", "bound", "n_seeds"]


def multipliers(groups: dict[Group, Cells]) -> pd.DataFrame:
    """Claim C2: the data distillation needs to match TGT, over the data TGT had, at each budget; so for its rival.

    `low` and `high` are a percentile bootstrap over seeds, both methods resampled together: how the multiplier moves
    with them, and of a handful of seeds narrower than a 95 % interval. `bound`: distillation does not reach TGT's
    accuracy at the largest budget measured, so the multiplier is at least the value given.
    """
    rows = []
    for task, teacher, match in dict.fromkeys((task, teacher, match) for task, teacher, _, match in groups):
        budgets = sorted(b for t, k, b, m in groups if (t, k, m) == (task, teacher, match))
        if len(budgets) < 2:
            continue
        metric = tasks.get(task).metric
        scores = {
            method: [tables.values(groups[task, teacher, budget, match].get(method, {}), metric) for budget in budgets]
            for method in dict.fromkeys(method for b in budgets for method in groups[task, teacher, b, match])
        }
        if BASELINE not in scores or not all(scores[BASELINE]):
            continue
        for method in filter(_explores, scores):
            common = set.intersection(*(set(found) for found in scores[method] + scores[BASELINE]))
            if not common:
                continue
            seeds = sorted(common)
            ours = np.array([[found[seed] for seed in seeds] for found in scores[method]])
            theirs = np.array([[found[seed] for seed in seeds] for found in scores[BASELINE]])
            rows += _multiplier_rows(np.array(budgets), ours, theirs, (task, teacher, method))
    return pd.DataFrame(rows, columns=MULTIPLIER_COLUMNS)


def _multiplier_rows(budgets: np.ndarray, ours: np.ndarray, theirs: np.ndarray, names: tuple) -> list[tuple]:
    """Arrays (budgets, seeds). One row a budget."""
    rng = np.random.default_rng(seed_of("multiplier", *names))
    draws = rng.integers(ours.shape[1], size=(DRAWS, ours.shape[1]))
    rows = []
    for i, budget in enumerate(budgets[:-1]):  # beyond the largest nothing was measured
        needed = stats.budget_to_reach(budgets, theirs.mean(1), ours[i].mean())
        drawn = [stats.budget_to_reach(budgets, theirs[:, d].mean(1), ours[i, d].mean()) for d in draws]
        low, high = np.quantile(drawn, [0.025, 0.975], method="inverted_cdf") / budget
        bound = not np.isfinite(needed)
        rows.append((*names, int(budget), (budgets[-1] if bound else needed) / budget, low, high, bound, ours.shape[1]))
    return rows


def multiplier_lines(frame: pd.DataFrame) -> Iterable[str]:
    """The multiplier in words, one line a (method, budget)."""
    for row in frame.to_dict("records"):
        more = "more than " if row["bound"] else ""
        low, high = (
            f"{row[end]:.1f}" if np.isfinite(row[end]) else "beyond the largest budget" for end in ("low", "high")
        )
        yield (
            f"{row['task']} {row['method']}, {row['budget']:,} samples: distillation needs {more}"
            f"{row['multiplier']:.1f} times the data "
            f"({low} to {high} over resamplings of {row['n_seeds']} seeds)"
        )


def learning_curves(groups: dict[Group, Cells], path: Path) -> list[Path]:
    """Test metric at each checkpoint against what had been paid: one row a group, one column a cost; data as CSV."""
    frame = curves(groups)
    figure, axes = plt.subplots(len(groups), len(COSTS), figsize=(12, 3.8 * len(groups)), squeeze=False, sharey="row")
    for (task, teacher, budget, match), row in zip(groups, axes, strict=True):
        of_group = (frame.task == task) & (frame.budget == budget) & (frame.teacher == teacher) & (frame.match == match)
        found = frame[of_group]
        for axis, cost in zip(row, COSTS, strict=True):
            for method, line in found.groupby("method", sort=False):
                colour = fact(str(method)).colour or "#d62728"
                axis.plot(line[cost], 100 * line["mean"], "o-", ms=3, color=colour, label=method)
                axis.fill_between(line[cost], 100 * line.low, 100 * line.high, color=colour, alpha=0.15)
            axis.set(xlabel=f"{cost}, mean over seeds", xscale="symlog" if cost == "labeler queries" else "linear")
            axis.grid(alpha=0.3)
        row[0].set_ylabel(f"{label(tasks.get(task).metric)} (%)")
        row[0].set_title(f"{tasks.get(task).title}, {budget:,} samples, teacher {teacher}", loc="left", fontsize=10)
        row[1].legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncol=4)
    written = save(figure, path)
    with atomic(path.with_name(f"{path.name}-curves.csv")) as temporary:
        temporary.write_text(tables.to_csv(frame))
    return [*written, path.with_name(f"{path.name}-curves.csv")]


def curves(groups: dict[Group, Cells]) -> pd.DataFrame:
    """Learning curves: one row a (group, method, step), with means over seeds of the metric and of every cost."""
    rows = []
    for (task, teacher, budget, match), group in groups.items():
        metric = tasks.get(task).metric
        for method, seeds in group.items():
            done = [record.curve for record in seeds.values() if record is not None and record.status == "ok"]
            for points in zip(*done, strict=False):
                scores = [value for point in points if (value := point.test.get(metric)) is not None]
                if not scores:
                    continue
                found = stats.interval(scores)
                row = {"task": task, "teacher": teacher, "budget": budget, "match": match, "method": method}
                row |= {name: float(np.mean([paid(point) for point in points])) for name, paid in COSTS.items()}
                rows.append({**row, "n_seeds": found.n, "mean": found.mean, "low": found.low, "high": found.high})
    return pd.DataFrame(
        rows, columns=["task", "teacher", "budget", "match", "method", *COSTS, "n_seeds", "mean", "low", "high"]
    )
