"""`validate`: a custom method or task, checked against the contract in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from benchmarks.commands import contract
from benchmarks.commands.options import one_of
from benchmarks.core.errors import BadInput, unknown
from benchmarks.registry.methods import METHODS
from benchmarks.registry.tasks import TASKS


@dataclass
class Options:
    pass


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    """Check a file (or a row by its name) and say what was found; 1 if anything is broken."""
    name = one_of(words[0], target)
    if name not in TASKS and name not in METHODS:
        raise BadInput(unknown("method or task", name, [*METHODS, *TASKS]))
    broken = []
    for outcome in contract.outcomes(name):
        mark = "BROKEN" if outcome.broken else "note" if outcome.told else "ok"
        broken += [outcome] * outcome.broken
        console.print(f"{mark:7} {outcome.of:10} {outcome.check}", markup=False)
        if outcome.told:
            console.print(f"        {outcome.cause}", markup=False)
    told = "breaks the contract; what comes after is not tried" if broken else "keeps the contract"
    console.print(f"{words[0]}: {told}", markup=False, style="bold")
    return 1 if broken else 0
