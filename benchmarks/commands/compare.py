"""`compare`: is a method better than TGT? Search, run, and say so, of all tasks together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from benchmarks.commands import contract
from benchmarks.commands.options import (
    Cells,
    Contract,
    Runs,
    choice_of,
    execution,
    fits_all,
    folder_of,
    known,
    named,
    one_of,
)
from benchmarks.core.errors import BadInput
from benchmarks.core.paths import REFERENCE
from benchmarks.records.groups import TRIAL_SIZES, Group
from benchmarks.registry import tasks
from benchmarks.registry.experiments import Choice
from benchmarks.registry.hyperparameters import Place, alike, chosen, place_of, read_tuned, searched, searched_as, tuned
from benchmarks.registry.methods import METHODS, rows_of
from benchmarks.task import Task

if TYPE_CHECKING:
    from benchmarks.analysis.sequential import Watch
    from benchmarks.records.groups import Groups
    from benchmarks.runs.fill import Execution
    from benchmarks.runs.run import Run
    from benchmarks.runs.scheduler import Plan

SEEDS = 5
PATIENCE = 600  # seconds that a method from outside may take without a step
DEFAULT_TASK = {"image": "fashion-lt", "text": "movie-5", "retrieval": "wiki-titles", "": "fashion-lt"}


@dataclass
class Options(Contract, Cells, Runs):
    seeds: int | Literal["auto"] | None = None  # type: ignore[assignment]
    """Replications, seeds 0 to N - 1. auto: more of them until all is decided or hopeless, 20 at most."""
    against: str = ""
    """The rows to set it against; by default distillation, decoded noise and TGT."""
    search: bool = True
    """First choose hyper-parameters on validation samples, by as many trials as its rivals had."""


def rivals(task: Task, ours: str) -> tuple[str, ...]:
    """What a method is compared with unless a person says: distillation, decoded noise, and the rows of TGT."""
    from benchmarks.runs import prior

    wanted = {"distillation", "prior-sampling", "prior-sampling-pool"}
    rows = (row for row in rows_of(task) if (row in wanted or METHODS[row].is_tgt) and row != ours)
    return prior.fitting(rows, task)


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    """Everything from a method's name or file to the verdict; the exit status."""
    choice, folder = choice_of(options), folder_of(options)
    ours = one_of(words[0], target, "; its rivals are named by --against")
    against = named(options.against)
    for name in (ours, *against):
        known(name)
    if ours in against:
        raise BadInput(f"--against: {ours} cannot be its own rival")
    chosen_tasks = choice.tasks or (DEFAULT_TASK.get(METHODS[ours].domain, "fashion-lt"),)
    for name in (ours, *against):
        fits_all(name, chosen_tasks, options.size)
    breaches = contract.breaches((ours, *against), chosen_tasks, options.unchecked, options.jobs)
    cells = []
    for task_name in chosen_tasks:
        one = replace(choice, tasks=(task_name,))
        task = tasks.get(task_name)
        usual = alike(rivals(task.at(choice.size), ours), _places(one), choice.size, choice.tuned)
        wanted = (ours, *(against or usual))
        if options.search:
            one = search(wanted, one, folder, options, console)
        cells.append(Asked(task, wanted, one))
    return _together(cells, breaches, folder, options, console)


def patient(options: Options, wanted: tuple[str, ...]) -> Execution:
    """How a comparison is run: a method from outside may hang, and must not keep its rivals from being run."""
    asked, outside = execution(options), any(METHODS[name].packages for name in wanted)
    if options.patience is None and outside and options.jobs > 1:
        return replace(asked, patience=PATIENCE)
    return asked


@dataclass(frozen=True)
class Asked:
    """What is run on one task: the rows, ours the first of them, with what was chosen for them."""

    task: Task
    wanted: tuple[str, ...]
    choice: Choice


def search(wanted: tuple[str, ...], choice: Choice, folder: Path, options: Options, console: Console) -> Choice:
    """Choose hyper-parameters on validation samples for the rows that no search of this version has chosen for.

    Those are custom methods, and on a custom task their rivals as well: all by the same search.

    Raises:
        ValueError: no setting of a row could be trained.
    """
    from benchmarks.report import artefacts
    from benchmarks.runs import search as searching
    from benchmarks.runs.device import Device
    from benchmarks.runs.fill import fill

    rows = [
        searching.Row(place, row, Device(choice.device, choice.precision))
        for place in _places(choice)
        for row in dict.fromkeys(map(searched_as, wanted))
        if not searched(row, place, choice.tuned, tuned(choice.size))
    ]
    if not rows:
        return choice
    first, plans = searching.first(rows, choice.size), []
    told = f"choosing hyper-parameters of {', '.join(dict.fromkeys(row.method for row in rows))} on validation samples"
    console.print(f"{told}: {len(first)} settings", markup=False)
    console.print("--no-search leaves all at their defaults, --against names fewer rivals", markup=False)

    def run_all(runs: list[Run]) -> Plan:
        plans.append(fill(runs, folder / "tuning", patient(options, wanted), console)[0])
        return plans[-1]

    if options.plan:
        run_all(first)
        console.print(f"{searching.MORE}; then, with what was chosen:", markup=False)
        return choice
    found = searching.search(rows, choice.size, run_all)
    for place, method, _ in rows:
        if method not in found.get(str(place), {}):
            tried = (plans[0].record(run) for run in plans[0].runs if run.spec.method == method)
            reason = next(record.reason for record in tried if record)
            raise ValueError(f"no setting of {method} could be trained: {reason}")
    for line in searching.lines(found):
        console.print(line, markup=False)
    searching.write(found, folder)
    artefacts.of_search(folder, REFERENCE / choice.size).write(folder)
    return replace(choice, tuned=read_tuned(folder / "tuned.json"))


