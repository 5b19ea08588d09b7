"""The contract of a method, checked in seconds on small data: what is broken, in plain words, with the line."""

from __future__ import annotations

import copy
import inspect
import math
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.core import paths
from benchmarks.core.fingerprint import imports_of
from benchmarks.data.asset import Unavailable
from benchmarks.registry.custom import place
from benchmarks.registry.methods import METHODS
from benchmarks.runs import loop
from benchmarks.validation import toys
from tgt import Batch, Method, MethodConfig, TrainingData

STEPS, BATCH = 3, 8
NOT_TRIED = "not tried"


class Broken(Exception):
    """A broken term of the contract. line: of the method's file, None where no single one is to blame."""

    def __init__(self, told: str, line: int | None = None) -> None:
        super().__init__(told)
        self.line = line


@dataclass(frozen=True)
class Outcome:
    """What a check found; `told` is empty where all is well. of: what it was tried on."""

    of: str
    check: str
    told: str = ""
    line: int | None = None


class Trial:
    """A method on small data of a modality, with its doors watched."""

    def __init__(self, name: str, modality: str) -> None:
        self.name, self.row, self.modality = name, METHODS[name], modality
        self.cls: type[Method] = self.row.load()
        self.file = Path(inspect.getsourcefile(self.cls) or "")
        self.config = self._config()

    def _config(self) -> Any:
        """Its defaults, with a pool small enough for seconds."""
        known = {field.name for field in fields(self.cls.Config)}
        small = {name: value for name, value in {"pool": 12, "renew": 4, "every": 2}.items() if name in known}
        return self.cls.Config(**{**self.row.defaults, **self.row.fixed, **small})

    def line_here(self) -> int | None:
        """The line of the method's file that is at work now."""
        lines = [frame.lineno for frame in traceback.extract_stack() if frame.filename == str(self.file)]
        return lines[-1] if lines else None

    @property
    def loss_line(self) -> int:
        return inspect.getsourcelines(self.cls.loss)[1] if self.cls.loss is not Method.loss else 1

    def start(self) -> tuple[TrainingData, nn.Module, Method]:
        data, student = toys.data(self.modality), toys.student(self.modality)
        return data, student, self.cls(self.config, data, toys.rng(5))

    def train(self) -> nn.Module:
        """A student after a few steps."""
        data, student, method = self.start()
        _train(data, student, method)
        return student


def has_hyper_parameters(trial: Trial) -> None:
    """Config and search fit together"""
    config = trial.cls.Config
    if not (is_dataclass(config) and issubclass(config, MethodConfig) and config.__dataclass_params__.frozen):  # type: ignore[attr-defined]
        raise Broken(f"Config must be a frozen dataclass derived from MethodConfig, not {config.__name__}")
    known = {field.name for field in fields(config)}
    for name, values in trial.cls.search.items():
        if name not in known:
            raise Broken(f"search names {name!r}, which Config does not have; it has {', '.join(sorted(known))}")
        for value in values:
            try:
                config(**{**trial.row.fixed, name: value})
            except (ValueError, TypeError) as error:
                raise Broken(f"search tries {name}={value!r}, which Config refuses: {error}") from error


def gives_scalar_terms(trial: Trial) -> None:
    """loss gives named scalar terms that teach the student"""
    data, student, method = trial.start()
    share = method.real_share
    if not 0 <= share <= 1:
        raise Broken(f"real_share must lie between 0 and 1, not be {share}")
    real, num_generated = loop.Schedule(1, BATCH).step_sizes(share)
    terms = method.loss(student.train(), Batch(data, torch.arange(real), num_generated))
    if not isinstance(terms, dict) or not terms:
        raise Broken(f"loss must return a dict of named terms, not {type(terms).__name__}", trial.loss_line)
    for name, term in terms.items():
        if not isinstance(term, Tensor) or term.dim():
            shape = tuple(term.shape) if isinstance(term, Tensor) else type(term).__name__
            raise Broken(f"term {name!r} of the loss must be one number, not {shape}: take its mean", trial.loss_line)
        if not math.isfinite(term.item()):
            raise Broken(f"term {name!r} of the loss is {term.item()}", trial.loss_line)
    total = torch.stack(list(terms.values())).sum()
    if not total.requires_grad:
        raise Broken("no gradient: the loss does not depend on the student's parameters", trial.loss_line)
    total.backward()
    if not any(p.grad is not None and bool(p.grad.abs().sum()) for p in student.parameters()):
        raise Broken("the loss gives the student no gradient", trial.loss_line)


def leaves_the_teacher(trial: Trial) -> None:
    """The teacher stays frozen"""
    data, student, method = trial.start()
    parts = {"generator": data.teacher.generator, "labeler": data.teacher.labeler}
    before = {name: copy.deepcopy(part.state_dict()) for name, part in parts.items()}
    _train(data, student, method)
    for name, part in parts.items():
        if any(not torch.equal(weight, before[name][key]) for key, weight in part.state_dict().items()):
            raise Broken(f"the {name}'s weights or statistics changed while the student was trained", trial.loss_line)
        if part.training:
            raise Broken(f"the {name} was left in training mode", trial.loss_line)
        if any(p.grad is not None for p in part.parameters()):
            raise Broken(f"the {name}'s parameters were given gradients: take them for the latents alone", None)


