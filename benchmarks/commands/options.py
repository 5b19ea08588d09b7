"""The command line: `./reproduce.sh TARGET... [options]`."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import tyro

from benchmarks.core import paths
from benchmarks.registry.experiments import EXPERIMENTS, Choice
from benchmarks.registry.methods import METHODS
from benchmarks.runs import tracking

TARGETS = {
    "table1": "long-tailed image classification: all methods on fashion-lt and emoji-lt",
    "table2": "text classification with few and with all labels: movie-5, wiki-topic and trec-50",
    "table3": "dense retrieval: short descriptions and Natural Questions over an encyclopedia's summaries",
    "fig1": "a picture of generated neighbours: random and gradient-based, with both networks' classes",
    "fig2": "accuracy against labelled samples, and how many times the data distillation needs to match TGT",
    "theory": "student's error against samples on known manifolds of d dimensions in D: does TGT's gain follow d or D?",
    "ablation-sigma": "TGT's accuracy against the scale of its noise, on images and text",
    "ablation-steps": "TGT's accuracy against its steps of ascent",
    "ablation-share": "TGT's accuracy against the share of generated samples in a step",
    "ablation-start": "TGT's accuracy explored around the data as they are, class-balanced, or from the prior",
    "ablation-teacher": "TGT's accuracy by a teacher that knows the whole pool, or the student's own samples alone",
    "all": "tables 1 to 3 and the figures",
    "tune": "choose hyper-parameters on validation samples (writes results/reference/SIZE/tuned.json)",
    "report": "make tables and figures of all that is recorded, and set it beside the committed reference",
    "data": "fetch and check the data sets",
    "teachers": "train the generators and labelers that the tables need",
    "throughput": "what a step of each method costs, of what it is made, and against this machine's peak",
    "export": "records as one flat table (CSV, Parquet) with a dictionary of its columns; BibTeX of what is compared",
    "check": "are records and tables whole and of today's code (status 1 if not), and what do they say of each claim",
    "compare": "WHAT: a method of your own (a file) or a row, set against TGT and its rivals (--against) on --tasks",
    "validate": "FILE: check a method or a task of your own against the contract, in seconds",
    "new": "method NAME, or task NAME: write a file that works, to begin from",
    "list": "tasks, methods and targets",
    "test": "run the tests (arguments go to pytest)",
}
#: Targets that fill a grid of runs, and for each option the targets that heed it; what is not named here, all may have.
GRIDS = (*EXPERIMENTS, *(name for name in TARGETS if name.startswith("ablation-")), "all", "compare")
HEEDED = {
    "methods": (*(name for name in GRIDS if name != "compare"), "tune", "throughput", "report", "check", "export"),
    "tasks": (*GRIDS, "tune", "throughput", "teachers", "fig1", "report", "check", "export"),
    "against": ("compare",),
    "search": ("compare",),
    **dict.fromkeys(("budgets", "n_max", "seeds", "teacher", "match", "ratio"), (*GRIDS, "teachers")),
    **dict.fromkeys(("retry", "track"), (*GRIDS, "tune")),
    "plan": (*GRIDS, "tune", "throughput", "teachers", "fig1"),
    "set": tuple(name for name in GRIDS if name not in ("all", "compare")),
}
VERBS = ("compare", "validate", "new")  # these take words of their own and stand alone
ALL = ("table1", "table2", "table3", "fig1", "fig2")
#: The hyper-parameter that an ablation sets where its name is another.
ABLATED = {"ablation-steps": "ascent_steps"}


class BadInput(Exception):
    """A wrong word on the command line: one line for the person, exit status 2."""


@dataclass
class Options:
    """Reference suite for teacher-guided training."""

    targets: Annotated[tuple[str, ...], tyro.conf.Positional]
    """What to make; `list` tells them all. After compare, validate and new: what to do it with."""
    size: Literal["smoke", "small", "paper"] = "small"
    """smoke: seconds, to see that it works. small: minutes on two cores. paper: not there yet."""
    tasks: Annotated[str, tyro.conf.arg(aliases=["--task"])] = ""
    """Comma-separated names, or files with a task of your own; the target's own by default."""
    methods: str = ""
    """Comma-separated names, or files with a method of your own; all that make sense by default."""
    against: str = ""
    """Of compare: the rows to set it against; by default distillation, decoded noise and TGT."""
    budgets: str = ""
    """Comma-separated numbers of labelled samples."""
    n_max: int | None = None
    """Images of the most frequent class of an exponential task, in place of --budgets."""
    seeds: int | Literal["auto"] | None = None
    """Replications, seeds 0 to N - 1. auto, of compare: more of them until the comparison is decided, 20 at most."""
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
    search: bool = True
    """Of compare: first choose hyper-parameters on validation samples, by as many trials as its rivals had."""
    retry: bool = False
    """Run failed cells again."""
    set: str = ""
    """Comma-separated NAME=VALUE: hyper-parameters in place of the chosen ones, of all methods that have them.
    Records go to a folder of their own, SIZE/set/NAME=VALUE."""
    track: Literal["", "trackio", "wandb"] = ""
    """A tracker that gets a copy of each new record; it must be installed."""
    results: Path = paths.LOCAL
    """Folder for records, tables and figures; a folder SIZE is made in it."""


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    options = tyro.cli(Options, args=arguments or ["--help"], prog="reproduce.sh")
    try:
        choice = check(options)
        from benchmarks.commands import main as commands  # only now: parsing and refusing need neither torch nor pandas

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
    if not options.targets:
        raise BadInput(f"no target; there are {', '.join(TARGETS)}")
    verb = options.targets[0] if options.targets[0] in VERBS else None
    for name in options.targets[:1] if verb else options.targets:
        _known("target", name, TARGETS)
        if name in VERBS and not verb:
            raise BadInput(f"{name} stands first and alone, followed by what to do it with")
    if verb:
        _check_words(verb, options.targets[1:])
    if options.size == "paper":
        raise BadInput("size paper is not there yet; there are smoke and small")
    for name in ("seeds", "jobs", "ratio", "n_max"):
        value = getattr(options, name)
        if isinstance(value, int) and value < 1:
            raise BadInput(f"--{name.replace('_', '-')} must be at least 1, not {value}")
    _heeded(options, verb)
    if options.seeds == "auto" and verb != "compare":
        raise BadInput("--seeds auto goes with compare")
    if options.track and (reason := tracking.missing(options.track)):
        raise BadInput(f"--track: {reason}")
    return Choice(
        size=options.size,
        tasks=(chosen_tasks := _tasks(options)),
        methods=(chosen_methods := _methods(options, chosen_tasks)),
        budgets=_budgets(options, chosen_tasks),
        seeds=options.seeds if isinstance(options.seeds, int) else None,
        teachers=("full", "same-data") if options.teacher == "both" else (options.teacher,),
        match=options.match,
        ratio=options.ratio,
        settings=_settings(options, chosen_methods),
    )


