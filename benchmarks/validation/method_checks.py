"""The contract of a method, checked in seconds on small data: what is broken, in plain words, with the line."""

from __future__ import annotations

import inspect
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.core.errors import did_you_mean, in_a_line
from benchmarks.data.asset import Unavailable
from benchmarks.registry.custom import place
from benchmarks.registry.experiments import BASELINE
from benchmarks.registry.methods import METHODS
from benchmarks.runs import loop
from benchmarks.runs.guard import DOORS, STAYS, Doors, Ended, changed, contained, facts, lent_globals
from benchmarks.runs.snapshot import Missing, Put, Taken, given
from benchmarks.validation import peeking, toys
from benchmarks.validation.outcome import NOT_TRIED, RESUMES, SPEED, Outcome
from benchmarks.validation.trial import BATCH, Given, Trial, one_step, steps
from tgt import MethodConfig, TrainingData

LIMIT = 60.0  # seconds that a check may take
SLOW = 20  # times distillation's steps, beyond which a method's are remarked


class Broken(Exception):
    """A broken term of the contract. line: of the method's file, None where no single one is to blame."""

    def __init__(self, told: str, line: int | None = None) -> None:
        super().__init__(told)
        self.line = line


def has_hyper_parameters(trial: Trial) -> None:
    """Config and search fit together"""
    config = trial.cls.Config
    if not (is_dataclass(config) and issubclass(config, MethodConfig) and config.__dataclass_params__.frozen):  # type: ignore[attr-defined]
        raise Broken(f"Config must be a frozen dataclass derived from MethodConfig, not {config.__name__}")
    known = {field.name for field in fields(config)}
    for name, values in trial.cls.search.items():
        if name not in known:
            there = ", ".join(sorted(known)) + did_you_mean(name, known)
            raise Broken(f"search names {name!r}, which Config does not have; it has {there}")
        for value in values:
            try:
                config(**{**trial.row.fixed, name: value})
            except (ValueError, TypeError) as error:
                raise Broken(f"search tries {name}={value!r}, which Config refuses: {error}") from error


def gives_scalar_terms(trial: Trial) -> None:
    """loss gives named scalar terms that teach the student"""
    data, student, method = trial.start()
    if not 0 <= method.real_share <= 1:
        raise Broken(f"real_share must lie between 0 and 1, not be {method.real_share}")
    terms = one_step(data, student, method)
    told = _wrong(terms)
    if not told:
        total = torch.stack(list(terms.values())).sum()
        if total.requires_grad:
            total.backward()
        if not any(p.grad is not None and bool(p.grad.abs().sum()) for p in student.parameters()):
            told = "no gradient: the loss does not depend on the student's parameters"
    if told:
        raise Broken(told, trial.follow(one_step, lambda *_: {}).last)


def _wrong(terms: Any) -> str:
    """Why a loss's terms are none; "" if they are."""
    if not isinstance(terms, dict) or not terms:
        return f"loss must return a dict of named terms, not {type(terms).__name__}"
    for name, term in terms.items():
        if not isinstance(term, Tensor) or term.dim():
            shape = tuple(term.shape) if isinstance(term, Tensor) else type(term).__name__
            return f"term {name!r} of the loss must be one number, not {shape}: take its mean"
        if not math.isfinite(term.item()):
            return f"term {name!r} of the loss is {term.item()}"
    return ""


def leaves_the_student(trial: Trial) -> None:
    """The student keeps its mode, its hooks and its parameters, and the batch is left as it is"""

    def now(student: nn.Module, data: TrainingData) -> dict[str, Any]:
        return {
            "the student was left in eval mode": student.training,
            "hooks were left on the student": [
                len(m._forward_hooks) + len(m._forward_pre_hooks) for m in student.modules()
            ],
            STAYS["student"]: [(name, id(p), p.requires_grad) for name, p in student.named_parameters()],
            "the batch was written to: what it gives is a copy that nobody sees again": sum(b.writes for b in made),
        }

    made: list[Given] = []
    data, student, method = trial.start()
    before = now(student.train(), data)
    one_step(data, student, method, made=made)
    if told := changed(before, now(student, data)):
        made.clear()
        raise Broken(told[0], trial.follow(partial(one_step, made=made), now).changed.get(told[0]))


