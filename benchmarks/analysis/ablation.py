"""The targets `ablation-*`: one hyper-parameter of TGT varied, the others as chosen; a figure with intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from rich.console import Console

from benchmarks.analysis import stats
from benchmarks.commands.options import BadInput, Options
from benchmarks.core import paths
from benchmarks.metrics.classification import label
from benchmarks.records.record import Record
from benchmarks.registry import experiments, tasks
from benchmarks.registry.experiments import Choice
from benchmarks.registry.methods import METHODS
from benchmarks.report import figures, tables
from benchmarks.report import reproduction as report
from benchmarks.runs.fill import fill
from benchmarks.task import Task

TASKS = ("fashion-lt", "movie-5")
SEEDS = 3
#: Diagnostics told beside the score, means over seeds.
SEEN = ("made_few_shot", "made_copies", "class_kept", "disagreement_start", "disagreement_noise", "disagreement_end")
COLUMNS = ["task", "budget", "value", "method", "n_seeds", "mean", "low", "high", *SEEN]


@dataclass(frozen=True)
class Ablation:
    """What is varied, over which values, and of which rows of TGT.

    Attributes:
        name: the hyper-parameter; "teacher": what the teacher was trained on. axis: what a figure calls it.
        rows: as images have them; where decoding is expensive, their twins with a pool stand for them.
    """

    name: str
    values: tuple[Any, ...]
    axis: str
    rows: tuple[str, ...] = ("tgt-random", "tgt-gradient")

    def methods(self, task: Task, choice: Choice) -> tuple[str, ...]:
        """The rows that are varied on a task, unless a person names others."""
        twins = (name for name in rows_of(task) if name in self.rows or fact(name).pool_of in self.rows)
        return choice.methods or tuple(twins)

    def points(self, choice: Choice, folder: Path) -> Iterator[tuple[str, Choice, Path]]:
        """Each value with its choice and the folder of its records, which is that of `--set`."""
        for value in self.values:
            if self.name == "teacher":
                yield value, replace(choice, teachers=(value,)), paths.of_settings(folder, choice.settings)
            else:
                settings = tuple(sorted({**dict(choice.settings), self.name: value}.items()))
                yield str(value), replace(choice, settings=settings), paths.of_settings(folder, settings)


ABLATIONS = {
    "ablation-sigma": Ablation("sigma", (0, 0.5, 1, 2, 3, 5), "standard deviation of the noise, latent units"),
    "ablation-steps": Ablation("ascent_steps", (0, 1, 2, 4, 8), "steps of ascent", ("tgt-gradient",)),
    "ablation-share": Ablation("share", (0.25, 0.5, 0.75, 0.9), "share of generated samples in a step"),
    "ablation-start": Ablation("start", ("data", "balanced", "prior"), "where exploration starts"),
    "ablation-teacher": Ablation("teacher", ("full", "same-data"), "what the teacher was trained on"),
}


def run(target: str, options: Options, choice: Choice, folder: Path, console: Console) -> int:
    """Run what is missing and draw it; the worst exit status."""
    ablation, status = ABLATIONS[target], 0
    for method in choice.methods if ablation.name != "teacher" else ():
        row = METHODS[method]
        if ablation.name not in {field.name for field in fields(row.load().Config)} or ablation.name in row.fixed:
            raise BadInput(f"{target}: {method} has no {ablation.name} to vary")
    for _, one, where in ablation.points(choice, folder):
        for task_name in choice.tasks or TASKS:
            task = tasks.get(task_name)
            size = task.sizes[choice.size]
            varied = replace(
                one,
                tasks=(task_name,),
                methods=ablation.methods(task, choice),
                budgets=choice.budgets or size.table[:1] or (size.budget,),
                seeds=choice.seeds or size.seeds or SEEDS,
            )
            beside = replace(varied, methods=(tables.BASELINE,), settings=choice.settings)
            for grid, at in ((varied, where), (beside, paths.of_settings(folder, choice.settings))):
                _, found = fill(experiments.grid("table1", grid), at, options, console)
                status = max(status, found)
    if not options.plan and (files := write(target, folder, choice)):
        console.print("written: " + ", ".join(str(path) for path in files), markup=False)
    return status


def frame(target: str, folder: Path, choice: Choice) -> pd.DataFrame:
    """One row a (task, budget, value, method) of the records there are, in fractions, with the columns `COLUMNS`.

    Distillation stands beside them under every value. All of a task are over the seeds that all of them have; what was
    recorded at one value alone is left out.
    """
    ablation = ABLATIONS[target]
    cells: dict[tuple[str, int], dict[tuple[str, str], dict]] = {}  # of a (task, budget): seeds by value and method
    base = report.cells(paths.of_settings(folder, choice.settings))
    for value, one, where in ablation.points(choice, folder):
        for (task_name, teacher, budget, match), group in report.cells(where).items():
            wanted = ablation.methods(tasks.get(task_name), choice)
            found = {method: seeds for method, seeds in group.items() if method in wanted}
            if teacher not in one.teachers or match != choice.match or not found:
                continue
            rival = base.get((task_name, teacher, budget, match), {}).get(tables.BASELINE)
            found |= {tables.BASELINE: rival} if rival else {}
            cell = cells.setdefault((task_name, budget), {})
            cell |= {(value, method): seeds for method, seeds in found.items()}
    rows = []
    for (task_name, budget), cell in sorted(cells.items()):  # whatever was recorded first
        metric = tasks.get(task_name).metric
        scores = {place: tables.values(seeds, metric) for place, seeds in cell.items()}
        common = sorted(set.intersection(*map(set, scores.values())))
        if len({value for value, method in cell if method != tables.BASELINE}) < 2 or not common:
            continue
        for (value, method), seeds in cell.items():
            mean = stats.interval([scores[value, method][seed] for seed in common])
            row = (task_name, budget, value, method, mean.n, mean.mean, mean.low, mean.high)
            rows.append((*row, *(_seen([seeds[seed] for seed in common], name) for name in SEEN)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _seen(records: list[Record | None], name: str) -> float:
    values = [record.diagnostics[name] for record in records if record is not None and name in record.diagnostics]
    return float(np.mean(values)) if values else float("nan")


def write(target: str, folder: Path, choice: Choice) -> list[Path]:
    """The figure with its data as CSV, in the folder of the choice's settings; nothing of fewer than two values."""
    found = frame(target, folder, choice)
    if found.empty:
        return []
    folder = paths.of_settings(folder, choice.settings)
    cells = list(dict.fromkeys(zip(found.task, found.budget, strict=True)))
    figure, axes = plt.subplots(1, len(cells), figsize=(5.6 * len(cells), 4.4), squeeze=False)
    order = [str(value) for value in ABLATIONS[target].values]
    line_of = "" if isinstance(ABLATIONS[target].values[0], str) else "-"  # none between kinds
    for (task_name, budget), axis in zip(cells, axes[0], strict=True):
        task = tasks.get(task_name)
        rows = found[(found.task == task_name) & (found.budget == budget)]
        for m, (method, line) in enumerate(rows.groupby("method", sort=False)):
            place = [order.index(value) + 0.05 * (m - 1) for value in line.value]
            spread = [100 * (line["mean"] - line.low), 100 * (line.high - line["mean"])]
            style = "--" if line_of and method == tables.BASELINE else line_of
            colour = fact(str(method)).colour or None
            axis.errorbar(
                place, 100 * line["mean"], spread, fmt="o" + style, ms=4, capsize=2, color=colour, label=method
            )
        axis.set_xticks(range(len(order)), order)
        axis.set(xlabel=ABLATIONS[target].axis, ylabel=f"{label(task.metric)} (%)")
        axis.set_title(f"{task.title}, {budget:,} samples", loc="left", fontsize=10)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.tight_layout()
    written = figures.save(figure, folder / target)
    with paths.atomic(folder / f"{target}.csv") as temporary:
        temporary.write_text(tables.to_csv(found))
    return [*written, folder / f"{target}.csv"]