def _heeded(options: Options, verb: str | None) -> None:
    """Raises BadInput for an option that no target here heeds: it would be passed over without a word."""
    chosen = (verb,) if verb else options.targets
    for name, heeding in HEEDED.items():
        given = getattr(options, name) != next(f.default for f in fields(Options) if f.name == name)
        if given and not set(chosen) & set(heeding):
            told = f"--{'no-search' if name == 'search' else name.replace('_', '-')}"
            hint = "; its rivals are named by --against" if (name, verb) == ("methods", "compare") else ""
            raise BadInput(f"{told} says nothing to {chosen[0]}{hint}; it goes with {', '.join(heeding)}")
    outside = [word for word in _words(options.tasks) + _words(options.methods) if not word.endswith(".py")]
    if outside and set(chosen) <= {"report", "check", "export"}:
        raise BadInput(
            f"{chosen[0]} is of all records; --tasks and --methods there name your own files, not {outside[0]}"
        )
    if "tune" in chosen and options.results != paths.LOCAL:
        raise BadInput("tune writes what all results are made with, results/reference/SIZE/tuned.json: no --results")
    if "ablation-teacher" in chosen and options.teacher != "full":
        raise BadInput("ablation-teacher sets --teacher itself")


def _check_words(verb: str, words: tuple[str, ...]) -> None:
    wanted = {"compare": "one method", "validate": "one file", "new": "method NAME or task NAME"}[verb]
    right = len(words) == 2 and words[0] in ("method", "task") if verb == "new" else len(words) == 1
    if not right:
        raise BadInput(f"{verb} takes {wanted}, not {' '.join(words) or 'nothing'}")


def _tasks(options: Options) -> tuple[str, ...]:
    from benchmarks.registry import tasks

    chosen = named(options.tasks)
    for name in chosen:
        try:
            task = tasks.get(name)
        except ValueError as error:
            raise BadInput(str(error)) from error
        if options.ratio and task.profile.kind != "exponential":
            raise BadInput(f"--ratio: the classes of {name} are {task.profile.kind}; it goes with fashion-lt")
    if options.ratio and not chosen:
        raise BadInput("--ratio changes one task: name it with --tasks (fashion-lt)")
    return chosen