def leaves_the_rest(trial: Trial) -> None:
    """The teacher stays frozen; data, global settings and random generators stay as they are"""
    data, student, method = trial.start()
    before = facts(student, data)
    frozen = {id(p) for part in (data.teacher.generator, data.teacher.labeler) for p in part.parameters()}
    if any(id(p) in frozen for p in method.parameters(student)):
        raise Broken("parameters(student) gives the teacher's parameters, and the teacher stays frozen")
    steps(data, student, method)
    if told := changed(before, facts(student, data)):
        raise Broken(STAYS[told[0]], trial.follow(steps).changed.get(told[0]))


def shows_what_it_may(trial: Trial) -> None:
    """The student is shown as many samples a step as any other method's"""
    for match in ("samples", "real"):
        real, generated, shown = _shown(trial, match)
        totals = [*accumulate(count for count, _ in shown)]
        if (totals or [0])[-1] != real + generated:
            beyond = next(
                (line for total, (_, line) in zip(totals, shown, strict=True) if total > real + generated), None
            )
            raise Broken(
                f"a step may show the student {real + generated} samples ({real} real, {generated} generated), and it "
                f"was shown {(totals or [0])[-1]}: passes that do not teach belong in eval mode",
                beyond or trial.follow(one_step, lambda *_: {}).last,
            )


def _shown(trial: Trial, match: str) -> tuple[int, int, list[tuple[int, int | None]]]:
    """Real and generated samples of a step, and how many each pass showed, with the line at work."""
    data, student, method = trial.start()
    found: list[tuple[int, int | None]] = []
    doors = Doors(
        student, data.teacher, lambda door, count: found.append((count * (door == "show"), trial.line_here()))
    )
    one_step(data, student, method, match)
    doors.close()
    return *loop.Schedule(1, BATCH, match).step_sizes(method.real_share), found


def pays_at_the_doors(trial: Trial) -> None:
    """The teacher is asked through self.teacher, where it is counted"""
    data, student, method = trial.start()
    around: dict[str, int | None] = {}

    def look(door: str, count: int) -> None:
        counted = data.teacher.costs.counts[DOORS[door]] if door in DOORS else doors.seen[door]
        if doors.seen[door] > counted:
            around.setdefault(door, trial.line_here())

    doors = Doors(student, data.teacher, look)
    steps(data, student, method)
    doors.close()
    if found := doors.uncounted(data.teacher.costs):
        raise Broken(found[1], around.get(found[0]))


def shares_nothing(trial: Trial) -> None:
    """Nothing is kept for the next run"""
    before = trial.shared
    trial.train()
    if told := changed(before, trial.shared):
        line = trial.follow(steps, lambda *_: trial.shared).changed.get(told[0])
        raise Broken(f"{told[0]} changed in a run, and all runs share it: keep it on self", line)


def repeats(trial: Trial) -> None:
    """Equal seeds give equal students, whatever else ran in the process"""
    first = trial.train()
    torch.rand(11)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        second = trial.train()
    if any(not torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)):
        drawn = trial.follow(steps, lambda *_: {"drawn": bytes(torch.get_rng_state())}).changed.get("drawn")
        raise Broken("two runs with equal seeds ended apart: draw with generator=self.rng", drawn)


def sees_no_test_data(trial: Trial) -> None:
    """No test data is looked at"""
    for file, line, name in peeking.of_benchmarks(trial.cls.__module__, trial.row.packages):
        told = f"the file names {name}, where the test data are; what a method may see is self.data"
        raise Broken(
            told if file == trial.file else f"{file.name}, line {line}: {told}", line if file == trial.file else None
        )
    data, student, method = trial.start()
    with peeking.files_watched() as opened:
        steps(data, student, method)
    if opened:
        name, lines = opened[0]
        raise Broken(
            f"{name} was read while the student was trained: what a method may see is self.data",
            next((line for file, line in reversed(lines) if file == str(trial.file)), None),
        )


