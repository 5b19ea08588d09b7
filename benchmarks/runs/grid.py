"""From what a person asked for to lists of runs: grids of experiments, and settings of a search."""

from __future__ import annotations

import math
from dataclasses import fields
from itertools import product
from typing import Any

import numpy as np

from benchmarks.core import settings as settings_of
from benchmarks.core.fingerprint import seed_of
from benchmarks.records.record import Spec
from benchmarks.registry import tasks
from benchmarks.registry.experiments import EXPERIMENTS, Choice, Experiment
from benchmarks.registry.hyperparameters import chosen, config, searched
from benchmarks.registry.methods import METHODS, rows_of
from benchmarks.runs.run import Run
from benchmarks.task import Task

TUNE_SEED = 1000  # of the split and the start that hyper-parameters are chosen on; no table uses it


def grid(name: str, choice: Choice) -> list[Run]:
    """The runs of an experiment. Raises ValueError for a budget that a task cannot give."""
    experiment = EXPERIMENTS[name]
    runs = [run for task in choice.tasks or experiment.tasks for run in _of_task(experiment, task, choice)]
    for run in {(run.spec.task, run.spec.budget): run for run in runs}.values():
        _ = run.split  # a budget that the pool cannot give is refused here, before anything runs
    return runs


def _of_task(experiment: Experiment, task_name: str, choice: Choice) -> list[Run]:
    task = tasks.get(tasks.with_ratio(task_name, choice.ratio) if choice.ratio else task_name)
    size = task.sizes[choice.size]
    cells = product(
        choice.teachers,
        choice.budgets or experiment.budgets(size),
        range(choice.draws),
        range(choice.seeds or size.seeds or experiment.seeds),
        choice.methods or experiment.methods(task),
    )
    return [
        Run(
            Spec(
                task=task.name,
                size=choice.size,
                teacher=teacher,  # type: ignore[arg-type]
                budget=budget,
                seed=seed,
                draw=draw,
                method=method,
                match=choice.match,  # type: ignore[arg-type]
                settings=choice.settings,
            ),
            overrides(method, task, choice),
        )
        for teacher, budget, draw, seed, method in cells
    ]


def rerun_of(spec: Spec, tuned: dict[str, Any]) -> Run:
    """The run that makes a recorded cell today. tuned: what a search of the records' own folder chose."""
    choice = Choice(size=spec.size, tuned=tuned, settings=spec.settings)
    return Run(spec, overrides(spec.method, tasks.get(spec.task), choice))


def overrides(method: str, task: Task, choice: Choice) -> tuple[tuple[str, Any], ...] | None:
    """The chosen hyper-parameters of a method with settings over those it has; None: as chosen."""
    known = {found.name for found in fields(METHODS[method].load().Config)}
    outside = choice.tuned.get(task.tuned_on, {}).get(method, {}).get("params", {})
    if searched(method, task, choice.size):
        outside = {}
    own = {name: value for name, value in settings_of.parse(choice.settings).items() if name in known}
    return tuple(sorted({**chosen(method, task, choice.size), **outside, **own}.items())) if own or outside else None


def search(choice: Choice) -> list[Run]:
    """Settings to choose hyper-parameters from: as many for every method, judged by the validation samples.

    Raises ValueError where the budget leaves no validation samples.
    """
    runs = []
    for task_name in choice.tasks or tuple(dict.fromkeys(task.tuned_on for task in tasks.TASKS.values())):
        task = tasks.get(task_name)
        size = task.sizes[choice.size]
        for method in choice.methods or rows_of(task):
            for trial, setting in enumerate(trials(method, task, size.trials)):
                spec = Spec(
                    task=task_name,
                    size=choice.size,
                    teacher="full",
                    budget=size.search_budget or size.budget,
                    seed=TUNE_SEED,
                    method=method,
                    trial=trial,
                )
                runs.append(Run(spec, tuple(sorted(setting.items()))))
        if np.isin(runs[-1].task.examples().validation, runs[-1].split.indices).any():
            raise ValueError(f"{task_name}: a search on {runs[-1].spec.budget} samples leaves none to judge by")
    return runs


def trials(method: str, task: Task, count: int) -> list[dict]:
    """Distinct settings of a method: its defaults, then a Latin hypercube, which tries each axis's values evenly."""
    from scipy.stats import qmc  # only here: it takes half a second to import

    row = METHODS[method]
    space = sorted(row.space(task).items())
    if math.prod(len(values) for _, values in space) <= count:  # all there are
        everything = [dict(zip(row.space(task), point, strict=True)) for point in product(*row.space(task).values())]
        distinct = {config(method, task, "", setting): setting for setting in [*everything, {}]}
        return sorted(distinct.values(), key=len)
    rng = np.random.default_rng(seed_of("search", task.name))
    while True:
        points = qmc.LatinHypercube(len(space), rng=rng).random(count - 1)
        drawn = [
            {name: values[int(u * len(values))] for (name, values), u in zip(space, point, strict=True)}
            for point in points
        ]
        found = [{}, *drawn]
        if len({config(method, task, "", setting) for setting in found}) == count:
            return found
