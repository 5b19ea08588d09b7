"""What makes the missing cells of a plan: processes of this machine, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.records.record import Record, Store
from benchmarks.runs import scheduler


class Engine(Protocol):
    def run(self, plan: scheduler.Plan, store: Store, done: Callable[[Record], None]) -> None:
        """Make the missing cells; `done` gets each record once it is kept in the store."""

    def at_work(self) -> list[dict[str, Any]]:
        """What is under way: cell, step, steps and loss of each."""


@dataclass(frozen=True)
class Local:
    """Processes of one thread each, which share a results folder with those of other commands."""

    folder: Path
    jobs: int
    patience: float
    save_every: float

    def run(self, plan: scheduler.Plan, store: Store, done: Callable[[Record], None]) -> None:
        scheduler.run_missing(plan, store, self.jobs, done, self.patience, self.save_every)

    def at_work(self) -> list[dict[str, Any]]:
        return scheduler.at_work(self.folder)