def shows_what_it_may(trial: Trial) -> None:
    """The student is shown as many samples a step as any other method's, and keeps its mode"""
    for match in ("samples", "real"):
        data, student, method = trial.start()
        shown: list[tuple[int, int | None]] = []

        def watch(module: nn.Module, args: tuple, shown: list = shown) -> None:
            if module.training:
                shown.append((len(args[0]), trial.line_here()))

        handle = student.register_forward_pre_hook(watch)
        real, num_generated = loop.Schedule(1, BATCH, match).step_sizes(method.real_share)
        student.train()
        method.loss(student, Batch(data, torch.arange(real), num_generated))
        handle.remove()
        count, line = sum(n for n, _ in shown), shown[-1][1] if shown else trial.loss_line
        if count != real + num_generated:
            raise Broken(
                f"a step may show the student {real + num_generated} samples ({real} real, {num_generated} "
                f"generated), and it was shown {count}: passes that do not teach belong in eval mode",
                line,
            )
        if not student.training:
            raise Broken("the student was left in eval mode", trial.loss_line)
        if student._forward_hooks or student._forward_pre_hooks:
            raise Broken("hooks were left on the student", trial.loss_line)


def pays_at_the_doors(trial: Trial) -> None:
    """The teacher is asked through self.teacher, where it is counted"""
    data, student, method = trial.start()
    teacher = data.teacher
    asked = {"label": "labeler_queries", "encode": "encodes", "decode": "decodes"}
    around: dict[str, int | None] = {}
    seen = dict.fromkeys(asked, 0)

    def watched(door: str, ask: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def answer(inputs: Tensor) -> Tensor:
            seen[door] += len(inputs)
            names = {frame.f_code.co_filename for frame, _ in traceback.walk_stack(None)}
            if inspect.getsourcefile(type(teacher)) not in names:
                around[door] = trial.line_here()
            return ask(inputs)

        return answer

    teacher.labeler.forward = watched("label", teacher.labeler.forward)
    for door in ("encode", "decode"):
        setattr(teacher.generator, door, watched(door, getattr(teacher.generator, door)))
    _train(data, student, method)
    for door, counter in asked.items():
        if seen[door] > teacher.costs.counts[counter]:
            raise Broken(
                f"{seen[door]} samples went through the teacher, {teacher.costs.counts[counter]} of them counted as "
                f"{counter}: call self.teacher.{door}, not the network itself",
                around.get(door),
            )


def repeats(trial: Trial) -> None:
    """Equal seeds give equal students, whatever else ran in the process"""
    first = trial.train()
    torch.rand(11)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        second = trial.train()
    if any(not torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)):
        raise Broken(
            "two runs with equal seeds ended apart: draw with generator=self.rng, and keep nothing on the class",
            trial.loss_line,
        )


def sees_no_test_data(trial: Trial) -> None:
    """No test data is looked at"""
    for name in sorted(set(imports_of(trial.file.read_text()))):
        if name.split(".")[0] == "benchmarks":
            raise Broken(f"the file imports {name}, where the test data are; what a method may see is self.data", None)
    data, student, method = trial.start()
    with _files_watched() as opened:
        _train(data, student, method)
    if opened:
        name, lines = opened[0]
        raise Broken(
            f"{name} was read while the student was trained: what a method may see is self.data",
            next((line for file, line in reversed(lines) if file == str(trial.file)), None),
        )


CHECKS: tuple[Callable[[Trial], None], ...] = (
    has_hyper_parameters,
    gives_scalar_terms,
    leaves_the_teacher,
    shows_what_it_may,
    pays_at_the_doors,
    repeats,
    sees_no_test_data,
)


def method(name: str, modalities: tuple[str, ...] = toys.MODALITIES) -> Iterator[Outcome]:
    """Every check of a row of `METHODS` on every modality that it is for, one outcome each."""
    domain = METHODS[name].domain
    for modality in [m for m in modalities if domain in ("", m)]:
        try:
            toys.data(modality)
        except Unavailable as error:
            yield Outcome(modality, NOT_TRIED, f"its data cannot be had: {error}")
            continue
        for check in CHECKS:
            yield _outcome(name, modality, check)


def _outcome(name: str, modality: str, check: Callable[[Trial], None]) -> Outcome:
    told = (check.__doc__ or "").strip()
    try:
        check(Trial(name, modality))
    except Exception as error:  # whatever a person's code raises is the finding
        return Outcome(modality, told, *said(error, Path(inspect.getsourcefile(METHODS[name].load()) or "")))
    return Outcome(modality, told)


def said(error: Exception, file: Path) -> tuple[str, int | None]:
    """What a check tells of an error: plain words, and the line of the person's file that it passed through last."""
    if isinstance(error, Broken):
        return str(error), error.line
    _, _, line = place(error, file.resolve()).partition(", line ")
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}", int(line) if line else None


def _train(data: TrainingData, student: nn.Module, method: Method) -> None:
    schedule = loop.Schedule(STEPS, BATCH)
    loop.train(student, method, data, schedule, toys.rng(7), data.teacher.costs, lambda step: None)


_watching: list[list] = []


def _audit(event: str, args: tuple) -> None:
    if _watching and event == "open" and str(args[0]).startswith(str(paths.cache() / "data")):
        stack = [(frame.f_code.co_filename, number) for frame, number in traceback.walk_stack(sys._getframe(1))]
        _watching[-1].append((Path(str(args[0])).name, stack[::-1]))


@contextmanager
def _files_watched() -> Iterator[list]:
    """Files of the data cache opened in the block, each with the (file, line) frames that opened it."""
    if not getattr(_audit, "installed", False):  # an audit hook stays for the life of the process
        sys.addaudithook(_audit)
        _audit.installed = True  # type: ignore[attr-defined]
    _watching.append([])
    try:
        yield _watching[-1]
    finally:
        _watching.pop()
