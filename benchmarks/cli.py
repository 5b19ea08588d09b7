"""The command line: `./reproduce.sh TARGET... [options]`."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from benchmarks import paths
from benchmarks.experiments import EXPERIMENTS, Choice
from benchmarks.methods import METHODS

TARGETS = {
    "table1": "long-tailed image classification: all methods on fashion-lt and emoji-lt",
    "table2": "text classification with few and with all labels: movie-5, wiki-topic and trec-50",
    "table3": "dense retrieval: short descriptions and Natural Questions over an encyclopedia's summaries",
    "fig1": "a picture of generated neighbours: random and gradient-based, with both networks' classes",
    "fig2": "accuracy against labelled images, and how many times the data distillation needs to match TGT",
    "all": "tables 1 to 3 and the figures",
    "tune": "choose hyper-parameters on validation samples (writes results/reference/SIZE/tuned.json)",
    "report": "make tables and figures of all that is recorded, and set it beside the committed reference",
    "data": "fetch and check the data sets",
    "teachers": "train the generators and labelers that the tables need",
    "list": "tasks, methods and targets",
    "test": "run the tests (arguments go to pytest)",
}
ALL = ("table1", "table2", "table3", "fig1", "fig2")


class BadInput(Exception):
    """A wrong word on the command line: one line for the person, exit status 2."""


@dataclass
class Options:
    """Reference suite for teacher-guided training."""

    targets: Annotated[tuple[str, ...], tyro.conf.Positional]
    """What to make; `list` tells them all."""
    size: Literal["smoke", "small", "paper"] = "small"
    """smoke: seconds, to see that it works. small: minutes on two cores. paper: not there yet."""
    tasks: str = ""
    """Comma-separated; the target's own by default."""
    methods: str = ""
    """Comma-separated; all that make sense by default."""
    budgets: str = ""
    """Comma-separated numbers of labelled samples."""
    n_max: int | None = None
    """Images of the most frequent class of an exponential task, in place of --budgets."""
    seeds: int | None = None
    """Replications, seeds 0 to N - 1."""
    teacher: Literal["full", "same-data", "both"] = "full"
    """What the teacher was trained on: the whole training pool, or the student's own samples."""
    match: Literal["samples", "real"] = "samples"
    """What is equal a step for all methods: samples shown to the student, or real samples."""
    ratio: int | None = None
    """Imbalance ratio of the exponential tasks."""
    jobs: int = 2
    """Processes, one thread each."""
    plan: bool = False
    """Print the grid: recorded, missing, estimated minutes. Run nothing."""
    retry: bool = False
    """Run failed cells again."""
    set: str = ""
    """Comma-separated NAME=VALUE: hyper-parameters in place of the chosen ones, of all methods that have them.
    Records go to a folder of their own, SIZE/set/NAME=VALUE."""
    results: Path = paths.LOCAL
    """Folder for records, tables and figures; a folder SIZE is made in it."""


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    options = tyro.cli(Options, args=arguments or ["--help"], prog="reproduce.sh")
    try:
        choice = check(options)
        from benchmarks import commands  # only now: parsing and refusing need neither torch nor pandas

        return commands.run(options, choice)
    except BadInput as error:
        print(f"reproduce.sh: {error}", file=sys.stderr)
        return 2
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and type(error).__module__.split(".")[0] != "benchmarks":
            raise  # a bug, not a condition of the machine: its trace is wanted
        print(f"reproduce.sh: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("reproduce.sh: interrupted; finished cells are kept, the same command goes on from here", file=sys.stderr)
        return 130


def check(options: Options) -> Choice:
    """The grid's choice from the options. Raises BadInput before anything starts."""
    from benchmarks import tasks

    for target in options.targets:
        _known("target", target, TARGETS)
    if not options.targets:
        raise BadInput(f"no target; there are {', '.join(TARGETS)}")
    if options.size == "paper":
        raise BadInput("size paper is not there yet; there are smoke and small")
    for name in ("seeds", "jobs", "ratio", "n_max"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise BadInput(f"--{name.replace('_', '-')} must be at least 1, not {value}")
    chosen_tasks = _words(options.tasks)
    for name in chosen_tasks:
        try:
            task = tasks.get(name)
        except ValueError as error:
            raise BadInput(str(error)) from error
        if options.ratio and task.profile.kind != "exponential":
            raise BadInput(f"--ratio: the classes of {name} are {task.profile.kind}; it goes with fashion-lt")
    if options.ratio and not chosen_tasks:
        raise BadInput("--ratio changes one task: name it with --tasks (fashion-lt)")
    for name in _words(options.methods):
        _known("method", name, METHODS)
        targets = [EXPERIMENTS[target] for target in experiments_of(options.targets) if target in EXPERIMENTS]
        for task_name in chosen_tasks or tuple(dict.fromkeys(task for target in targets for task in target.tasks)):
            if reason := METHODS[name].unfit(tasks.get(task_name)):
                raise BadInput(f"method {name}: {reason}")
    settings = _settings(options.set)
    if settings and (others := [name for name in experiments_of(options.targets) if name not in EXPERIMENTS]):
        raise BadInput(f"--set goes with {', '.join(EXPERIMENTS)}, not with {others[0]}")
    budgets = []
    for word in _words(options.budgets):
        if not word.isdigit() or int(word) < 1:
            raise BadInput(f"--budgets takes whole numbers above 0, not {word!r}")
        budgets.append(int(word))
    if options.n_max is not None:
        if budgets or chosen_tasks != ("fashion-lt",):
            raise BadInput("--n-max goes with --tasks fashion-lt and without --budgets")
        from benchmarks.splits import exponential

        budgets.append(int(exponential(10, options.n_max, options.ratio or 100).sum()))
    return Choice(
        size=options.size,
        tasks=chosen_tasks,
        methods=_words(options.methods),
        budgets=tuple(dict.fromkeys(budgets)),
        seeds=options.seeds,
        teachers=("full", "same-data") if options.teacher == "both" else (options.teacher,),
        match=options.match,
        ratio=options.ratio,
        settings=settings,
    )


def experiments_of(targets: tuple[str, ...]) -> list[str]:
    """The targets in order, `all` spelled out, each once."""
    spelled = [name for target in targets for name in (ALL if target == "all" else (target,))]
    return list(dict.fromkeys(spelled))


def _settings(text: str) -> tuple[tuple[str, Any], ...]:
    """("name", value) pairs of NAME=VALUE words. Raises BadInput for a name that no method has."""
    known = {field.name for row in METHODS.values() for field in fields(row.load().Config)} if text else set()
    found = {}
    for word in _words(text):
        name, equals, value = word.partition("=")
        if not equals or not value:
            raise BadInput(f"--set takes NAME=VALUE, not {word!r}")
        if name not in known:
            raise BadInput(f"--set: no method has {name!r}; there are {', '.join(sorted(known))}")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return tuple(sorted(found.items()))


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _known(kind: str, name: str, known: dict) -> None:
    if name not in known:
        raise BadInput(f"unknown {kind} {name!r}; there are {', '.join(known)}")


__all__ = ["EXPERIMENTS", "BadInput", "Options", "check", "experiments_of", "main"]
