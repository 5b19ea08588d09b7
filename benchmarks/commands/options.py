"""Options that commands share, as parts that each command puts together, and what is meant by them.

What an option says is looked at before anything runs; a wrong word is `BadInput`, one line.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from benchmarks.commands import bounds, settings
from benchmarks.core import paths
from benchmarks.core.environment import processes
from benchmarks.core.errors import BadInput, unknown
from benchmarks.data.splits import exponential
from benchmarks.records.record import place_of
from benchmarks.registry import tasks
from benchmarks.registry.experiments import Choice
from benchmarks.registry.hyperparameters import read_tuned
from benchmarks.registry.methods import METHODS

if TYPE_CHECKING:
    from benchmarks.records.submission import Submission
    from benchmarks.runs.fill import Execution

#: What --methods says for every row that there is.
ALL = "all"


@dataclass
class Where:
    size: Literal["smoke", "small", "paper"] = "small"
    """smoke: seconds, to see that it works. small: minutes on two cores. paper: the paper's own data and networks of
    its kind, on GPUs (docs/paper.md)."""
    results: Path = paths.LOCAL
    """Folder for records, tables and figures; a folder SIZE is made in it."""


@dataclass
class Computing:
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where teachers and students compute. auto: a GPU where torch finds one. Runs of other devices than the CPU, or in
    other precisions than float32, have a results folder of their own, such as SIZE-cuda-bf16."""
    precision: Literal["float32", "bf16"] = "float32"
    """Of the networks' passes. bf16: under autocast; weights and losses stay in float32."""


@dataclass
class Work:
    jobs: int = bounds.JOBS
    """Processes, one thread each; as many as there are cores at most."""
    oversubscribe: bool = False
    """Take more --jobs than there are cores, which makes all of them slower."""
    plan: bool = False
    """Print the grid: recorded, missing, estimated minutes. Run, fetch and write nothing."""


@dataclass
class Data:
    data: str = ""
    """A task without code: a .csv, .tsv, .parquet, .jsonl or .npz file, a folder of images by class, or one that
    `datasets` saved. Without --text and images it is one of numbers. At --size paper: the folder of the data sets."""
    text: str = ""
    """Of --data: the column of the texts."""
    label: str = ""
    """Of --data: the column of the classes; `label` by default."""


@dataclass
class Tasks(Data):
    tasks: Annotated[str, tyro.conf.arg(aliases=["--task"])] = ""
    """Comma-separated names, or files with a custom task; the target's own by default."""


@dataclass
class Runs(Work, Tasks, Computing, Where):
    retry: bool = False
    """Run failed cells again."""
    patience: int | None = None
    """Seconds without a step of training after which a run is ended, tried once more and else recorded as failed.
    By default 0, never; 600 in a comparison of a method from a file."""
    engine: Literal["local", "ray"] = "local"
    """What makes the cells. local: processes of this machine. ray: tasks of a Ray cluster (docs/cluster.md)."""
    address: str = ""
    """HOST:PORT of the cluster's head; without it Ray starts on this machine, with --jobs cells at once."""
    gpus_per_run: float | None = None
    """GPUs that a cell on Ray takes, a share of one or more; 1 with --device cuda."""
    save_every: int | None = None
    """Seconds between two saves of a run's state, from which the same command goes on where it was killed; 300 by
    default. SIGTERM saves it too."""
    track: Literal["", "trackio", "wandb"] = ""
    """A tracker that gets a copy of each new record; it must be installed."""


@dataclass
class Contract:
    unchecked: bool = False
    """Run a method from outside that breaks the contract all the same, and say so."""


@dataclass
class Methods(Contract):
    methods: str = ""
    """Comma-separated names, or files with a custom method; by default the target's own rows: where
    hyper-parameters were searched, those of the search. all: the rest too, and those left out for the time they
    take."""


