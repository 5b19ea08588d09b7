"""What each table and figure asks for, as plain data: tasks x methods x budgets x seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from benchmarks.core.errors import BadInput
from benchmarks.registry.methods import METHODS, rows_of
from benchmarks.task import Size, Task

#: The method that others are compared with.
BASELINE = "distillation"


@dataclass(frozen=True)
class Experiment:
    """Tasks x methods x budgets x seeds.

    Attributes:
        paper: its tasks at the paper's size, in place of `tasks`. paper_hours: GPU hours of all their cells, estimated.
        without: rows of the domain that it leaves out. long_tail: whether rows that differ only on a long tail stay.
        curve: over all budgets of a task, not only its usual ones.
        also: tasks that it is reported on too where they are recorded, each in files of its own.
        figure: what is drawn of it: "curve" (accuracy against budget, multipliers), "slopes" (`analysis.slopes`).
    """

    title: str
    tasks: tuple[str, ...]
    paper: tuple[str, ...] = ()
    paper_hours: float = 0.0
    without: tuple[str, ...] = ()
    long_tail: bool = True
    curve: bool = False
    seeds: int = 3
    also: tuple[str, ...] = ()
    figure: str = ""

    def methods(self, task: Task, extra: bool = False) -> tuple[str, ...]:
        """Its rows for a task unless a person names others. extra: with those that take long."""
        return tuple(
            name
            for name in rows_of(task)
            if name not in self.without
            and (self.long_tail or not METHODS[name].long_tail)
            and (extra or not METHODS[name].extra)
        )

    def at(self, size: str) -> tuple[str, ...]:
        """Its tasks unless a person names others. Raises BadInput where it has none of that size."""
        found = self.paper if size == "paper" else self.tasks
        if not found:
            raise BadInput(f"{self.title!r} is not of the paper's size; there are table1, table2, table3 and fig2")
        return found

    def budgets(self, size: Size) -> tuple[int, ...]:
        return size.budgets if self.curve else (size.table or (size.budget,))


EXPERIMENTS = {
    "table1": Experiment(
        "Long-tailed image classification", ("fashion-lt", "glyph-lt"), ("imagenet-lt", "places-lt", "sun-lt"), 680
    ),
    "table2": Experiment(
        "Text classification",
        ("movie-5", "wiki-topic", "trec-50"),
        ("amazon-5", "yelp-5", "imdb", "mnli"),
        300,
        also=("amazon-food",),
    ),
    "table3": Experiment("Dense retrieval", ("wiki-titles", "nq-wiki"), ("nq",), 110),
    "fig2": Experiment(
        "Accuracy against labelled samples",
        ("fashion",),
        ("imagenet",),
        965,
        without=("pretrained-one-hot", "pretrained-distillation"),
        long_tail=False,
        curve=True,
        also=("movie-5", "wiki-titles"),
        figure="curve",
    ),
    "theory": Experiment(
        "Error against samples on known manifolds",
        tuple(f"manifold-{latent}-in-{dimension}" for latent in (2, 4, 8) for dimension in (32, 128, 512)),
        without=("one-hot",),
        curve=True,
        seeds=5,
        figure="slopes",
    ),
}


@dataclass(frozen=True)
class Choice:
    """What a person narrowed or widened on the command line; empty means the experiment's own."""

    size: str = "small"
    tasks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    extra: bool = False  # rows that take long too
    budgets: tuple[int, ...] = ()
    seeds: int | None = None
    draws: int = 1
    teachers: tuple[str, ...] = ("full",)
    match: str = "samples"
    ratio: int | None = None
    settings: str = ""  # NAME=VALUE,...: hyper-parameters in place of the chosen ones
    device: str = "cpu"
    precision: str = "float32"
    #: What a search in the results' own folder chose (`hyperparameters.Tuned`); it goes before the committed ones.
    tuned: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
