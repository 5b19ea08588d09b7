"""Figures from the analyses' frames; each function draws one and returns it, `style.save` writes it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks.analysis import aggregate as aggregates
from benchmarks.analysis.ablation import Ablation
from benchmarks.analysis.aggregate import Scores
from benchmarks.analysis.slopes import FLOOR, dimensions
from benchmarks.metrics.classification import label
from benchmarks.records.checkpoints import COSTS
from benchmarks.records.groups import Group
from benchmarks.registry import tasks
from benchmarks.registry.experiments import BASELINE
from benchmarks.report.style import colour, width

_DASHES = {"teacher": "-", "BM25": "--", "TF-IDF": ":"}  # of what needs no student
_LINES, _MARKERS = ("-", "--", ":"), "osD"  # of the dimensions that a manifold lies in


def _lines(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each method's rows, in their order."""
    for method, line in frame.groupby("method", sort=False):
        yield str(method), line


def _head(axis: Axes, text: str) -> None:
    axis.set_title(text, loc="left", fontsize=10)
    axis.grid(alpha=0.3)


def _ticks(axis: Axes, budgets: list[int]) -> None:
    """The budgets themselves, not powers of ten between them."""
    axis.set_xticks(budgets, [f"{budget:,}" for budget in budgets], fontsize=8)
    axis.minorticks_off()


def _log(axis: Axes, subs: tuple[float, ...]) -> None:
    """Plain numbers on a logarithmic axis; a decade alone would leave most axes one number."""
    axis.yaxis.set_major_locator(LogLocator(subs=subs))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter(NullFormatter())


def budget_curve(frame: pd.DataFrame, multipliers: pd.DataFrame) -> Figure:
    """Score against labelled samples, one row of panels a (task, teacher), intervals shaded; beside it the multiplier.

    What is recorded at one budget alone makes no curve and is left out, unless there is nothing else.
    """
    points = frame.groupby(["task", "teacher"], sort=False).budget.nunique()
    panels = list(points[points > 1].index) or list(points.index)
    figure = Figure(figsize=(11, 5.4 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 2, squeeze=False, width_ratios=[3, 2])
    for (task, teacher), (left, right) in zip(panels, axes, strict=True):
        metric = tasks.get(task).metric
        rows = frame[(frame.task == task) & (frame.teacher == teacher) & (frame.metric == metric)]
        _scores(left, rows, task)
        left.set(xscale="log", xlabel="labelled samples", ylabel=f"{label(metric)} (%)")
        _head(left, f"{tasks.get(task).title}, teacher {teacher}")
        left.set_ylim(max(100 * rows["mean"].min() - 5, 0), None)  # a wide interval must not press the others together
        left.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncol=3)
        found = multipliers[(multipliers.task == task) & (multipliers.teacher == teacher)]
        best = found.rival == f"best {BASELINE}"  # the harder rival, where a variant of distillation was run
        _multipliers(right, found[best] if best.any() else found)
        for axis in (left, right):
            _ticks(axis, sorted(rows.budget.unique()))
    return figure


def _scores(axis: Axes, rows: pd.DataFrame, task: str) -> None:
    several = rows.budget.nunique() > 1
    for method, line in _lines(rows):
        line = line.sort_values("budget")
        if len(line) < 1 + several:
            continue
        if method in tasks.get(task).references:
            axis.axhline(100 * line["mean"].iloc[0], color="#555555", lw=1, ls=_DASHES[method], label=method)
            continue
        axis.plot(line.budget, 100 * line["mean"], "o-", ms=3, lw=width(method), color=colour(method), label=method)
        axis.fill_between(line.budget, 100 * line.low, 100 * line.high, color=colour(method), alpha=0.15)


def _multipliers(axis: Axes, rows: pd.DataFrame) -> None:
    for method, line in _lines(rows):
        exact, bound = line[~line.bound], line[line.bound]
        spread = [exact.multiplier - exact.low, exact.high.clip(upper=1e4) - exact.multiplier]
        axis.errorbar(
            exact.budget, exact.multiplier, spread, fmt="o-", ms=4, color=colour(method), capsize=2, label=method
        )
        axis.plot(bound.budget, bound.multiplier, "^", ms=7, mfc="none", color=colour(method))
    axis.axhline(1, color="#888888", lw=0.8)
    rival = rows.rival.iloc[0] if len(rows) else BASELINE
    axis.set(xscale="log", yscale="log", xlabel="labelled samples", ylabel=f"times the data {rival} needs")
    _log(axis, (1, 2, 5))
    _head(axis, "to match (open triangle: more than)")
    if len(rows):
        axis.legend(fontsize=8)


