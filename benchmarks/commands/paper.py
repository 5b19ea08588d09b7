"""What a target needs at the paper's size, before anything runs: cells, hours, files; and a try of a few steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks.commands.bounds import CANNOT
from benchmarks.core import paths
from benchmarks.data.asset import Unavailable, nothing_fetched
from benchmarks.data.given import Given
from benchmarks.registry import tasks
from benchmarks.registry.experiments import EXPERIMENTS, Choice
from benchmarks.runs import prior
from benchmarks.runs.fill import Execution, fill
from benchmarks.runs.grid import grid, rerun_of
from benchmarks.task import Task


def plan(target: str, choice: Choice, console: Console) -> int:
    """Print the grid, its GPU hours, and each file or folder that is needed: 0 where all are there, else 3."""
    experiment, cells, of_all, needs = EXPERIMENTS[target], 0, 0, dict[str, Given]()
    made: dict[str, float] = {}
    for name in choice.tasks or experiment.at("paper"):
        task = tasks.get(name).at("paper")
        rows = choice.methods or _fitting(experiment.methods(task, choice.extra), task)
        budgets = choice.budgets or experiment.budgets(task.size)
        seeds = choice.seeds or task.size.seeds or experiment.seeds
        count = len(rows) * len(budgets) * seeds * choice.draws * len(choice.teachers)
        line = f"{name}: {len(rows)} rows x {len(budgets)} budgets ({', '.join(f'{n:,}' for n in budgets)})"
        console.print(f"{line} x {seeds} seeds, {task.size.steps:,} steps: {count} cells", markup=False)
        console.print(f"  {', '.join(rows)}", markup=False)
        cells += count
        needs |= {need.path: need for need in task.needs}
        if task.kept[0]:
            made[task.kept[0]] = task.kept[1]
    for name in experiment.at("paper"):
        task = tasks.get(name).at("paper")
        of_all += len(experiment.methods(task)) * len(experiment.budgets(task.size)) * experiment.seeds
    missing = [need for need in needs.values() if not need.there]
    for need in needs.values():
        there = "missing" if need in missing else "there"
        console.print(f"{there}: {need.where} ({need.gigabytes:g} GB), from {need.source}; {need.terms}", markup=False)
    for what, gigabytes in made.items():
        console.print(f"made once, in {paths.cache()}: {what} ({gigabytes:g} GB, by arithmetic)", markup=False)
    console.print(
        f"{cells} cells; about {experiment.paper_hours * cells / of_all:,.0f} GPU hours without searches, estimated "
        f"on paper for an A100 in bf16 and never measured; {sum(need.gigabytes for need in needs.values()):,.0f} GB "
        "of files",
        markup=False,
    )
    if missing:
        console.print(f"cannot run: {len(missing)} of {len(needs)} files and folders are missing", markup=False)
    return CANNOT if missing else 0


def dry_run(target: str, steps: int, choice: Choice, execution: Execution, console: Console) -> int:
    """A few steps of every row at each task's first budget, in a folder that is thrown away: 0 if all went through.

    A task whose files are missing is tried on the one at hand that is most like it, at its smoke size.
    """
    runs = []
    for name in choice.tasks or EXPERIMENTS[target].at("paper"):
        task, one = tasks.get(name).at("paper"), replace(choice, seeds=1)
        if missing := [str(need.where) for need in task.needs if not need.there]:
            told = f"{task.stand_in} at the smoke size stands in for {name}, which lacks {', '.join(missing)}"
            console.print(told, markup=False)
            one = replace(one, size="smoke", tasks=(task.stand_in,), budgets=())
        else:
            one = replace(one, tasks=(name,), budgets=choice.budgets or task.size.budgets[:1])
        runs += [rerun_of(run.spec.model_copy(update={"steps": steps}), choice.tuned) for run in grid(target, one)]
    runs = list({run.spec: run for run in runs}.values())
    with TemporaryDirectory(prefix="tgt-dry-run-") as folder:
        _, status = fill(runs, Path(folder), execution, console)
    console.print(f"{len(runs)} cells of {steps} steps; none of their numbers is a result", markup=False)
    return status


def _fitting(rows: tuple[str, ...], task: Task) -> tuple[str, ...]:
    try:
        with nothing_fetched():
            return prior.fitting(rows, task)
    except Unavailable:  # which rows its generator has all for is known once it is there
        return rows
