"""Filling a grid: what is recorded stays, what is missing is run, with the person watching."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from benchmarks.core import paths
from benchmarks.core.paths import REFERENCE
from benchmarks.data.reading import readers
from benchmarks.records.record import Record, Store
from benchmarks.runs import resume, scheduler, tracking
from benchmarks.runs.progress import Progress
from benchmarks.runs.run import Run
from benchmarks.teachers.training import at_chance


@dataclass(frozen=True)
class Execution:
    """How a grid is filled, whatever it is of.

    Attributes:
        size: whose committed records tell how long runs take. jobs: processes, one thread each.
        plan: tell what is missing and run nothing. retry: run failed cells again. track: a tracker, "" for none.
        reuse: take runs from the committed reference where their keys are equal.
        patience: seconds without a step after which a run is ended; 0 for never.
        engine: what makes the cells. address: of a Ray cluster's head, "" for one that starts here. gpus_per_run:
            see `cluster.Ray`.
        save_every: seconds between two saves of a run's state.
    """

    size: str
    jobs: int = 2
    plan: bool = False
    retry: bool = False
    track: str = ""
    reuse: bool = False
    patience: float = 0
    engine: Literal["local", "ray"] = "local"
    address: str = ""
    gpus_per_run: float | None = None
    save_every: float = resume.EVERY


def fill(
    runs: list[Run],
    folder: Path,
    options: Execution,
    console: Console,
    *,
    teachers_only: bool = False,
    table: Callable[[dict[str, Record]], Any] | None = None,
) -> tuple[scheduler.Plan, int]:
    """Run what is missing of `runs`; the plan as it stands afterwards, and the exit status."""
    readers()  # a slip in it is told before anything runs
    store = Store(folder)
    history = Store(REFERENCE / options.size).read().values()
    lent = [record for record in history if record.status == "ok"] if options.reuse else []
    plan = scheduler.plan(runs, store, options.jobs, history, options.retry, lent)
    if options.plan:
        (_print_teachers if teachers_only else _print_plan)(plan, options, console)
        return plan, 0
    if not plan.missing:
        return plan, _status(plan, folder, console)
    paths.check_writable(folder)
    paths.check_locks(folder)
    if plan.teachers:
        paths.check_writable(paths.cache())  # a complete cache may be read-only
        console.print(f"training {len(plan.teachers)} teacher networks, once")
        scheduler.train_teachers(plan.teachers, options.jobs, lambda line: console.print(f"  {line}", markup=False))
        plan = scheduler.plan(runs, store, options.jobs, history, options.retry, lent)
    for told in _doubtful(plan):
        console.print(told, markup=False, style="bold")
    if teachers_only:
        return plan, 0
    if not plan.missing:
        return plan, _status(plan, folder, console)
    ray, at_work = None, lambda: scheduler.at_work(folder)
    if options.engine == "ray":
        from benchmarks.runs.cluster import Ray  # only now: it takes a second to import

        ray = Ray(options.jobs, options.address, options.gpus_per_run, options.patience)
        at_work = ray.at_work
    elif place := plan.missing[0].spec.place:
        console.print(f"on {place}: {', '.join(map(str, plan.missing[0].device.environment().values()))}", markup=False)
    arrived: dict[str, Record] = dict(plan.records)
    show = None if table is None else lambda: table(dict(arrived))
    with Progress(console, len(plan.missing), plan.seconds, at_work, show) as progress:

        def done(record: Record) -> None:
            arrived[record.key] = record
            progress.add(record)
            if options.track:
                try:
                    tracking.send(record, options.track)
                except Exception as error:  # a server that is away must not end the grid: the record itself is kept
                    console.print(f"not sent to {options.track}: {record.spec.label}: {error}", markup=False)

        if ray:
            ray.run(plan, store, done)
        else:
            scheduler.run_missing(plan, store, options.jobs, done, options.patience, options.save_every)
    plan = scheduler.plan(runs, store, options.jobs, history, lent=lent)
    return plan, _status(plan, folder, console)


def _status(plan: scheduler.Plan, folder: Path, console: Console) -> int:
    """0 only if every cell that was asked for is recorded and fine; what is not is told."""
    found = [plan.record(run) for run in plan.runs]
    failed = [record for record in found if record and record.status == "failed"]
    for record in failed:
        console.print(f"FAILED {record.spec.label}: {record.reason}", markup=False)
    if lost := found.count(None):
        console.print(f"LOST {lost} of {len(found)} cells: they were run, and are not in {folder} now", markup=False)
    return 1 if failed or lost else 0


def _doubtful(plan: scheduler.Plan) -> dict[str, None]:
    """What to tell of labelers of users' own before students learn from them."""
    own = {run.recipes["labeler"].path: run for run in plan.missing if run.task.own}
    told = {at_chance(run.task, run.teachers["labeler"]["metrics"]["test"]): run.spec.task for run in own.values()}
    return {f"{task}: {line}": None for line, task in told.items() if line}


def _print_plan(plan: scheduler.Plan, options: Execution, console: Console) -> None:
    groups: dict[tuple, list[int]] = {}
    missing = {id(run) for run in plan.missing}
    for run in plan.runs:
        cell = run.spec.task, run.spec.teacher, run.spec.budget, run.spec.method
        counts = groups.setdefault(cell, [0, 0])
        counts[id(run) in missing] += 1
    for (task, teacher, budget, method), (there, not_there) in groups.items():
        line = f"{task:12} {teacher:10} n={budget:<6} {method:24} recorded {there}  missing {not_there}"
        console.print(line, markup=False)
    console.print(
        f"{len(plan.runs)} cells: {len(plan.runs) - len(plan.missing)} recorded, {len(plan.missing)} missing; "
        f"{len(plan.teachers)} teacher networks to train; about {plan.seconds / 60:.0f} min with {options.jobs} jobs"
    )


def _print_teachers(plan: scheduler.Plan, options: Execution, console: Console) -> None:
    for run, part in plan.teachers:
        console.print(f"{run.spec.task:12} {run.spec.teacher:10} n={run.spec.budget:<6} {part}", markup=False)
    console.print(
        f"{len(plan.teachers)} teacher networks to train; "
        f"about {plan.teacher_seconds / 60:.0f} min with {options.jobs} jobs"
    )