CHECKS: tuple[Callable[[Trial], None], ...] = (
    has_hyper_parameters,
    gives_scalar_terms,
    leaves_the_student,
    leaves_the_rest,
    shows_what_it_may,
    pays_at_the_doors,
    shares_nothing,
    repeats,
    sees_no_test_data,
)


def method(name: str, modalities: tuple[str, ...] = toys.MODALITIES) -> Iterator[Outcome]:
    """The checks of a row of `METHODS` on every modality that it is for, up to the first that is broken on each.

    What is broken there may break any number of further checks: one cause is told once.
    """
    domain = METHODS[name].domain
    told: list[Outcome] = []
    for modality in [m for m in modalities if domain in ("", m)]:
        try:
            toys.data(modality)
        except Unavailable as error:
            yield Outcome(modality, NOT_TRIED, f"its data cannot be had: {error}")
            continue
        for check in CHECKS:
            outcome = _outcome(name, modality, check)
            if not outcome.broken:
                yield outcome
                continue
            if not any(outcome.check == one.check and _alike(outcome, one) for one in told):
                told.append(outcome)
                yield outcome
            break
        else:
            yield from _slow(Trial(name, modality))
            yield from _unsaved(Trial(name, modality))


def _alike(one: Outcome, other: Outcome) -> bool:
    """Whether two modalities tell of one cause: the same line, or the same words but for numbers."""
    without = (re.sub(r"\d+", "", outcome.told) for outcome in (one, other))
    return (one.line is not None and one.line == other.line) or len({*without}) == 1


def _outcome(name: str, modality: str, check: Callable[[Trial], None]) -> Outcome:
    told = (check.__doc__ or "").strip()
    try:
        with contained(LIMIT), lent_globals(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(2**62 + 1)  # no person's seed
            check(Trial(name, modality))
    except Exception as error:  # whatever a person's code raises is the finding
        return Outcome(modality, told, *said(error, Path(inspect.getsourcefile(METHODS[name].load()) or "")))
    return Outcome(modality, told)


def said(error: Exception, file: Path) -> tuple[str, int | None]:
    """What a check tells of an error: plain words, and the line of the person's file that it passed through last."""
    if isinstance(error, Broken):
        return str(error), error.line
    _, _, line = place(error, file.resolve()).partition(", line ")
    return str(error) if isinstance(error, Ended) else in_a_line(error), int(line) if line else None


def _slow(trial: Trial) -> Iterator[Outcome]:
    """A remark on a method whose steps take much longer than distillation's."""
    times = _seconds(trial) / _of_distillation(trial.modality)
    if times > SLOW:
        yield Outcome(trial.modality, SPEED, f"a step takes {times:.0f} times as long as one of {BASELINE}")


def _unsaved(trial: Trial) -> Iterator[Outcome]:
    """A remark on a method that keeps what the state of a run cannot hold."""
    data, student, method = trial.start()
    steps(data, student, method)
    taken = Taken(given(data, method))
    trees = [taken.take(student, "student"), taken.take(method, "self")]
    told = taken.cannot[:1]
    fresh = trial.cls(trial.config, data, toys.rng(5))
    one_step(data, student, fresh)
    try:
        put = Put(taken.tensors, given(data, fresh))
        for tree, name, there in zip(trees, ("student", "self"), (student, fresh), strict=True):
            put.put(tree, name, there)
    except Missing as error:
        told += [str(error)]
    if told:
        yield Outcome(trial.modality, RESUMES, f"it starts from its first step: {told[0]} cannot be saved")


@cache
def _of_distillation(modality: str) -> float:
    return min(_seconds(Trial(BASELINE, modality)) for _ in range(2))


def _seconds(trial: Trial) -> float:
    """Of a processor, for a few steps."""
    data, student, method = trial.start()
    start = time.process_time()
    steps(data, student, method)
    return time.process_time() - start