@dataclass
class Cells:
    budgets: str = ""
    """Comma-separated numbers of labelled samples."""
    n_max: int | None = None
    """Images of the most frequent class of an exponential task, in place of --budgets."""
    seeds: int | None = None
    """Replications, seeds 0 to N - 1."""
    draws: int = 1
    """Draws of each teacher, every one trained from seeds of its own and crossed with the students' seeds."""
    teacher: Literal["full", "same-data", "both"] = "full"
    """What the teacher was trained on: the whole training pool, or the student's own samples."""
    match: Literal["samples", "real"] = "samples"
    """What is equal a step for all methods: samples shown to the student, or real samples."""
    ratio: int | None = None
    """Imbalance ratio of the exponential tasks."""


@dataclass
class Settings:
    set: str = ""
    """Comma-separated NAME=VALUE: hyper-parameters in place of the chosen ones, of all methods that have them.
    Such runs are no part of the tables' own; their files go to a folder of their own, SIZE/set/NAME=VALUE."""


@dataclass
class CustomFiles(Data, Computing, Where):
    tasks: str = ""
    """Comma-separated files with custom tasks that the records are of."""
    methods: str = ""
    """Comma-separated files with custom methods that the records are of."""


@dataclass
class Submitted:
    with_: Annotated[str, tyro.conf.arg(name="with")] = ""
    """Comma-separated files that `submit` made, of methods from elsewhere."""

    @property
    def submissions(self) -> list[Submission]:
        """What they hold. Raises BadInput for one that does not fit this size, or whose name is taken."""
        from benchmarks.records import submission

        found = [submission.read(Path(word)) for word in _words(self.with_)]
        for number, one in enumerate(found):
            name, size = one.about.method, one.about.size
            if size != getattr(self, "size", size):
                raise BadInput(f"--with: the runs of {name} are of size {size}; add --size {size}")
            if name in METHODS or name in (other.about.method for other in found[:number]):
                raise BadInput(f"--with: there is a method {name} already; its sender must call the file otherwise")
        return found


def choice_of(options: Any, default_tasks: tuple[str, ...] = ()) -> Choice:
    """The grid's choice from the options that a command has. Raises BadInput before anything starts.

    Args:
        default_tasks: tasks that a target takes where none are named, to look whether the methods fit them.
    """
    if (tracker := getattr(options, "track", "")) and not find_spec(tracker):
        raise BadInput(f"--track: {tracker} is not installed: pip install {tracker}")
    teacher = getattr(options, "teacher", "full")
    seeds = getattr(options, "seeds", None)
    kind, precision = device(options)
    chosen_tasks = _tasks(options)
    chosen_methods = _methods(options, chosen_tasks or default_tasks)
    return Choice(
        size=options.size,
        tasks=chosen_tasks,
        methods=chosen_methods,
        extra=getattr(options, "methods", "").strip() == ALL,
        budgets=_budgets(options, chosen_tasks),
        seeds=seeds if isinstance(seeds, int) else None,
        draws=getattr(options, "draws", 1),
        teachers=("full", "same-data") if teacher == "both" else (teacher,),
        match=getattr(options, "match", "samples"),
        ratio=getattr(options, "ratio", None),
        settings=settings.given(getattr(options, "set", ""), chosen_methods),
        device=kind,
        precision=precision,
        tuned=read_tuned(folder_of(options) / "tuned.json"),
    )


def folder_of(options: Any) -> Path:
    """Where records are kept: the results folder of the size, and of the device unless that is the CPU in float32."""
    words = options.size, place_of(*device(options), processes())
    return getattr(options, "results", paths.LOCAL) / "-".join(filter(None, words))


def device(options: Any) -> tuple[str, str]:
    """(device, precision) that the options name; for --device auto what there is."""
    asked = getattr(options, "device", "cpu")
    if asked == "auto":
        from benchmarks.runs.device import there  # only now: it takes torch

        asked = there()[0]
    return asked, getattr(options, "precision", "float32")


