"""The target `compare`: is a method better than TGT? Search, run, and say so, task by task."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
from rich.console import Console

from benchmarks.analysis import pairwise as comparison
from benchmarks.commands.options import BadInput, Options, named
from benchmarks.core import paths
from benchmarks.registry import experiments, tasks
from benchmarks.registry.experiments import Choice
from benchmarks.registry.methods import METHODS, searched
from benchmarks.registry.methods import chosen as chosen_of
from benchmarks.report import figures, tables
from benchmarks.report import html as html_report
from benchmarks.runs import scheduler as engine
from benchmarks.runs import search as tune
from benchmarks.runs.fill import fill
from benchmarks.runs.run import Run
from benchmarks.task import Task

SEEDS = 5
#: Numbers of seeds at which `--seeds auto` looks. The level is shared out evenly over the looks (Bonferroni), so that
#: looking often does not find more where there is nothing.
LOOKS = (5, 8, 12, 20)
DEFAULT_TASK = {"image": "fashion-lt", "text": "movie-5", "retrieval": "wiki-titles", "": "fashion-lt"}


def rivals(task: Task, ours: str) -> tuple[str, ...]:
    """What a method is set against unless a person says: distillation, decoded noise, and every row of TGT."""
    wanted = {"distillation", "prior-sampling", "prior-sampling-pool"}
    return tuple(row for row in rows_of(task) if (row in wanted or tables.is_tgt(row)) and row != ours)


def run(what: str, options: Options, choice: Choice, folder: Path, console: Console) -> int:
    """Everything from a method's name or file to the verdict; the exit status."""
    (ours,) = named(what)
    against = named(options.against)
    for name in (ours, *against):
        if name not in METHODS:
            raise BadInput(f"unknown method {name!r}; there are {', '.join(METHODS)}")
    if ours in against:
        raise BadInput(f"--against: {ours} cannot be its own rival")
    chosen_tasks = choice.tasks or (DEFAULT_TASK.get(METHODS[ours].domain, "fashion-lt"),)
    for name in (ours, *against):
        for task_name in chosen_tasks:
            if reason := METHODS[name].unfit(tasks.get(task_name)):
                raise BadInput(f"method {name}: {reason}")
    status = 0
    for task_name in chosen_tasks:
        one = replace(choice, tasks=(task_name,))
        task = tasks.get(task_name)
        wanted = (ours, *(against or rivals(task, ours)))
        if options.search:
            one, found = search(wanted, one, folder, console, options)
            status = max(status, found)
        status = max(status, _on_task(wanted, task, one, folder, console, options))
    return status


def search(
    wanted: tuple[str, ...], choice: Choice, folder: Path, console: Console, options: Options
) -> tuple[Choice, int]:
    """Choose hyper-parameters on validation samples for the rows that the committed search left out.

    Those are outside methods, and on a task of one's own their rivals as well: all are tried equally often.

    Raises:
        ValueError: no setting of a row could be trained.
    """
    task = tasks.get(choice.tasks[0])
    rows = tuple(row for row in wanted if not searched(row, task, choice.size))
    if not rows:
        return choice, 0
    runs = experiments.search(replace(choice, tasks=(task.tuned_on,), methods=rows))
    told = (
        f"choosing hyper-parameters of {', '.join(rows)} on {task.tuned_on}: {len(runs)} settings, validation samples"
    )
    console.print(told, markup=False)
    plan, status = fill(runs, folder / "tuning", options, console)
    if options.plan:
        return choice, status
    chosen = tune.choose(plan)
    for row in rows:
        if row not in chosen.get(task.tuned_on, {}):
            first = next(record.reason for run in runs if run.spec.method == row and (record := plan.record(run)))
            raise ValueError(f"no setting of {row} could be trained: {first}")
    for line in tune.lines(chosen):
        console.print(line, markup=False)
    tune.write(chosen, folder)
    return replace(choice, tuned=tune.read(folder)), status


def _on_task(
    wanted: tuple[str, ...], task: Task, choice: Choice, folder: Path, console: Console, options: Options
) -> int:
    ours = wanted[0]
    looks = LOOKS if options.seeds == "auto" else (choice.seeds or SEEDS,)
    alpha = comparison.ALPHA / len(looks)
    plan, status = None, 0
    for seeds in looks[-1:] if options.plan else looks:  # a plan is of the most that may run
        plan, status = fill(grid(wanted, task, replace(choice, seeds=seeds)), folder, options, console)
        if options.plan:
            return status
        if len(looks) > 1 and _decided(ours, plan, alpha):
            break
    assert plan is not None
    return max(status, write(ours, plan, alpha, _how(wanted, looks, seeds, alpha, choice), folder, console))


