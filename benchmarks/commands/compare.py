"""`compare`: is a method better than TGT? Search, run, and say so, task by task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from benchmarks.commands.options import (
    Cells,
    Runs,
    Tasks,
    Where,
    choice_of,
    execution,
    fits_all,
    folder_of,
    known,
    named,
)
from benchmarks.core.errors import BadInput
from benchmarks.registry import tasks
from benchmarks.registry.experiments import EXPERIMENTS, Choice
from benchmarks.registry.hyperparameters import Place, chosen, place_of, searched_as
from benchmarks.registry.methods import METHODS, rows_of
from benchmarks.task import Task

if TYPE_CHECKING:
    from benchmarks.runs.run import Run
    from benchmarks.runs.scheduler import Plan

SEEDS = 5
#: Numbers of seeds at which `--seeds auto` looks. The level is shared out evenly over the looks (Bonferroni), so that
#: looking often does not find more where there is nothing.
LOOKS = (5, 8, 12, 20)
DEFAULT_TASK = {"image": "fashion-lt", "text": "movie-5", "retrieval": "wiki-titles", "": "fashion-lt"}


@dataclass
class Options(Runs, Cells, Tasks, Where):
    seeds: int | Literal["auto"] | None = None  # type: ignore[assignment]
    """Replications, seeds 0 to N - 1. auto: more of them until the comparison is decided, 20 at most."""
    against: str = ""
    """The rows to set it against; by default distillation, decoded noise and TGT."""
    search: bool = True
    """First choose hyper-parameters on validation samples, by as many trials as its rivals had."""


def rivals(task: Task, ours: str) -> tuple[str, ...]:
    """What a method is compared with unless a person says: distillation, decoded noise, and every row of TGT."""
    wanted = {"distillation", "prior-sampling", "prior-sampling-pool"}
    return tuple(row for row in rows_of(task) if (row in wanted or METHODS[row].is_tgt) and row != ours)


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    """Everything from a method's name or file to the verdict; the exit status."""
    choice, folder = choice_of(options), folder_of(options)
    if len(given := named(words[0])) != 1:
        raise BadInput(f"compare takes one method, not {words[0]!r}; its rivals are named by --against")
    (ours,) = given
    against = named(options.against)
    for name in (ours, *against):
        known("method", name, METHODS)
    if ours in against:
        raise BadInput(f"--against: {ours} cannot be its own rival")
    chosen_tasks = choice.tasks or (DEFAULT_TASK.get(METHODS[ours].domain, "fashion-lt"),)
    for name in (ours, *against):
        fits_all(name, chosen_tasks)
    status = 0
    for task_name in chosen_tasks:
        one = replace(choice, tasks=(task_name,))
        task = tasks.get(task_name)
        wanted = (ours, *(against or rivals(task, ours)))
        if options.search:
            one, found = search(wanted, one, folder, options, console)
            status = max(status, found)
        status = max(status, _on_task(wanted, task, one, folder, options, console))
    return status


def search(
    wanted: tuple[str, ...], choice: Choice, folder: Path, options: Options, console: Console
) -> tuple[Choice, int]:
    """Choose hyper-parameters on validation samples for the rows that the committed searches left out.

    Those are custom methods, and on a custom task their rivals as well: all by the same search as the suite's own rows.

    Raises:
        ValueError: no setting of a row could be trained.
    """
    from benchmarks.runs import search as searching
    from benchmarks.runs.fill import fill

    rows = [
        searching.Row(place, row)
        for place in _places(choice)
        for row in dict.fromkeys(map(searched_as, wanted))
        if chosen(row, place, choice.size, choice.tuned) is None
    ]
    if not rows:
        return choice, 0
    first, plans = searching.first(rows, choice.size), []
    told = f"choosing hyper-parameters of {', '.join(dict.fromkeys(row.method for row in rows))} on validation samples"
    console.print(f"{told}: {len(first)} settings", markup=False)

    def run_all(runs: list[Run]) -> Plan:
        plans.append(fill(runs, folder / "tuning", execution(options), console)[0])
        return plans[-1]

    if options.plan:
        run_all(first)
        return choice, 0
    found = searching.search(rows, choice.size, run_all)
    for place, method in rows:
        if method not in found.get(str(place), {}):
            tried = (plans[0].record(run) for run in plans[0].runs if run.spec.method == method)
            reason = next(record.reason for record in tried if record)
            raise ValueError(f"no setting of {method} could be trained: {reason}")
    for line in searching.lines(found):
        console.print(line, markup=False)
    searching.write(found, folder)
    return replace(choice, tuned=searching.read(folder)), 0


