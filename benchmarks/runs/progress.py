"""What a person sees while cells run: a live table and bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from benchmarks.metrics.classification import label
from benchmarks.records.record import Record
from benchmarks.registry import tasks
from benchmarks.runs import scheduler

REFRESH = 1.0  # seconds between two looks at the workers
HEARTBEAT = 30.0  # seconds between two lines of a quiet log


class Progress:
    """Cells done of all, what the workers are at with their loss, and the time left.

    Args:
        total: cells to run. seconds: estimate for all of them. folder: the results folder the workers write to.
        table: renders the table as it stands, from the records that have come in; None shows none.
    """

    def __init__(
        self, console: Console, total: int, seconds: float, folder: Path, table: Callable[[], Any] | None = None
    ) -> None:
        self.console, self.total, self.folder, self.table = console, total, folder, table
        self.estimate, self.start, self.done, self.failed = seconds, time.monotonic(), 0, 0
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._watcher.join()
        if self._live:
            self._live.update(self._line(), refresh=True)
            self._live.stop()

    def add(self, record: Record) -> None:
        self.done += 1
        self.failed += record.status == "failed"
        if self._live is None:
            outcome = f"FAILED: {record.reason}" if record.status == "failed" else _score(record)
            self.console.print(
                f"[{self.done}/{self.total}] {record.spec.label}: {outcome}  {self._left()}", markup=False
            )

    def _watch(self) -> None:
        spoken = time.monotonic()
        while not self._stop.wait(REFRESH):
            if self._live:
                shown = [self.table()] if self.table else []
                workers = [Text("  " + _worker(status), style="dim") for status in scheduler.at_work(self.folder)]
                self._live.update(Group(*shown, *workers, self._line()), refresh=True)
            elif time.monotonic() - spoken > HEARTBEAT:
                spoken = time.monotonic()
                for status in scheduler.at_work(self.folder):
                    self.console.print("  at work: " + _worker(status), markup=False)

    def _line(self) -> Text:
        failed = f", {self.failed} failed" if self.failed else ""
        return Text(f"{self.done} of {self.total} cells done{failed}  {self._left()}", style="bold")

    def _left(self) -> str:
        elapsed = time.monotonic() - self.start
        left = max(self.estimate - elapsed, 0.0) if self.done < 2 else elapsed / self.done * (self.total - self.done)
        return f"(elapsed {_minutes(elapsed)}, left about {_minutes(left)})"


def _worker(status: dict) -> str:
    loss = f", loss {status['loss']:.3f}" if status["step"] else ""
    place = f" on {status['host']}" if status["host"] else ""
    return f"{status['cell']}{place}: step {status['step']}/{status['steps']}{loss}"


def _score(record: Record) -> str:
    """A run's score on the test set; of a search's trial on the validation samples, for those are what it may see."""
    searched = record.spec.trial is not None and record.curve[-1].validation
    metric = tasks.get(record.spec.task).metric
    score = (searched or record.metrics).get(metric)
    where = "on validation samples" if searched else "on the test set"
    return f"{100 * score:.1f} % {label(metric)} {where}" if score is not None else "done"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
