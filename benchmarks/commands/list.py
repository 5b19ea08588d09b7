"""`list`: targets, tasks and methods."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from benchmarks.registry.methods import METHODS
from benchmarks.registry.targets import TARGETS
from benchmarks.registry.tasks import TASKS


@dataclass
class Options:
    pass


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    for title, rows in (
        ("targets", {name: one.about for name, one in TARGETS.items()}),
        ("tasks", {name: task.note for name, task in TASKS.items()}),
        ("methods", {name: row.about for name, row in METHODS.items()}),
    ):
        console.print(title, style="bold")
        for name, text in rows.items():
            console.print(f"  {name:24} {text}", markup=False)
    return 0
