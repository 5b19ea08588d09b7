"""`table1`, `table2`, `table3`, `fig2`, `theory`: fill an experiment's grid, write its tables and figures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console

from benchmarks.commands import contract
from benchmarks.commands.bounds import CANNOT
from benchmarks.commands.options import Cells, Methods, Runs, Settings, choice_of, execution, folder_of
from benchmarks.core.errors import BadInput
from benchmarks.core.paths import REFERENCE
from benchmarks.data.asset import Unavailable
from benchmarks.registry import tasks
from benchmarks.registry.experiments import EXPERIMENTS, Choice

if TYPE_CHECKING:
    from benchmarks.records.record import Record
    from benchmarks.runs.run import Run


@dataclass
class Options(Settings, Methods, Cells, Runs):
    dry_run: int | None = None
    """At --size paper: so many steps of every row, to see that all works; nothing is kept."""


def refuse(target: str, options: Options) -> None:
    experiment = EXPERIMENTS[target]
    if options.dry_run and options.size != "paper":
        raise BadInput("--dry-run goes with --size paper; --size smoke is a try of the other sizes")
    choice = choice_of(options, experiment.at(options.size))
    for task in choice.tasks:
        if experiment.figure == "slopes" and task not in experiment.tasks:
            raise BadInput(f"{target} is of manifolds whose dimensions are known; {task} is none")
    contract.breaches(choice.methods, choice.tasks or experiment.at(choice.size), options.unchecked, options.jobs)


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    from benchmarks.analysis.search_orders import Orders
    from benchmarks.records import Results
    from benchmarks.report import artefacts
    from benchmarks.runs.fill import fill

    choice = choice_of(options, EXPERIMENTS[target].at(options.size))
    if choice.size == "paper" and (options.plan or options.dry_run):
        from benchmarks.commands import paper

        if options.dry_run:
            return paper.dry_run(target, options.dry_run, choice, execution(options), console)
        return paper.plan(target, choice, console)
    folder = folder_of(options)
    runs, absent = available([target], choice, console)
    if absent and not runs and choice.size == "paper":
        console.print(
            f"nothing can run; ./reproduce.sh {target} --size paper --plan tells what is needed", markup=False
        )
        return CANNOT
    if absent and not runs and options.plan:
        console.print("nothing can be planned before the data are there: ./reproduce.sh data", markup=False)
        return CANNOT
    if left_out := _left_out(target, choice, {run.spec.method for run in runs}):
        why = "left out, for the time they take or as no search was made for them (--methods all)"
        console.print(f"{why}: {', '.join(left_out)}", markup=False)

    def live(records: dict[str, Record]) -> Any:
        return artefacts.live(console, [(run.spec, records.get(run.key)) for run in runs])

    plan, status = fill(runs, folder, execution(options), console, table=live)
    if options.plan:
        return status
    own = folder.resolve() == (REFERENCE / options.size).resolve()
    reference = {} if own else Results.load(REFERENCE / options.size).groups()
    breaches = contract.breaches(
        choice.methods, choice.tasks or EXPERIMENTS[target].at(choice.size), options.unchecked, options.jobs
    )
    pairs = [(run.spec, plan.record(run)) for run in plan.runs]
    told = [*(f"Task {task} is unavailable: {reason}" for task, reason in absent.items()), *breaches]
    made = artefacts.of_experiment(target, pairs, told, reference, Orders.of(folder))
    artefacts.show(made, console)
    written = made.write(artefacts.folder_of(folder, choice.settings))
    console.print("written: " + ", ".join(str(path) for path in written), markup=False)
    return status


def _left_out(target: str, choice: Choice, there: set[str]) -> list[str]:
    """Rows of a target's tasks that only a person's word fills it with: those that are in none of its cells."""
    if choice.methods or choice.extra:
        return []
    experiment = EXPERIMENTS[target]
    of_tasks = [tasks.get(name) for name in choice.tasks or experiment.at(choice.size)]
    rows = dict.fromkeys(row for task in of_tasks for row in experiment.methods(task, extra=True))
    return [row for row in rows if row not in there]


def available(names: list[str], choice: Choice, console: Console) -> tuple[list[Run], dict[str, str]]:
    """The runs of experiments, and for tasks whose data cannot be had, the reason."""
    from benchmarks.runs.grid import grid

    runs: list[Run] = []
    absent: dict[str, str] = {}
    for name in names:
        for task in choice.tasks or EXPERIMENTS[name].at(choice.size):
            try:
                runs += grid(name, replace(choice, tasks=(task,)))
            except Unavailable as error:
                absent[task] = str(error)
                console.print(f"task {task} is unavailable: {error}", markup=False)
    return runs, absent