def execution(options: Any) -> Execution:
    """How the options want a grid to be filled. Raises BadInput where the machine has no such device."""
    from benchmarks.runs.device import there
    from benchmarks.runs.fill import Execution

    given = {name: getattr(options, name, None) for name in (field.name for field in fields(Execution))}
    asked = Execution(**{name: value for name, value in given.items() if value is not None})
    bounds.engine(asked.engine, asked.address, asked.gpus_per_run)
    if (kind := device(options)[0]) not in there() and not asked.address:  # of a cluster the nodes have it
        raise BadInput(f"--device: this machine, or its torch, has no {kind}; there is {', '.join(there())}")
    return asked


def named(text: str) -> tuple[str, ...]:
    """Names of methods or tasks; a file among them is registered, and stands as its name. Raises BadInput."""
    words = _words(text)
    if any(word.endswith(".py") for word in words):
        from benchmarks.registry import custom  # only now: what a file holds needs torch
        from benchmarks.runs.guard import Ended, contained

        try:
            with contained():
                words = tuple(custom.register(word) if word.endswith(".py") else word for word in words)
        except Ended as error:
            raise BadInput(f"{text}: {error}") from error
    return words


def one_of(word: str, target: str, more: str = "") -> str:
    """The one method or task that a target takes. Raises BadInput."""
    if len(given := named(word)) != 1:
        raise BadInput(f"{target} takes one name or file, not {word!r}{more}")
    return given[0]


def known(method: str) -> None:
    if method not in METHODS:
        raise BadInput(unknown("method", method, METHODS))


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _of_data(options: Any) -> tuple[str, ...]:
    """The task that --data stands for. Raises BadInput."""
    path, more = getattr(options, "data", ""), {name: getattr(options, name, "") for name in ("text", "label")}
    more = {name: column for name, column in more.items() if column}
    if not path:
        if more:
            raise BadInput(f"--{next(iter(more))} names a column of --data, which is not given")
        return ()
    if not Path(path).expanduser().exists():
        raise BadInput(f"--data: there is no {path}")
    if options.size == "paper":
        os.environ["TGT_DATA"] = path
        return ()
    from benchmarks.registry import custom

    return (custom.register_data(json.dumps({"path": str(Path(path).expanduser().resolve()), **more})),)


def _tasks(options: Any) -> tuple[str, ...]:
    chosen, ratio = (*named(getattr(options, "tasks", "")), *_of_data(options)), getattr(options, "ratio", None)
    for name in chosen:
        try:
            task = tasks.get(name).at(getattr(options, "size", tasks.get(name).scale))
        except ValueError as error:
            raise BadInput(str(error)) from error
        if ratio and task.profile.kind != "exponential":
            raise BadInput(f"--ratio: the classes of {name} are {task.profile.kind}; it goes with fashion-lt")
    if ratio and not chosen:
        raise BadInput("--ratio changes one task: name it with --tasks (fashion-lt)")
    return chosen


def _methods(options: Any, on: tuple[str, ...]) -> tuple[str, ...]:
    chosen = named(getattr(options, "methods", ""))
    if chosen == (ALL,):
        return ()
    for name in chosen:
        known(name)
        fits_all(name, on, options.size)
    return chosen


def fits_all(method: str, on: tuple[str, ...], size: str) -> None:
    """Raises BadInput for a method that cannot run on one of the tasks at a size."""
    for name in on:
        task, row = tasks.get(name), METHODS[method]
        reason = row.unfit(task)
        if not reason and (row.needs_prior or row.generator_has):
            from benchmarks.runs import prior  # only now: it needs torch

            reason = prior.unfit(method, task.at(size))
        if reason:
            raise BadInput(f"method {method}: {reason}")


def _budgets(options: Any, chosen_tasks: tuple[str, ...]) -> tuple[int, ...]:
    budgets = bounds.budgets(_words(getattr(options, "budgets", "")))
    if (n_max := getattr(options, "n_max", None)) is not None:
        if budgets or chosen_tasks != ("fashion-lt",):
            raise BadInput("--n-max goes with --tasks fashion-lt and without --budgets")
        return (int(exponential(10, n_max, options.ratio or 100).sum()),)
    return tuple(dict.fromkeys(budgets))