def learning_curves(frame: pd.DataFrame) -> Figure:
    """Test metric at each checkpoint against what had been paid: one row a group, one column a cost."""
    groups = {Group._make(key): rows for key, rows in frame.groupby(list(Group._fields), sort=False)}
    figure = Figure(figsize=(12, 3.8 * len(groups)))
    axes = figure.subplots(len(groups), len(COSTS), squeeze=False, sharey="row")
    for (group, found), row in zip(groups.items(), axes, strict=True):
        for axis, cost in zip(row, COSTS, strict=True):
            for method, line in _lines(found):
                axis.plot(line[cost], 100 * line["mean"], "o-", ms=3, color=colour(method), label=method)
                axis.fill_between(line[cost], 100 * line.low, 100 * line.high, color=colour(method), alpha=0.15)
            axis.set(xlabel=f"{cost}, mean over seeds", xscale="symlog" if cost == "labeler queries" else "linear")
            axis.grid(alpha=0.3)
        task = tasks.get(group.task)
        row[0].set_ylabel(f"{label(task.metric)} (%)")
        row[0].set_title(f"{task.title}, {group.budget:,} samples, teacher {group.teacher}", loc="left", fontsize=10)
        row[1].legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncol=4)
    return figure


def slopes(frame: pd.DataFrame, fitted: pd.DataFrame) -> Figure:
    """Error against samples on manifolds: one panel a d, one kind of line a D; to the right the slopes."""
    frame = frame[frame.metric == "accuracy"]
    frame = frame.assign(latent=[dimensions(task)[0] for task in frame.task])
    latents = sorted(set(frame.latent))
    inputs = sorted({dimensions(task)[1] for task in frame.task})
    figure = Figure(figsize=(4.2 * (len(latents) + 1), 4.4), layout="tight")
    axes = figure.subplots(1, len(latents) + 1, squeeze=False)[0]
    for latent, axis in zip(latents, axes, strict=False):
        _errors(axis, frame[frame.latent == latent], inputs)
        axis.set(xlabel="labelled samples n", title=f"manifold of d = {latent} dimensions")
    axes[0].set_ylabel("student's error (%), log")
    _slopes(axes[-1], fitted, inputs)
    handles = [Line2D([], [], label=m, color=colour(m), marker="o", ms=3) for m in dict.fromkeys(frame.method)]
    handles += [
        Line2D([], [], label=f"in D = {dimension}", color="black", ls=style)
        for style, dimension in zip(_LINES, inputs, strict=False)
    ]
    figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, -0.1), ncol=len(handles), fontsize=9)
    return figure


def _errors(axis: Axes, rows: pd.DataFrame, inputs: list[int]) -> None:
    for task, of_task in rows.groupby("task", sort=False):
        style = _LINES[inputs.index(dimensions(str(task))[1])]
        for method, line in _lines(of_task):
            line = line.sort_values("budget")
            axis.plot(line.budget, 100 * (1 - line["mean"]), style, color=colour(method), marker="o", ms=3)
            low, high = (100 * np.maximum(1 - line[end], FLOOR) for end in ("high", "low"))
            axis.fill_between(line.budget, low, high, color=colour(method), alpha=0.12)
    axis.set(xscale="log", yscale="log")
    errors = 100 * np.maximum(1 - rows["mean"], FLOOR)
    axis.set_ylim(0.6 * errors.min(), 1.5 * errors.max())  # a wide interval must not press the lines together
    _log(axis, (1, 1.5, 2, 3, 5, 7))
    _ticks(axis, sorted(set(rows.budget)))
    axis.grid(alpha=0.3)


def _slopes(axis: Axes, fitted: pd.DataFrame, inputs: list[int]) -> None:
    latents = sorted(set(fitted.latent))
    methods = list(_lines(fitted))
    for m, (method, rows) in enumerate(methods):
        for i, dimension in enumerate(inputs):
            found = rows[rows.dimension == dimension].sort_values("latent")
            shift = 0.16 * (m - (len(methods) - 1) / 2) + 0.04 * (i - 1)
            place = [latents.index(latent) + shift for latent in found.latent]
            spread = [found.slope - found.low, found.high - found.slope]
            axis.errorbar(place, found.slope, spread, fmt=_MARKERS[i], ms=3, lw=1, color=colour(method), alpha=0.8)
    axis.plot(range(len(latents)), [-1 / latent for latent in latents], "k_", ms=28)
    axis.axhline(0, color="black", lw=0.6)
    axis.set_xticks(range(len(latents)), [f"d = {latent}" for latent in latents])
    axis.set_title("slope of log error in log n; bars: -1/d")
    axis.grid(alpha=0.3, axis="y")


