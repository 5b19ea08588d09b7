"""`validate`: a custom method or task, checked against the contract in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from benchmarks.commands.options import named
from benchmarks.core.errors import BadInput
from benchmarks.registry.methods import METHODS
from benchmarks.registry.tasks import TASKS


@dataclass
class Options:
    pass


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    """Check a file (or a row by its name) and say what was found; 1 if anything is broken."""
    from benchmarks.runs.scheduler import one_thread
    from benchmarks.validation import method_checks, task_checks  # they need the networks of all modalities

    (name,) = named(words[0])
    one_thread()
    if name in TASKS:
        outcomes = task_checks.task(TASKS[name])
    elif name in METHODS:
        outcomes = method_checks.method(name)
    else:
        raise BadInput(f"unknown method or task {name!r}")
    broken = 0
    for outcome in outcomes:
        where = f"line {outcome.line}: " if outcome.line else ""
        mark = "ok" if not outcome.told else "--" if outcome.check == method_checks.NOT_TRIED else "BROKEN"
        broken += mark == "BROKEN"
        console.print(f"{mark:7} {outcome.of:10} {outcome.check}", markup=False)
        if outcome.told:
            console.print(f"        {where}{outcome.told}", markup=False)
    told = f"{broken} checks failed" if broken else "keeps the contract"
    console.print(f"{words[0]}: {told}", markup=False, style="bold")
    return 1 if broken else 0
