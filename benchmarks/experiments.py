"""What each target asks for: lists of runs, plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.hashing import seed_of
from benchmarks.methods import chosen, config, searched
from benchmarks.records import Spec
from benchmarks.registry.methods import METHODS, rows_of

if TYPE_CHECKING:
    from benchmarks.runs import Run
    from benchmarks.tasks import Size, Task

TUNE_SEED = 1000  # of the split and the start that hyper-parameters are chosen on; no table uses it


@dataclass(frozen=True)
class Experiment:
    """Tasks x methods x budgets x seeds.

    Attributes:
        without: rows of the domain that it leaves out. curve: over all budgets of a task, not only its usual ones.
        also: tasks that it is reported on too where they are recorded, each in files of its own.
        figure: what is drawn of it: "curve" (accuracy against budget, multipliers), "slopes" (`benchmarks.theory`).
    """

    title: str
    tasks: tuple[str, ...]
    without: tuple[str, ...] = ()
    curve: bool = False
    seeds: int = 3
    also: tuple[str, ...] = ()
    figure: str = ""

    def methods(self, task: Task) -> tuple[str, ...]:
        """Its rows for a task unless a person names others."""
        return tuple(name for name in rows_of(task) if name not in self.without)

    def budgets(self, size: Size) -> tuple[int, ...]:
        return size.budgets if self.curve else (size.table or (size.budget,))


EXPERIMENTS = {
    "table1": Experiment("Long-tailed image classification", ("fashion-lt", "emoji-lt")),
    "table2": Experiment("Text classification", ("movie-5", "wiki-topic", "trec-50"), also=("amazon-food",)),
    "table3": Experiment("Dense retrieval", ("wiki-titles", "nq-wiki")),
    "fig2": Experiment(
        "Accuracy against labelled samples",
        ("fashion",),
        without=tuple(name for name, row in METHODS.items() if row.long_tail or row.other_student),
        curve=True,
        also=("movie-5", "wiki-titles"),
        figure="curve",
    ),
    "theory": Experiment(
        "Error against samples on known manifolds",
        ("manifold-2-in-32", "manifold-2-in-128", "manifold-2-in-512",
         "manifold-4-in-32", "manifold-4-in-128", "manifold-4-in-512",
         "manifold-8-in-32", "manifold-8-in-128", "manifold-8-in-512"),
        without=("one-hot",),
        curve=True,
        seeds=5,
        figure="slopes",
    ),
}  # fmt: skip


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
    ratio: int | None = None
    settings: tuple[tuple[str, Any], ...] = ()  # hyper-parameters in place of the chosen ones
    #: What a search chose for methods from outside, and for any method on a task that the committed search left out.
    tuned: dict[str, Any] = field(default_factory=dict)


def grid(name: str, choice: Choice) -> list[Run]:
    """The runs of an experiment. Raises ValueError for a budget that a task cannot give."""
    from benchmarks import tasks
    from benchmarks.runs import Run

    experiment = EXPERIMENTS[name]
    runs = []
    for task_name in choice.tasks or experiment.tasks:
        task_name = tasks.with_ratio(task_name, choice.ratio) if choice.ratio else task_name
        task = tasks.get(task_name)
        size = task.sizes[choice.size]
        for teacher in choice.teachers:
            for budget in choice.budgets or experiment.budgets(size):
                for seed in range(choice.seeds or size.seeds or experiment.seeds):
                    for method in choice.methods or experiment.methods(task):
                        spec = Spec(
                            task=task_name,
                            size=choice.size,
                            teacher=teacher,  # type: ignore[arg-type]
                            budget=budget,
                            seed=seed,
                            method=method,
                            match=choice.match,  # type: ignore[arg-type]
                        )
                        runs.append(Run(spec, overrides(method, task, choice)))
    for run in {(run.spec.task, run.spec.budget): run for run in runs}.values():
        _ = run.split  # a budget that the pool cannot give is refused here, before anything runs
    return runs


def overrides(method: str, task: Task, choice: Choice) -> tuple[tuple[str, Any], ...] | None:
    """The chosen hyper-parameters of a method with a person's own settings over those it has; None: as chosen."""
    known = {found.name for found in fields(METHODS[method].load().Config)}
    outside = choice.tuned.get(task.tuned_on, {}).get(method, {}).get("params", {})
    if searched(method, task, choice.size):
        outside = {}
    own = {name: value for name, value in choice.settings if name in known}
    return tuple(sorted({**chosen(method, task, choice.size), **outside, **own}.items())) if own or outside else None


def search(choice: Choice) -> list[Run]:
    """Settings to choose hyper-parameters from: as many for every method, judged by the validation samples.

    Raises ValueError where the budget leaves no validation samples.
    """
    from benchmarks import tasks
    from benchmarks.runs import Run

    runs = []
    for task_name in choice.tasks or tuple(dict.fromkeys(task.tuned_on for task in tasks.TASKS.values())):
        task = tasks.get(task_name)
        size = task.sizes[choice.size]
        for method in choice.methods or rows_of(task):
            for trial, setting in enumerate(settings(method, task, size.trials)):
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


def settings(method: str, task: Task, trials: int) -> list[dict]:
    """Distinct settings of a method: its defaults, then a Latin hypercube, which tries each axis's values evenly."""
    from scipy.stats import qmc  # only here: it takes half a second to import

    row = METHODS[method]
    space = sorted(row.space(task).items())
    if math.prod(len(values) for _, values in space) <= trials:  # all there are
        everything = [dict(zip(row.space(task), point, strict=True)) for point in product(*row.space(task).values())]
        distinct = {config(method, task, "", setting): setting for setting in [*everything, {}]}
        return sorted(distinct.values(), key=len)
    rng = np.random.default_rng(seed_of("search", task.name))
    while True:
        points = qmc.LatinHypercube(len(space), rng=rng).random(trials - 1)
        drawn = [
            {name: values[int(u * len(values))] for (name, values), u in zip(space, point, strict=True)}
            for point in points
        ]
        found = [{}, *drawn]
        if len({config(method, task, "", setting) for setting in found}) == trials:
            return found
