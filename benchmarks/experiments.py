"""What each target asks for: lists of runs, plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.hashing import seed_of
from benchmarks.methods import METHODS
from benchmarks.records import Spec

if TYPE_CHECKING:
    from benchmarks.runs import Run

#: Rows that differ from others only where classes are not equally frequent.
LONG_TAIL_ONLY = ("logit-adjusted", "distillation-balanced", "tgt-random-balanced", "tgt-gradient-balanced")
TUNE_SEED = 1000  # of the split and the start that hyper-parameters are chosen on; no table uses it
TRIALS = 8  # settings tried for every method alike, its defaults the first


@dataclass(frozen=True)
class Experiment:
    """Tasks x methods x budgets x seeds. `curve`: over all budgets of a task, not only its usual one."""

    title: str
    tasks: tuple[str, ...]
    methods: tuple[str, ...] = tuple(METHODS)
    curve: bool = False
    seeds: int = 3


EXPERIMENTS = {
    "table1": Experiment("Long-tailed image classification", ("fashion-lt", "emoji-lt")),
    "fig2": Experiment(
        "Accuracy against labelled images",
        ("fashion",),
        tuple(name for name in METHODS if name not in LONG_TAIL_ONLY),
        curve=True,
    ),
}


@dataclass(frozen=True)
class Choice:
    """What a person narrowed or widened on the command line; empty means the experiment's own."""

    size: str = "small"
    tasks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    budgets: tuple[int, ...] = ()
    seeds: int | None = None
    teachers: tuple[str, ...] = ("full",)
    match: str = "samples"
    ratio: int | None = field(default=None)


def grid(name: str, choice: Choice) -> list[Run]:
    """The runs of an experiment. Raises ValueError for a budget that a task cannot give."""
    from benchmarks import tasks
    from benchmarks.runs import Run

    experiment = EXPERIMENTS[name]
    runs = []
    for task_name in choice.tasks or experiment.tasks:
        task_name = tasks.with_ratio(task_name, choice.ratio) if choice.ratio else task_name
        size = tasks.get(task_name).sizes[choice.size]
        for teacher in choice.teachers:
            for budget in choice.budgets or (size.budgets if experiment.curve else (size.budget,)):
                for seed in range(choice.seeds or size.seeds or experiment.seeds):
                    for method in choice.methods or experiment.methods:
                        spec = Spec(
                            task=task_name,
                            size=choice.size,
                            teacher=teacher,  # type: ignore[arg-type]
                            budget=budget,
                            seed=seed,
                            method=method,
                            match=choice.match,  # type: ignore[arg-type]
                        )
                        runs.append(Run(spec))
    for run in {(run.spec.task, run.spec.budget): run for run in runs}.values():
        _ = run.split  # a budget that the pool cannot give is refused here, before anything runs
    return runs


def search(choice: Choice) -> list[Run]:
    """Settings to choose hyper-parameters from: as many for every method, judged by the validation samples."""
    from benchmarks import tasks
    from benchmarks.runs import Run

    runs = []
    for task_name in choice.tasks or tuple(dict.fromkeys(task.tuned_on for task in tasks.TASKS.values())):
        size = tasks.get(task_name).sizes[choice.size]
        for method in choice.methods or tuple(METHODS):
            for trial, setting in enumerate(settings(method, task_name)):
                spec = Spec(
                    task=task_name,
                    size=choice.size,
                    teacher="full",
                    budget=size.budget,
                    seed=TUNE_SEED,
                    method=method,
                    trial=trial,
                )
                runs.append(Run(spec, tuple(sorted(setting.items()))))
    return runs


def settings(method: str, task: str, trials: int = TRIALS) -> list[dict]:
    """Distinct settings of a method: its defaults, then a Latin hypercube, which tries each axis's values evenly."""
    from scipy.stats import qmc  # only here: it takes half a second to import

    row = METHODS[method]
    space = sorted({**row.load().search, **row.search}.items())
    rng = np.random.default_rng(seed_of("search", task))
    while True:
        points = qmc.LatinHypercube(len(space), rng=rng).random(trials - 1)
        drawn = [
            {name: values[int(u * len(values))] for (name, values), u in zip(space, point, strict=True)}
            for point in points
        ]
        found = [{}, *drawn]
        if len({row.load().Config(**{**setting, **row.fixed}) for setting in found}) == trials:
            return found