def _places(choice: Choice) -> list[Place]:
    task = tasks.get(choice.tasks[0])
    cells = ((teacher, budget) for teacher in choice.teachers for budget in _budgets(task, choice))
    return list(dict.fromkeys(place_of(task, choice.size, *cell) for cell in cells))


def _budgets(task: Task, choice: Choice) -> tuple[int, ...]:
    size = task.sizes[choice.size]
    return choice.budgets or size.table or (size.budget,)


def _together(asked: list[Asked], breaches: list[str], folder: Path, options: Options, console: Console) -> int:
    """Run what is asked, look by look, and write what came of it; the exit status."""
    from benchmarks.analysis import pairwise, sequential, strata
    from benchmarks.runs.fill import fill
    from benchmarks.runs.grid import grid

    looks = sequential.LOOKS if options.seeds == "auto" else (asked[0].choice.seeds or SEEDS,)
    watch = sequential.Watch[tuple[Group, str]](looks, pairwise.ALPHA)
    plans: dict[str, Plan] = {}
    running, status = asked, 0
    for look, seeds in enumerate(looks):
        if options.plan and seeds < looks[-1]:  # a plan is of the most that may run
            continue
        for one in running:
            choice = replace(one.choice, methods=one.wanted, budgets=_budgets(one.task, one.choice), seeds=seeds)
            runs = grid("table1", choice)  # any table will do: tasks, methods and budgets are all given
            plans[one.task.name], found = fill(runs, folder, replace(patient(options, one.wanted), reuse=True), console)
            status = max(status, found)
            if not options.plan:
                strata.tell(one.task.name, one.choice.size, runs[0].task.examples().test_labels)
        if options.plan:
            continue
        p: dict[tuple[Group, str], float] = {}
        for one in running:
            found_here = pairwise.differences(one.wanted[0], _groups(plans[one.task.name]))
            p |= {place: difference.p for place, difference in found_here.items()}
        going = {group.task for group, _ in watch.see(look, p)}
        running = [one for one in running if one.task.name in going]
        if not running:
            break
    if options.plan:
        return status
    _write(asked, plans, watch, breaches, folder, console)
    return status


def _write(
    asked: list[Asked],
    plans: dict[str, Plan],
    watch: Watch[tuple[Group, str]],
    breaches: list[str],
    folder: Path,
    console: Console,
) -> None:
    """Say and write each task's part of the comparison, corrected over all of it."""
    from benchmarks.analysis import pairwise
    from benchmarks.report import comparison

    groups = {name: _groups(plan) for name, plan in plans.items()}
    everything = {group: cells for found in groups.values() for group, cells in found.items()}
    found = pairwise.family(asked[0].wanted[0], everything, overall=watch.overall)
    for one in asked:
        own = groups[one.task.name]
        how = _how(one, watch, plans[one.task.name], len(everything))
        pairs = {group: found[group] for group in own}
        comparison.write(one.wanted[0], own, pairs, one.task, how, folder, console, breaches)


def _groups(plan: Plan) -> Groups:
    from benchmarks.records.groups import grouped

    return grouped((run.spec, plan.record(run)) for run in plan.runs)


def _how(one: Asked, watch: Watch[tuple[Group, str]], plan: Plan, groups: int) -> list[str]:
    """How the comparison was made, for whoever doubts it."""
    task, choice, wanted, ours, looks = one.task, one.choice, one.wanted, one.wanted[0], watch.looks
    tested = choice.size not in TRIAL_SIZES
    out = []
    if tested:
        out.append(
            f"Holm's correction is over all {len(watch.overall)} differences of this comparison, in {groups} "
            f"group{'s' * (groups > 1)} of records."
        )
    if tested and len(looks) > 1:
        most = max(run.spec.seed for run in plan.runs) + 1
        out.append(
            f"Seeds were added until each difference was significant or hopeless, or there were {looks[-1]}: looked at "
            f"{', '.join(str(n) for n in looks if n <= most)} seeds. The level of {watch.alpha:.2f} is spent over the "
            "looks as O'Brien and Fleming's bounds would (Lan and DeMets 1983); intervals are not corrected for looks."
        )
    borrowed = (run for run in plan.runs if plan.lent and run.key in plan.lent)  # a key needs the teachers
    if lent := [record for run in borrowed if (record := plan.record(run))]:
        rows = sorted({record.spec.method for record in lent})
        machines = sorted({str(record.environment.get("cpu")) for record in lent})
        out.append(
            f"{len(lent)} of {len(plan.runs)} runs, of {', '.join(rows)}, are the committed reference's "
            f"(results/reference/{choice.size}): their keys, of versions, data, teachers and settings, are equal. "
            f"Their seconds are of its machine ({', '.join(machines)})."
        )
    places = _places(choice)
    found = {(row, place): chosen(row, place, choice.size, choice.tuned) for row in wanted for place in places}
    files = choice.tuned, tuned(choice.size)
    without = [row for row in wanted if not all(searched(row, place, *files) for place in places)]
    if not without:
        out.append(
            f"Hyper-parameters of all rows were chosen alike, on validation samples of {task.tuned_on}, from up to "
            f"{task.sizes[choice.size].trials} settings: all with one seed, the best sixth with three."
        )
        for place in places:
            told = ", ".join(f"{name} {value}" for name, value in (found[ours, place] or {}).items()) or "its defaults"
            out.append(f"Of {ours} with teacher {place.teacher} and {place.budget:,} samples: {told}.")
    elif not any(params is not None for params in found.values()):
        out.append("Hyper-parameters of all rows are their defaults: no search was made.")
    else:
        out.append(
            f"Not tuned alike: {', '.join(without)} had no such search; what they have is their defaults, or what an "
            "earlier search chose."
        )
    return out