def _places(choice: Choice) -> list[Place]:
    """Where the hyper-parameters of a comparison's runs come from."""
    task = tasks.get(choice.tasks[0])
    cells = ((teacher, budget) for teacher in choice.teachers for budget in _budgets(task, choice))
    return list(dict.fromkeys(place_of(task, choice.size, *cell) for cell in cells))


def _budgets(task: Task, choice: Choice) -> tuple[int, ...]:
    size = task.sizes[choice.size]
    return choice.budgets or size.table or (size.budget,)


def _on_task(
    wanted: tuple[str, ...], task: Task, choice: Choice, folder: Path, options: Options, console: Console
) -> int:
    from benchmarks.analysis.pairwise import ALPHA
    from benchmarks.report import comparison
    from benchmarks.runs.fill import fill

    looks = LOOKS if options.seeds == "auto" else (choice.seeds or SEEDS,)
    alpha = ALPHA / len(looks)
    plan, status = None, 0
    for seeds in looks[-1:] if options.plan else looks:  # a plan is of the most that may run
        plan, status = fill(grid(wanted, task, replace(choice, seeds=seeds)), folder, execution(options), console)
        if options.plan:
            return status
        if len(looks) > 1 and _decided(wanted[0], plan, alpha):
            break
    assert plan is not None
    pairs = [(run.spec, plan.record(run)) for run in plan.runs]
    comparison.write(
        wanted[0], pairs, plan.runs[0].task, alpha, _how(wanted, looks, seeds, alpha, choice), folder, console
    )
    missing = [record for _, record in pairs if record is None or record.status == "failed"]
    return max(status, 1 if missing else 0)


def grid(wanted: tuple[str, ...], task: Task, choice: Choice) -> list[Run]:
    """Runs of the methods on a task, at its table's budgets unless the choice names others."""
    from benchmarks.runs.grid import grid as grid_of

    name = next(iter(EXPERIMENTS))  # any will do: tasks, methods and budgets are all given
    return grid_of(name, replace(choice, methods=wanted, budgets=_budgets(task, choice)))


def _decided(ours: str, plan: Plan, alpha: float) -> bool:
    """Whether every rival differs significantly from ours in every group."""
    from benchmarks.analysis.pairwise import pairs
    from benchmarks.records.groups import grouped

    groups = grouped((run.spec, plan.record(run)) for run in plan.runs)
    found = [pairs(ours, cells, tasks.get(group.task).metric) for group, cells in groups.items()]
    return all(pair.holm < alpha for some in found for pair in some)


def _how(wanted: tuple[str, ...], looks: tuple[int, ...], seeds: int, alpha: float, choice: Choice) -> list[str]:
    """How the comparison was made, for whoever doubts it."""
    from benchmarks.analysis.pairwise import ALPHA

    out, ours, task = [], wanted[0], tasks.get(choice.tasks[0])
    if len(looks) > 1:
        out.append(
            f"Seeds were added until each difference was significant, or there were {LOOKS[-1]}: looked at "
            f"{', '.join(str(n) for n in looks if n <= seeds)} seeds, and tested at {alpha:.4f} each time, the level "
            f"of {ALPHA:.2f} shared out over {len(looks)} planned looks (Bonferroni)."
        )
    places = _places(choice)
    found = {(row, place): chosen(row, place, choice.size, choice.tuned) for row in wanted for place in places}
    without = [row for row in wanted if any(found[row, place] is None for place in places)]
    if not without:
        out.append(
            f"Hyper-parameters of all rows were chosen alike, on validation samples of {task.tuned_on}, from up to "
            f"{task.sizes[choice.size].trials} settings by successive halving."
        )
        for place in places:
            told = ", ".join(f"{name} {value}" for name, value in (found[ours, place] or {}).items()) or "its defaults"
            out.append(f"Of {ours} with teacher {place.teacher} and {place.budget:,} samples: {told}.")
    elif len(without) == len(wanted):
        out.append("Hyper-parameters of all rows are their defaults: no search was made.")
    else:
        out.append(
            f"No search was made for {', '.join(without)}, whose hyper-parameters are their defaults; others had one."
        )
    return out
