"""The state of a run in the middle of it, in a file from which a killed run goes on: on a CPU to the same bits."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save

from benchmarks.core import paths
from benchmarks.core.errors import MachineFailure, in_a_line, tell, tell_once
from benchmarks.records.record import Checkpoint
from benchmarks.runs.snapshot import Missing, Put, Taken, given
from tgt import Costs, TrainingData

EVERY = 300  # seconds between two saves, unless a person says otherwise
_HASH = "the SHA-256 of this file with these words in its place".ljust(64)


class Unfit(Exception):
    """What the run has made does not fit its state: it must begin anew, with networks that nothing was put into."""


def path_of(folder: Path, key: str) -> Path:
    return folder / ".states" / f"{key}.safetensors"


def remove(path: Path) -> None:
    """A run's state, and what a killed writer left of one."""
    for one in (path, *path.parent.glob(f".{path.name}.*")):
        one.unlink(missing_ok=True)


@dataclass
class Keeper:
    """Saves a run's state every so many seconds and on SIGTERM, and puts it back.

    Attributes:
        path: of its file. of: what must be equal where a state is gone on from. label: of the run.
        every: seconds between two saves. evaluation: has the run's `curve` and `hits`.
        generators: the global ones. memory: the most that the run has taken; `earlier`: before it was killed.
    """

    path: Path
    of: dict[str, Any]
    label: str
    every: float
    costs: Costs
    evaluation: Any
    generators: list[torch.Generator]
    memory: Callable[[], dict[str, float]] = dict
    earlier: dict[str, float] = field(default_factory=dict)
    ends: bool = False  # SIGTERM has come

    def begin(self, data: TrainingData, parts: dict[str, Any], warm: Callable[[int], object]) -> int:
        """Put the state that was saved into the parts of a run; the steps that it had done, 0 of none.

        Args:
            parts: what is saved, by name, `method` among them.
            warm: asks the method for a loss after so many steps, for what it makes then.

        Raises:
            Unfit: it cannot be put there, and was removed.
        """
        self.data, self.parts, done = data, parts, 0
        if found := self._read():
            try:
                self._put(*found, warm)
            except (Missing, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
                self._pass_over(f"does not fit ({in_a_line(error)})")
                raise Unfit from error
            done = found[0]["step"]
            tell(f"{self.label} goes on after step {done}")
        self._saved, self._began, self._paid = time.monotonic(), time.perf_counter(), sum(self.costs.seconds.values())
        return done

    def after(self, step: int) -> None:
        """A step is done: save the state if it is time, and end the process if it was told to end."""
        if not self.ends and time.monotonic() - self._saved < self.every:
            return
        self._save(step)
        self._saved = time.monotonic()
        self._end()

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """While a run trains, SIGTERM waits for the end of a step; then it does what it did before."""
        if threading.current_thread() is not threading.main_thread():  # no other may hear signals
            yield
            return

        def told(*_: object) -> None:
            self.ends = True

        self._before = signal.signal(signal.SIGTERM, told) or signal.SIG_DFL
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, self._before)
            self._end()

    def _end(self) -> None:
        if self.ends:
            self.ends = False
            signal.signal(signal.SIGTERM, self._before)
            os.kill(os.getpid(), signal.SIGTERM)

    def _everything(self) -> dict[str, Any]:
        return {**self.parts, "generators": self.generators}

    def _save(self, step: int) -> None:
        taken, costs = Taken(given(self.data, self.parts["method"])), self.costs
        tree = {name: taken.take(part, name) for name, part in self._everything().items()}
        if taken.cannot:
            tell_once(f"{self.label}: no state is saved, for {taken.cannot[0]} cannot be")
            return
        rest = time.perf_counter() - self._began - (sum(costs.seconds.values()) - self._paid)
        about = {
            "step": step,
            "of": self.of,
            "counts": costs.counts,
            "seconds": {**costs.seconds, "untracked": costs.seconds["untracked"] + rest},
            "memory": self.memory(),
            "curve": [point.model_dump() for point in self.evaluation.curve],
            "hits": self.evaluation.hits,
            "computed": [n for n in vars(self.data) if isinstance(getattr(type(self.data), n, None), cached_property)],
            "neighbours": [*self.data._kept],
            "tree": tree,
        }
        raw = save(taken.tensors, {"state": json.dumps(about), "sha256": _HASH})
        raw = raw.replace(_HASH.encode(), hashlib.sha256(raw).hexdigest().encode(), 1)
        try:
            with paths.atomic(self.path) as temporary:
                temporary.write_bytes(raw)
        except MachineFailure as error:  # a run does not end for want of a way to go on with it
            tell_once(f"{self.label}: no state is saved: {error}")

    def _read(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
        if not self.path.exists():
            return None
        wrong = ""
        try:
            raw = self.path.read_bytes()
            with safe_open(self.path, framework="np") as file:
                header = file.metadata()
            raw_then = raw.replace((sha256 := header["sha256"]).encode(), _HASH.encode(), 1)
            if hashlib.sha256(raw_then).hexdigest() != sha256:
                wrong = "is not as it was written"
            about = json.loads(header["state"])
            if other := [name for name in self.of if about["of"].get(name) != self.of[name]]:
                wrong = wrong or f"is of another {other[0]}"
        except (OSError, SafetensorError, LookupError, TypeError, ValueError):
            wrong = "is torn"
        if wrong:
            self._pass_over(wrong)
            return None
        return about, load(raw)

    def _pass_over(self, why: str) -> None:
        tell(f"{self.label}: its state {why}; it is passed over, and the run starts from its first step ({self.path})")
        remove(self.path)

    def _put(self, about: dict[str, Any], tensors: dict[str, torch.Tensor], warm: Callable[[int], object]) -> None:
        for name in about["computed"]:
            getattr(self.data, name)
        for sigma, copies in about["neighbours"]:
            self.data.neighbours(sigma, copies)

        def find() -> Put:
            put = Put(tensors, given(self.data, self.parts["method"]))
            for name, part in self._everything().items():
                put.put(about["tree"][name], name, part)
            return put

        for step in (1, about["step"], 0):
            try:
                put = find()
                break
            except Missing:
                if not step:
                    raise
                warm(step - 1)  # some methods make what they keep in their first step, or in one of a later phase
        put.write()
        self.costs.counts.clear()
        self.costs.counts.update(about["counts"])
        self.costs.seconds.clear()
        self.costs.seconds.update(about["seconds"])
        self.evaluation.curve[:] = [Checkpoint(**point) for point in about["curve"]]
        self.evaluation.hits, self.earlier = about["hits"], about["memory"]
