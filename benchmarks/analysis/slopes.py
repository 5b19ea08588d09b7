"""How fast the student's error falls with the samples, on known manifolds of d dimensions in R^D: slopes and figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks.analysis import stats
from benchmarks.core.paths import atomic
from benchmarks.report import figures, tables
from benchmarks.report.tables import Cells, Group
from benchmarks.tasks.manifold import TEST

COLUMNS = ["latent", "dimension", "method", "n_seeds", "slope", "low", "high", "rate_latent", "rate_input"]
#: Below this an error is not told from 0 on the test points.
FLOOR = 0.5 / TEST
_STYLES = ("-", "--", ":")


def dimensions(task: str) -> tuple[int, int]:
    """(d, D) of a manifold task's name."""
    _, latent, _, dimension = task.split("-")
    return int(latent), int(dimension)


def slopes(groups: dict[Group, Cells]) -> pd.DataFrame:
    """Least-squares slope of log error against log samples, fitted seed by seed, with the t interval over seeds.

    Beside it two rates at which samples cover a space, n^(-1/d) and n^(-1/D): an empirical measure comes near its own
    in the Wasserstein distance no faster (Weed & Bach 2019). They are not the paper's bounds: those are not at hand.
    """
    errors: dict[tuple[str, str], dict[int, list[tuple[int, float]]]] = {}
    for (task, _, budget, _), group in groups.items():
        for method, seeds in group.items():
            for seed, accuracy in tables.values(seeds, "accuracy").items():
                points = errors.setdefault((task, method), {}).setdefault(seed, [])
                points.append((budget, max(1 - accuracy, FLOOR)))
    rows = []
    for (task, method), curves in errors.items():
        fitted = [_slope(curve) for curve in curves.values() if len(curve) > 1]
        if fitted:
            latent, dimension = dimensions(task)
            found = stats.interval(fitted)
            rates = -1 / latent, -1 / dimension
            rows.append((latent, dimension, method, found.n, found.mean, found.low, found.high, *rates))
    return pd.DataFrame(rows, columns=COLUMNS)


def _slope(curve: list[tuple[int, float]]) -> float:
    samples, error = np.log(np.array(curve)).T
    return float(np.polyfit(samples, error, 1)[0])


def write(groups: dict[Group, Cells], path: Path) -> list[Path]:
    """The figure, and the slopes as CSV: one panel a d, one kind of line a D; to the right the slopes."""
    frame, fitted = tables.summary(groups, ["accuracy"]), slopes(groups)
    latents = sorted({dimensions(task)[0] for task in frame.task})
    inputs = sorted({dimensions(task)[1] for task in frame.task})
    figure, axes = plt.subplots(1, len(latents) + 1, figsize=(4.2 * (len(latents) + 1), 4.4), squeeze=False)
    for latent, axis in zip(latents, axes[0], strict=False):
        for (task, method), line in frame.groupby(["task", "method"], sort=False):
            task = str(task)
            if dimensions(task)[0] != latent:
                continue
            style, colour = _STYLES[inputs.index(dimensions(task)[1])], fact(str(method)).colour or None
            line = line.sort_values("budget")
            axis.plot(line.budget, 100 * (1 - line["mean"]), style, color=colour, marker="o", ms=3)
            low, high = (100 * np.maximum(1 - line[end], FLOOR) for end in ("high", "low"))
            axis.fill_between(line.budget, low, high, color=colour, alpha=0.12)
        axis.set(xscale="log", yscale="log", xlabel="labelled samples n", title=f"manifold of d = {latent} dimensions")
        of_latent = np.array([dimensions(task)[0] == latent for task in frame.task])
        errors = 100 * np.maximum(1 - frame["mean"][of_latent], FLOOR)
        axis.set_ylim(0.6 * errors.min(), 1.5 * errors.max())  # a wide interval must not press the lines together
        budgets = sorted(set(frame.budget[of_latent]))
        axis.set_xticks(budgets, [f"{budget:,}" for budget in budgets], fontsize=8)
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("student's error (%), log")
    _draw_slopes(axes[0, -1], fitted, inputs)
    methods = list(dict.fromkeys(frame.method))
    named = [(method, {"color": fact(method).colour or None, "marker": "o", "ms": 3}) for method in methods]
    named += [(f"in D = {d}", {"color": "black", "ls": style}) for style, d in zip(_STYLES, inputs, strict=False)]
    handles = [Line2D([], [], label=text, **look) for text, look in named]  # type: ignore[arg-type]
    figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, -0.1), ncol=len(handles), fontsize=9)
    figure.tight_layout()
    written = figures.save(figure, path)
    with atomic(path.with_name(f"{path.name}-slopes.csv")) as temporary:
        temporary.write_text(tables.to_csv(fitted))
    return [*written, path.with_name(f"{path.name}-slopes.csv")]


def _draw_slopes(axis, fitted: pd.DataFrame, inputs: list[int]) -> None:
    latents = sorted(set(fitted.latent))
    methods = list(dict.fromkeys(fitted.method))
    for m, method in enumerate(methods):
        for i, dimension in enumerate(inputs):
            rows = fitted[(fitted.method == method) & (fitted.dimension == dimension)].sort_values("latent")
            place = [
                latents.index(latent) + 0.16 * (m - (len(methods) - 1) / 2) + 0.04 * (i - 1) for latent in rows.latent
            ]
            spread = [rows.slope - rows.low, rows.high - rows.slope]
            axis.errorbar(
                place, rows.slope, spread, fmt="osD"[i], ms=3, lw=1, color=fact(method).colour or None, alpha=0.8
            )
    axis.plot(range(len(latents)), [-1 / latent for latent in latents], "k_", ms=28, label="-1/d")
    axis.axhline(0, color="black", lw=0.6)
    axis.set_xticks(range(len(latents)), [f"d = {latent}" for latent in latents])
    axis.set_title("slope of log error in log n; bars: -1/d")
    axis.grid(alpha=0.3, axis="y")


def lines(fitted: pd.DataFrame) -> list[str]:
    """The slopes in words."""
    out = []
    for latent, method in dict.fromkeys(zip(fitted.latent, fitted.method, strict=True)):
        rows = fitted[(fitted.latent == latent) & (fitted.method == method)]
        told = ", ".join(f"{r.slope:+.2f} [{r.low:+.2f}, {r.high:+.2f}] in {r.dimension}" for r in rows.itertuples())
        out.append(f"d = {latent}, {method}: slope {told}; -1/d = {-1 / latent:+.2f}")
    return out