def _methods(options: Options, chosen_tasks: tuple[str, ...]) -> tuple[str, ...]:
    from benchmarks.registry import tasks

    chosen = named(options.methods)
    targets = [EXPERIMENTS[target] for target in experiments_of(options.targets) if target in EXPERIMENTS]
    for name in chosen:
        _known("method", name, METHODS)
        for task_name in chosen_tasks or tuple(dict.fromkeys(task for target in targets for task in target.tasks)):
            if reason := METHODS[name].unfit(tasks.get(task_name)):
                raise BadInput(f"method {name}: {reason}")
    return chosen


def _budgets(options: Options, chosen_tasks: tuple[str, ...]) -> tuple[int, ...]:
    budgets = []
    for word in _words(options.budgets):
        if not (word.isascii() and word.isdigit()) or int(word) < 1:
            raise BadInput(f"--budgets takes whole numbers above 0, not {word!r}")
        budgets.append(int(word))
    if options.n_max is not None:
        if budgets or chosen_tasks != ("fashion-lt",):
            raise BadInput("--n-max goes with --tasks fashion-lt and without --budgets")
        from benchmarks.data.splits import exponential

        budgets.append(int(exponential(10, options.n_max, options.ratio or 100).sum()))
    return tuple(dict.fromkeys(budgets))


def named(text: str) -> tuple[str, ...]:
    """Names of methods or tasks; a file among them is registered, and stands as its name. Raises BadInput."""
    words = _words(text)
    if any(word.endswith(".py") for word in words):
        from benchmarks.registry import plugins  # only now: what a file holds needs torch

        try:
            words = tuple(plugins.register(word) if word.endswith(".py") else word for word in words)
        except plugins.BadFile as error:
            raise BadInput(str(error)) from error
    return words


def experiments_of(targets: tuple[str, ...]) -> list[str]:
    """The targets in order, `all` spelled out, each once."""
    spelled = [name for target in targets for name in (ALL if target == "all" else (target,))]
    return list(dict.fromkeys(spelled))


def _settings(options: Options, chosen_methods: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    """("name", value) pairs of NAME=VALUE words. Raises BadInput for what no method can be given."""
    words = _words(options.set)
    rows = [METHODS[name] for name in chosen_methods or METHODS] if words else []
    hints = [(row, get_type_hints(row.load().Config)) for row in rows]
    known = {name for row, hint in hints for name in hint if name not in row.fixed}
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not value:
            raise BadInput(f"--set takes NAME=VALUE, not {word!r}")
        if name not in known:
            whose = "none of these methods can be given" if chosen_methods else "no method has"
            raise BadInput(f"--set: {whose} {name!r}; there are {', '.join(sorted(known)) or 'none'}")
        if any(target == f"ablation-{name}" or ABLATED.get(target) == name for target in options.targets):
            raise BadInput(f"--set {name}: the ablation sets it itself")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    _accepted(found, hints)
    return tuple(sorted(found.items()))


def _accepted(found: dict[str, Any], hints: list[tuple[Any, dict[str, Any]]]) -> None:
    """Raises BadInput for a value of another type than the rows' own, or for values that no row takes together."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    for name, value in found.items():
        if isinstance(value, str) and not re.fullmatch(r"[\w.+-]+", value):
            raise BadInput(f"--set {name}: {value!r} would be a part of a folder's name; letters, digits, . _ + - can")
        try:
            hint = next(hint[name] for row, hint in hints if name in hint and name not in row.fixed)
            TypeAdapter(hint, config=ConfigDict(strict=True, allow_inf_nan=False)).validate_python(value)
        except ValidationError as error:
            raise BadInput(f"--set {name}={value}: {error.errors()[0]['msg']}") from error
    refused = []
    for row, hint in hints:
        if own := {name: value for name, value in found.items() if name in hint and name not in row.fixed}:
            try:
                row.load().Config(**{**row.defaults, **row.fixed, **own})
            except ValueError as error:
                refused.append(str(error))
            else:
                return
    if refused:
        raise BadInput(f"--set {','.join(f'{name}={value}' for name, value in found.items())}: {refused[0]}")


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _known(kind: str, name: str, known: dict) -> None:
    if name not in known:
        raise BadInput(f"unknown {kind} {name!r}; there are {', '.join(known)}")


__all__ = ["EXPERIMENTS", "BadInput", "Options", "check", "experiments_of", "main"]
