"""`./reproduce.sh COMMAND... [options]`: finds the commands, gives each its options, and returns the worst status."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import sys
from dataclasses import dataclass, fields
from itertools import pairwise
from types import ModuleType
from typing import Any, get_args, get_type_hints

import tyro

from benchmarks.commands import bounds
from benchmarks.core.environment import processes
from benchmarks.core.errors import BadInput, did_you_mean, gpu_is_full, in_a_line, of_the_machine, unknown
from benchmarks.registry.targets import ALL, TARGETS


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 all is well, 1 something failed or is wrong, 2 bad input, 3 nothing can run for want of files
    that the user has to bring, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return _run(arguments) if processes() == 1 else _run_joined(arguments)
    except BadInput as error:
        _say(str(error))
        return 2
    except Exception as error:
        told = _of_a_users_file(error)
        if gpu_is_full(error):
            told = f"the GPU has no memory left; fewer --jobs would share it ({in_a_line(error)})"
        of_the_suite = isinstance(error, RuntimeError) and type(error).__module__.split(".")[0] == "benchmarks"
        if not (told or of_the_suite or isinstance(error, OSError | ValueError)):
            raise  # a bug, not a condition of the machine: its trace is wanted
        _say(told or str(error))
        return 1
    except KeyboardInterrupt:
        _say("interrupted; finished cells are kept, the same command goes on from here")
        return 130


#: Characters of what is said of an error, and of one word in it.
LONGEST, LONGEST_WORD = 1000, 300


def _say(text: str) -> None:
    """One line to the person: what a word or a file's name holds can neither break it nor steer the terminal."""
    text = re.sub(rf"\S{{{LONGEST_WORD},}}", lambda long: long[0][: LONGEST_WORD // 2] + "...", " ".join(text.split()))
    text = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
    print(f"reproduce.sh: {text if len(text) <= LONGEST else text[:LONGEST] + '...'}", file=sys.stderr)


def _of_a_users_file(error: Exception) -> str:
    if of_the_machine(error):
        return ""
    custom = sys.modules.get("benchmarks.registry.custom")  # else no file was registered
    return custom.blamed(error) if custom else ""


def _run(arguments: list[str]) -> int:
    first_option = next((i for i, word in enumerate(arguments) if word.startswith("-")), len(arguments))
    words, rest = arguments[:first_option], arguments[first_option:]
    if not words and (not rest or rest[0] in ("-h", "--help")):
        print("usage: ./reproduce.sh COMMAND... [options]\n")
        for name, one in TARGETS.items():
            print(f"  {name + ' ' + one.words:28} {one.about}")
        print("\n./reproduce.sh COMMAND --help tells its options.")
        return 0
    targets, more = split(words, helped=bool({"-h", "--help"} & set(rest)))
    options = parse(targets, rest)
    flags = {name.replace("_", "-") for name, hint in get_type_hints(options_of(targets)).items() if hint is bool}
    bounds.check(arguments, flags)
    if "all" in words and vars(options).get("set"):
        raise BadInput("--set has no effect on fig1, which is part of all: name the tables and figures it is for")
    from rich.console import Console

    from benchmarks.data.asset import nothing_fetched  # only now: it takes numpy

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160  # a log has no edge to fit into
    ready = [(module_of(target), target) for target in targets]
    with nothing_fetched() if getattr(options, "plan", False) else contextlib.nullcontext():
        for module, target in ready:
            if hasattr(module, "refuse"):
                module.refuse(target, options)
        return max(module.run(target, more, options, console) for module, target in ready)


def _run_joined(arguments: list[str]) -> int:
    """In one of several processes: the first does what the command says, the others make its runs with it."""
    from benchmarks.runs import joined  # only now: it takes torch
    from benchmarks.runs.execute import execute
    from benchmarks.runs.run import Run

    with joined.launched() as leads:
        return _run(arguments) if leads else joined.follow(lambda spec, overrides: execute(Run(spec, overrides)))


def split(words: list[str], helped: bool = False) -> tuple[list[str], list[str]]:
    """The targets, `all` spelled out, and the words that one takes, unless only help is wanted. Raises BadInput."""
    if not words:
        raise BadInput(f"a command stands first, then its options; there are {', '.join(TARGETS)}")
    for number, word in enumerate(words):
        if word not in TARGETS:
            raise BadInput(unknown("target", word, TARGETS))
        if not TARGETS[word].command:
            raise BadInput(f"{word} stands first and alone: ./reproduce.sh {word}")
        if wanted := TARGETS[word].words:
            if number:
                raise BadInput(f"{word} stands first and alone, followed by {wanted}")
            more = words[1:]
            right = len(more) == len(wanted.split()) and (word != "new" or more[0] in ("method", "task"))
            if not (right or helped):
                raise BadInput(f"{word} takes {wanted}, not {' '.join(more) or 'nothing'}")
            return [word], more
    spelled = [name for word in words for name in (ALL if word == "all" else (word,))]
    return list(dict.fromkeys(spelled)), []


def module_of(target: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.commands.{TARGETS[target].command}")


def options_of(targets: list[str]) -> type:
    """The options of several targets in one call: those of each."""
    classes = list(dict.fromkeys(module_of(target).Options for target in targets))
    if len(classes) == 1:
        return classes[0]
    wide = [cls for cls in classes if not any(cls in other.__mro__[1:] for other in classes)]
    return dataclass(type("Options", tuple(wide), {}))


def parse(targets: list[str], rest: list[str]) -> Any:
    """Options from the command line. Raises BadInput in one line; --help prints and ends."""
    about = "; ".join(TARGETS[target].about for target in targets)
    told = io.StringIO()
    options: Any
    try:
        with contextlib.redirect_stderr(told):
            options, unknown = tyro.cli(
                options_of(targets), args=rest, prog=f"reproduce.sh {' '.join(targets)}", description=about,
                return_unknown_args=True,
            )  # fmt: skip
    except SystemExit as end:
        if not end.code:
            raise
        raise BadInput(_one_line(told.getvalue()).rstrip(".") + _meant(rest, targets)) from None
    if unknown:
        raise BadInput(_no_such_option(unknown[0], targets))
    if all(TARGETS[target].of_all for target in targets):
        words = f"{options.tasks},{options.methods}".split(",")
        if outside := [word for word in words if word and not word.endswith(".py")]:
            which = f"{targets[0]} is of all records; --tasks and --methods name files of custom ones"
            raise BadInput(f"{which}, not {outside[0]}")
    return options


def _one_line(box: str) -> str:
    """What the parser says in its box: the part between the box's title and its next rule or empty line."""
    parts: list[list[str]] = [[]]
    for line in box.splitlines():
        text = line.strip("│| ")
        if not text.strip("─-") or line.startswith(("╭", "╰")):
            parts.append([])
        else:
            parts[-1].append(text)
    said = [" ".join(part) for part in parts if part]
    return said[0 if "╭" in box else min(1, len(said) - 1)] if said else "bad options"


def _meant(rest: list[str], targets: list[str]) -> str:
    """The value of a choice that a mistyped one may stand for; "" where none is near."""
    for name, hint in get_type_hints(options_of(targets)).items():
        there = [value for part in (hint, *get_args(hint)) for value in get_args(part) if isinstance(value, str)]
        for option, value in pairwise([part for word in rest for part in word.split("=", 1)]):
            if option == f"--{name.replace('_', '-')}" and value not in there:
                return did_you_mean(value, there)
    return ""


def _no_such_option(word: str, targets: list[str]) -> str:
    if not word.startswith("-"):
        return f"{word} stands behind an option: commands come first, then their options"
    name = re.sub(r"^--(no-)?|=.*", "", word).replace("-", "_")
    name = "tasks" if name == "task" else name
    heed = [t for t in TARGETS if TARGETS[t].command and name in {field.name for field in fields(module_of(t).Options)}]
    there = f"it goes with {', '.join(heed)}" if heed else f"./reproduce.sh {targets[0]} --help tells its options"
    own = [field.name.replace("_", "-") for field in fields(options_of(targets))]
    there += "" if heed else did_you_mean(name.replace("_", "-"), own).replace("mean ", "mean --")
    hint = "; its rivals are named by --against" if (name, targets) == ("methods", ["compare"]) else ""
    return f"{word} has no effect on {targets[0]}{hint}; {there}"
