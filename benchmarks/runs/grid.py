"""From what a person asked for to lists of runs."""

from __future__ import annotations

from dataclasses import fields
from itertools import product

from benchmarks.core import settings as settings_of
from benchmarks.core.environment import processes
from benchmarks.records.record import Spec
from benchmarks.registry import tasks
from benchmarks.registry.experiments import EXPERIMENTS, Choice, Experiment
from benchmarks.registry.hyperparameters import Tuned, alike, chosen, place_of
from benchmarks.registry.methods import METHODS
from benchmarks.runs import prior
from benchmarks.runs.run import Run
from benchmarks.task import Task


def grid(name: str, choice: Choice) -> list[Run]:
    """The runs of an experiment. Raises ValueError for a budget that a task cannot give."""
    experiment = EXPERIMENTS[name]
    runs = [run for task in choice.tasks or experiment.at(choice.size) for run in _of_task(experiment, task, choice)]
    for run in {(run.spec.task, run.spec.budget): run for run in runs}.values():
        _ = run.split  # a budget that the pool cannot give is refused here, before anything runs
    return runs


def _of_task(experiment: Experiment, task_name: str, choice: Choice) -> list[Run]:
    task = tasks.get(task_name)
    if choice.ratio:
        task = tasks.get(task.with_ratio(choice.ratio).name)
    size = task.at(choice.size).size
    draws, seeds = range(choice.draws), range(choice.seeds or size.seeds or experiment.seeds)
    cells = [
        cell
        for teacher, budget in product(choice.teachers, choice.budgets or experiment.budgets(size))
        for cell in product([teacher], [budget], draws, seeds, rows_at(experiment, task, teacher, budget, choice))
    ]
    axes = "teacher", "budget", "draw", "seed", "method"
    same = {name: getattr(choice, name) for name in ("size", "match", "settings", "device", "precision")}
    same |= {"task": task.name, "processes": processes()}
    specs = [Spec.model_validate({**same, **dict(zip(axes, cell, strict=True))}) for cell in cells]
    return [rerun_of(spec, choice.tuned) for spec in specs]


def rows_at(experiment: Experiment, task: Task, teacher: str, budget: int, choice: Choice) -> tuple[str, ...]:
    """The rows that a person named; else the experiment's, without those that were tuned less than its others there."""
    if choice.methods:
        return choice.methods
    rows = prior.fitting(experiment.methods(task, choice.extra), task.at(choice.size))
    place = place_of(task, choice.size, teacher, budget)
    return rows if choice.extra else alike(rows, [place], choice.size, choice.tuned)


def rerun_of(spec: Spec, tuned: Tuned) -> Run:
    """The run of a cell today: with the hyper-parameters that a search chose, and over them its own settings.

    Args:
        tuned: what a search in the records' own folder chose; it goes before the committed one.
    """
    place = place_of(tasks.get(spec.task), spec.size, spec.teacher, spec.budget)
    params = chosen(spec.method, place, spec.size, tuned) or {}
    if spec.settings:
        known = {found.name for found in fields(METHODS[spec.method].load().Config)}
        params = params | {name: value for name, value in settings_of.parse(spec.settings).items() if name in known}
    return Run(spec, tuple(sorted(params.items())))