def ablation(ablation: Ablation, frame: pd.DataFrame) -> Figure:
    """Score against the value of what is varied, with intervals: one panel a (task, budget)."""
    cells = list(frame.groupby(["task", "budget"], sort=False))
    figure = Figure(figsize=(5.6 * len(cells), 4.4), layout="tight")
    axes = figure.subplots(1, len(cells), squeeze=False)[0]
    order = [str(value) for value in ablation.values]
    joined = "" if isinstance(ablation.values[0], str) else "-"  # no line between kinds
    for ((name, budget), rows), axis in zip(cells, axes, strict=True):
        task = tasks.get(str(name))
        for m, (method, line) in enumerate(_lines(rows)):
            place = [order.index(value) + 0.05 * (m - 1) for value in line.value]
            spread = [100 * (line["mean"] - line.low), 100 * (line.high - line["mean"])]
            style = "o" + ("--" if joined and method == BASELINE else joined)
            axis.errorbar(
                place, 100 * line["mean"], spread, fmt=style, ms=4, capsize=2, color=colour(method), label=method
            )
        axis.set_xticks(range(len(order)), order)
        axis.set(xlabel=ablation.axis, ylabel=f"{label(task.metric)} (%)")
        _head(axis, f"{task.title}, {budget:,} samples")
        axis.legend(fontsize=8)
    return figure


def search(expected: pd.DataFrame) -> Figure:
    """Expected best validation score of a search against its number of trials: one panel a place."""
    places = list(expected.groupby(["task", "teacher", "budget"], sort=False))
    columns = min(len(places), 3)
    figure = Figure(figsize=(7 * columns, 4.6 * -(-len(places) // columns)), layout="constrained")
    axes = figure.subplots(-(-len(places) // columns), columns, squeeze=False).ravel()
    for ((task, teacher, budget), rows), axis in zip(places, axes, strict=False):
        for method, line in _lines(rows):
            axis.plot(line.trials, 100 * line.expected_best, lw=width(method), color=colour(method), label=method)
        axis.set(xlabel="settings tried", ylabel=f"expected best {label(tasks.get(str(task)).metric)} (%)")
        _head(axis, f"{task}, {budget:,} samples, teacher {teacher}")
        axis.legend(fontsize=7, bbox_to_anchor=(1.01, 1), loc="upper left", borderaxespad=0)
    for axis in axes[len(places) :]:
        axis.set_axis_off()
    return figure


def aggregate(found: Scores) -> Figure:
    """Left the performance profile, right the average ranks with the critical difference as a bar."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    at = np.linspace(0, max(1.05, float(found.values.max())), 400)
    for method, share in zip(found.methods, aggregates.profile(found, at), strict=True):
        left.plot(at, 100 * share, lw=width(method), color=colour(method), label=method)
    left.set(xlabel="share of the labeler's score", ylabel="runs above it (%)", ylim=(0, 103))
    _head(left, "Performance profile")
    left.legend(fontsize=8)
    order = np.argsort(-found.ranks)
    for y, m in enumerate(order):
        right.plot(found.ranks[m], y, "o", color=colour(found.methods[m]))
    right.set_yticks(range(len(order)), [found.methods[m] for m in order], fontsize=9)
    apart, best, above = found.critical_difference, found.ranks.min(), len(order) - 0.4
    right.plot([best, best + apart], [above, above], "k-", lw=3)
    beside = {"xytext": (6, -3), "textcoords": "offset points"}
    right.annotate(f"critical difference {apart:.2f}", (best + apart, above), fontsize=8, **beside)
    right.set(xlabel="average rank (1 is best)", ylim=(-0.6, len(order) + 0.2))
    right.set_xlim(0.8, max(len(order), best + 1.9 * apart))
    _head(right, f"Average rank over {len(found.tasks)} tasks")
    right.grid(visible=False, axis="y")
    return figure
