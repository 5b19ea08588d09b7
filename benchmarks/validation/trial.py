"""A method at work on small data, for the checks of its contract: a step, a few steps, and which line did it."""

from __future__ import annotations

import inspect
import pickle
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.registry.methods import METHODS
from benchmarks.runs import loop
from benchmarks.runs.guard import facts, lent_globals
from benchmarks.validation import toys
from tgt import Batch, Method, TrainingData

STEPS, BATCH = 3, 8

#: What is done with a method: of (data, student, method).
Act = Callable[[TrainingData, nn.Module, Method], Any]


@dataclass
class Given(Batch):
    """A batch that knows what it gave away."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if isinstance(value, Tensor):
            self.__dict__.setdefault("given", []).append((name, value, value._version))
        return value

    @property
    def writes(self) -> int:
        """How often what it gave away was written to in place since."""
        return sum(value._version - version for _, value, version in self.__dict__.get("given", ()))


class Lines:
    """The lines of a file at work inside `follow`.

    Attributes:
        last: the line that was at work last, None if none was.
        changed: of each fact of `probe` that changed, the line that changed it last.
    """

    def __init__(self, file: Path, probe: Callable[[], dict[str, Any]] = dict) -> None:
        self.file, self.probe = str(file), probe
        self.last: int | None = None
        self.changed: dict[str, int | None] = {}

    def follow(self, work: Callable[[], Any]) -> Any:
        """What `work` gives, its lines followed. Raises what it raises."""
        self._known, before = self.probe(), sys.gettrace()
        sys.settrace(self._look)
        try:
            return work()
        finally:
            sys.settrace(before)
            self._compare()

    def _look(self, frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename != self.file:
            return None
        self._compare()
        back = frame.f_back
        if event == "line":
            self.last = frame.f_lineno
        elif event == "return" and back is not None and back.f_code.co_filename == self.file:
            self.last = back.f_lineno
        return self._look

    def _compare(self) -> None:
        if self.last is not None:
            now = self.probe()
            self.changed |= {name: self.last for name in now if now[name] != self._known.get(name)}
            self._known = now


class Trial:
    """A row of `METHODS` on small data of a modality."""

    def __init__(self, name: str, modality: str) -> None:
        self.name, self.row, self.modality = name, METHODS[name], modality
        self.cls: type[Method] = self.row.load()
        self.file = Path(inspect.getsourcefile(self.cls) or "")

    @cached_property
    def config(self) -> Any:
        """Its defaults, with a pool small enough for seconds."""
        known = {field.name for field in fields(self.cls.Config)}
        small = {name: value for name, value in {"pool": 12, "renew": 4, "every": 2}.items() if name in known}
        return self.cls.Config(**{**self.row.defaults, **self.row.fixed, **small})

    def line_here(self) -> int | None:
        """The line of the method's file that is at work now."""
        lines = [frame.lineno for frame in traceback.extract_stack() if frame.filename == str(self.file)]
        return lines[-1] if lines else None

    def start(self) -> tuple[TrainingData, nn.Module, Method]:
        data, student = toys.data(self.modality), toys.student(self.modality)
        return data, student, self.cls(self.config, data, toys.rng(5))

    def train(self) -> nn.Module:
        """A student after a few steps."""
        data, student, method = self.start()
        steps(data, student, method)
        return student

    def follow(self, act: Act, probe: Callable[[nn.Module, TrainingData], dict[str, Any]] = facts) -> Lines:
        """A method is made and `act` done with it, whatever comes of it: its lines, and what `probe` saw there."""
        data, student = toys.data(self.modality), toys.student(self.modality)
        lines = Lines(self.file, lambda: probe(student, data))
        with suppress(Exception), lent_globals(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(2**62 + 2)
            lines.follow(lambda: act(data, student, self.cls(self.config, data, toys.rng(5))))
        return lines

    @property
    def shared(self) -> dict[str, Any]:
        """What outlives a run: values of the module and its classes, and default values of their functions."""
        module = sys.modules[self.cls.__module__]
        classes = [one for one in vars(module).values() if inspect.isclass(one) and one.__module__ == module.__name__]
        found = {}
        owners: list[Any] = [module, *classes]
        for owner in owners:
            for name, value in [*vars(owner).items()]:
                function = getattr(value, "fget", None) or getattr(value, "__func__", value)
                if inspect.isfunction(function):
                    defaults = function.__defaults__, function.__kwdefaults__
                    found[f"a default value of {owner.__name__}.{name}"] = _content(defaults)
                elif not (name.startswith("__") or inspect.ismodule(value) or callable(value)):
                    found[f"{owner.__name__}.{name}"] = _content(value)
        return found


def _content(value: Any) -> bytes | int:
    try:
        return pickle.dumps(value)
    except Exception:  # what cannot be pickled is known by its place
        return id(value)


def one_step(
    data: TrainingData, student: nn.Module, method: Method, match: str = "samples", made: list[Given] | None = None
) -> Any:
    """What a method's loss gives in a first step. made: takes the batch that it is given."""
    real, num_generated = loop.Schedule(1, BATCH, match).step_sizes(method.real_share)
    batch = Given(data, torch.arange(real), num_generated)
    if made is not None:
        made.append(batch)
    method.parameters(student)  # as the loop does: layers of the method's own may be made there
    return method.loss(student.train(), batch)


def steps(data: TrainingData, student: nn.Module, method: Method) -> None:
    """A run of a few steps."""
    schedule = loop.Schedule(STEPS, BATCH)
    loop.train(student, method, data, schedule, toys.rng(7), data.teacher.costs, lambda step: None)