def grid(wanted: tuple[str, ...], task: Task, choice: Choice) -> list[Run]:
    """Runs of the methods on a task, at its table's budgets unless the choice names others."""
    size = task.sizes[choice.size]
    budgets = choice.budgets or size.table or (size.budget,)
    name = next(iter(experiments.EXPERIMENTS))  # any will do: tasks, methods and budgets are all given
    return experiments.grid(name, replace(choice, methods=wanted, budgets=budgets))


def _decided(ours: str, plan: engine.Plan, alpha: float) -> bool:
    """Whether every rival is told apart from ours in every group."""
    groups = tables.cells((run.spec, plan.record(run)) for run in plan.runs)
    found = [comparison.pairs(ours, cells, tasks.get(group[0]).metric) for group, cells in groups.items()]
    return all(pair.holm < alpha for pairs in found for pair in pairs)


def _how(wanted: tuple[str, ...], looks: tuple[int, ...], seeds: int, alpha: float, choice: Choice) -> list[str]:
    """How the comparison was made, for whoever doubts it."""
    out, ours, task = [], wanted[0], tasks.get(choice.tasks[0])
    if len(looks) > 1:
        out.append(
            f"Seeds were added until each rival was told apart, or there were {LOOKS[-1]}: looked at "
            f"{', '.join(str(n) for n in looks if n <= seeds)} seeds, and tested at {alpha:.4f} each time, the level "
            f"of {comparison.ALPHA:.2f} shared out over {len(looks)} planned looks (Bonferroni)."
        )
    chosen = choice.tuned.get(task.tuned_on, {})
    without = [row for row in wanted if row not in chosen and not searched(row, task, choice.size)]
    if not without:
        params = chosen[ours]["params"] if ours in chosen else chosen_of(ours, task, choice.size)
        told = ", ".join(f"{name} {value}" for name, value in params.items()) or "its defaults"
        out.append(
            f"Hyper-parameters of all rows were chosen alike, on validation samples of {task.tuned_on} by "
            f"{task.sizes[choice.size].trials} trials at most; of {ours}: {told}."
        )
    elif len(without) == len(wanted):
        out.append("Hyper-parameters of all rows are their defaults: no search was made.")
    else:
        out.append(
            f"No search was made for {', '.join(without)}, whose hyper-parameters are their defaults; others had one."
        )
    return out


def write(ours: str, plan: engine.Plan, alpha: float, how: list[str], folder: Path, console: Console) -> int:
    """Say and write the comparison: Markdown, CSV, a page, learning curves."""
    groups = tables.cells((run.spec, plan.record(run)) for run in plan.runs)
    name = f"compare-{ours}-{plan.runs[0].spec.task}"
    parts, frames = [f"# {ours} against its rivals", ""], []
    told, versus = [], []
    for group, cells in groups.items():
        task = tasks.get(group[0])
        labels = next(run for run in plan.runs if run.spec.task == group[0]).task.examples().test_labels
        found = comparison.pairs(ours, cells, task.metric, labels if labels.ndim == 1 else None, alpha)
        said = comparison.conclusion(ours, group, cells, found, alpha)
        grid = tables.grid(group, cells)
        console.print(grid.rich(console.width))
        console.print(said, markup=False, style="bold")
        parts += [said, "", *(f"{line}  " for line in how), "", grid.markdown()]
        told.append(said)
        versus.append(comparison.table(found, alpha))
        parts += [*versus[-1], ""]
        frames.append(comparison.frame(ours, group, found))
    written = figures.learning_curves(groups, folder / name)
    parts.append(f"![Learning curves]({name}.png)")
    title = f"{ours} against its rivals on {tasks.get(plan.runs[0].spec.task).title}"
    page = html_report.comparison(groups, title, [*told, *how], versus, (folder / name).with_suffix(".svg"))
    files = {".md": "\n".join(parts) + "\n", ".csv": tables.to_csv(pd.concat(frames)), ".html": page}
    for suffix, text in files.items():
        with paths.atomic(folder / f"{name}{suffix}") as temporary:
            temporary.write_text(text)
        written.append(folder / f"{name}{suffix}")
    for line in how:
        console.print(line, markup=False)
    console.print("written: " + ", ".join(str(path) for path in written), markup=False)
    missing = [record for run in plan.runs if (record := plan.record(run)) is None or record.status == "failed"]
    return 1 if missing else 0
