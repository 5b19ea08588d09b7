"""`ablation-*`: one hyper-parameter of TGT varied, the others as chosen."""

from __future__ import annotations

from dataclasses import fields, replace

from rich.console import Console

from benchmarks.analysis.ablation import ABLATIONS, SEEDS, TASKS, Ablation
from benchmarks.commands import contract
from benchmarks.commands.experiment import Options
from benchmarks.commands.options import choice_of, execution, folder_of
from benchmarks.core import settings
from benchmarks.core.errors import BadInput
from benchmarks.registry import tasks
from benchmarks.registry.experiments import BASELINE, Choice
from benchmarks.registry.methods import METHODS


def refuse(target: str, options: Options) -> None:
    ablation, choice = ABLATIONS[target], choice_of(options, TASKS)
    contract.breaches(choice.methods, choice.tasks or TASKS, options.unchecked, options.jobs)
    if ablation.name == "teacher" and options.teacher != "full":
        raise BadInput(f"{target} sets --teacher itself")
    if ablation.name in settings.parse(choice.settings):
        raise BadInput(f"--set {ablation.name}: the ablation sets it itself")
    for method in choice.methods if ablation.name != "teacher" else ():
        row = METHODS[method]
        if ablation.name not in {field.name for field in fields(row.load().Config)} or ablation.name in row.fixed:
            raise BadInput(f"{target}: {method} has no {ablation.name} to vary")


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    from benchmarks.records import Results
    from benchmarks.report import artefacts
    from benchmarks.runs.fill import fill
    from benchmarks.runs.grid import grid

    ablation, choice, folder = ABLATIONS[target], choice_of(options, TASKS), folder_of(options)
    runs = {run.spec: run for one in grids(ablation, choice) for run in grid("table1", one)}  # the baseline's once
    _, status = fill(list(runs.values()), folder, execution(options), console)  # at once: no value waits for another
    if not options.plan and (made := artefacts.of_ablation(target, Results.load(folder), choice)):
        written = made.write(artefacts.folder_of(folder, choice.settings))
        console.print("written: " + ", ".join(str(path) for path in written), markup=False)
    return status


def grids(ablation: Ablation, choice: Choice) -> list[Choice]:
    """The choice at each value and task, each with the baseline beside it."""
    found = []
    for _, one in ablation.points(choice):
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
            found += [varied, replace(varied, methods=(BASELINE,), settings=choice.settings)]
    return found
