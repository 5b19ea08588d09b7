"""The target `validate`: a method or a task of one's own, checked against the contract in seconds."""

from __future__ import annotations

from rich.console import Console

from benchmarks.commands.options import BadInput, named
from benchmarks.registry.methods import METHODS
from benchmarks.registry.tasks import TASKS
from benchmarks.runs.scheduler import one_thread


def run(word: str, console: Console) -> int:
    """Check a file (or a row by its name) and say what was found; 1 if anything is broken."""
    from benchmarks.validation import method_checks as contract  # only now: they need the networks of all modalities
    from benchmarks.validation import task_checks as task_contract

    (name,) = named(word)
    one_thread()
    if name in TASKS:
        outcomes = task_contract.task(TASKS[name])
    elif name in METHODS:
        outcomes = contract.method(name)
    else:
        raise BadInput(f"unknown method or task {name!r}")
    broken = 0
    for outcome in outcomes:
        where = f"line {outcome.line}: " if outcome.line else ""
        mark = "ok" if not outcome.told else "--" if outcome.check == contract.NOT_TRIED else "BROKEN"
        broken += mark == "BROKEN"
        console.print(f"{mark:7} {outcome.of:10} {outcome.check}", markup=False)
        if outcome.told:
            console.print(f"        {where}{outcome.told}", markup=False)
    console.print(
        f"{word}: {f'{broken} checks failed' if broken else 'keeps the contract'}", markup=False, style="bold"
    )
    return 1 if broken else 0
