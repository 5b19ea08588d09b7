"""The contract of a custom task: data, student and teacher that fit each other, checked in seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.data import checks
from benchmarks.registry.methods import METHODS, rows_of
from benchmarks.task import Examples, Task
from benchmarks.teachers import store
from benchmarks.validation.method_checks import Broken, said
from benchmarks.validation.outcome import Outcome
from benchmarks.validation.toys import seeded
from tgt import freeze

_FEW = 8  # samples that pass through the networks


@dataclass
class TaskTrial:
    """A task with its parts, made when asked for."""

    task: Task

    @cached_property
    def examples(self) -> Examples:
        return self.task.unchecked()

    @cached_property
    def inputs(self) -> Tensor:
        return self.task.tensor(self.examples.pool_inputs[:_FEW])

    @cached_property
    def teacher(self) -> dict[str, Any]:
        return {part: freeze(module) for part, module in store.networks_of(self.task).items()}


def has_data(trial: TaskTrial) -> None:
    """Data: inputs and labels go together"""
    found = trial.examples
    inputs = {"training": found.pool_inputs, "test": found.test_inputs}
    told = checks.of_inputs(inputs, trial.task.domain)
    if found.pool_labels.ndim == found.test_labels.ndim == 1:
        told = told or checks.of_labels(found.pool_labels, found.validation, found.test_labels, found.class_names)
    if told:
        raise Broken(told)


def keeps_test_apart(trial: TaskTrial) -> None:
    """Data: no test input is among the training inputs"""
    found = trial.examples
    if told := checks.of_overlap(found.pool_inputs, found.test_inputs, tokens=found.vocabulary is not None):
        raise Broken(told)


def has_budgets(trial: TaskTrial) -> None:
    """Budgets: the pool can give them"""
    examples = trial.examples
    if examples.pool_labels.ndim == 1:
        available = np.bincount(examples.pool_labels, minlength=examples.classes)
        if trial.task.profile.kind == "uniform":
            available = available.sum(keepdims=True)
        for budget in sorted({b for size in trial.task.sizes.values() for b in (size.budget, *size.budgets)}):
            try:
                trial.task.profile.counts(available, budget)
            except ValueError as error:
                raise Broken(str(error)) from error


def has_settings(trial: TaskTrial) -> None:
    """Settings: steps, metric and hyper-parameters that there are"""
    task = trial.task
    for size in task.sizes.values():
        if size.steps < 1 or size.batch < 1:
            raise Broken(f"steps and batch must be at least 1, not {size.steps} and {size.batch}")
    rows = [METHODS[name] for name in rows_of(task)]
    known = {field.name for row in rows for field in fields(row.load().Config)}
    for name in task.defaults:
        if name not in known:
            raise Broken(f"defaults names {name!r}, which no method has; there are {', '.join(sorted(known))}")
    few = slice(0, 50)
    labels = trial.examples.test_labels[few]
    student = seeded(lambda: task.student(trial.examples.classes), 0).eval()
    with torch.no_grad():
        logits = student(task.tensor(trial.examples.test_inputs[few]))
    counts = np.bincount(trial.examples.pool_labels, minlength=trial.examples.classes) if labels.ndim == 1 else labels
    judged = task.judge(logits, labels, trial.examples, counts)
    for metric in (task.metric, *task.also):
        if metric not in judged:
            raise Broken(f"there is no metric {metric!r}; there are {', '.join(judged)}")


def has_student(trial: TaskTrial) -> None:
    """Student: inputs to logits, a fresh start each time"""
    classes = trial.examples.classes
    build = trial.task.student
    students = [seeded(lambda: build(classes), seed) for seed in (0, 0, 1)]
    logits = students[0](trial.inputs)
    if logits.shape != (len(trial.inputs), classes):
        raise Broken(
            f"the student gives {tuple(logits.shape)} for {len(trial.inputs)} inputs, not logits of {classes} classes"
        )
    first, again, other = (torch.cat([p.detach().flatten() for p in student.parameters()]) for student in students)
    if not torch.equal(first, again):
        raise Broken("two students made at one seed differ: draw their start from torch's own generator")
    if torch.equal(first, other):
        raise Broken("students made at different seeds are the same: seeds would replicate nothing")


def has_labeler(trial: TaskTrial) -> None:
    """Labeler: inputs to logits, the same each time"""
    labeler = trial.teacher["labeler"]
    with torch.no_grad():
        logits, again = labeler(trial.inputs), labeler(trial.inputs)
    if logits.shape != (len(trial.inputs), trial.examples.classes):
        raise Broken(f"the labeler gives {tuple(logits.shape)}, not logits of {trial.examples.classes} classes")
    if not torch.equal(logits, again):
        raise Broken("the labeler answers the same inputs differently: in eval mode it must not draw")


def has_generator(trial: TaskTrial) -> None:
    """Generator: encode and decode fit each other"""
    generator, labeler = trial.teacher["generator"], trial.teacher["labeler"]
    with torch.no_grad():
        latents = generator.encode(trial.inputs)
        decoded = generator.decode(latents)
    if len(latents) != len(trial.inputs):
        raise Broken(f"encode gives {len(latents)} latents for {len(trial.inputs)} inputs")
    student = seeded(lambda: trial.task.student(trial.examples.classes), 0)
    with torch.no_grad():
        for name, network in (("student", student), ("labeler", labeler)):
            if network(decoded).shape != (len(trial.inputs), trial.examples.classes):
                raise Broken(f"the {name} cannot read what decode gives")


def lets_gradients_through(trial: TaskTrial) -> None:
    """Generator: gradients reach the latents, as gradient-based exploration needs"""
    generator, labeler = trial.teacher["generator"], trial.teacher["labeler"]
    latents = generator.encode(trial.inputs).detach().requires_grad_()
    student = seeded(lambda: trial.task.student(trial.examples.classes), 0).eval()
    decoded = generator.decode(latents)
    if not decoded.requires_grad:
        raise Broken("decode gives no gradient in the latents; rows of TGT by gradient would fail")
    (student(decoded) - labeler(decoded)).square().mean().backward()
    if latents.grad is None or not bool(latents.grad.abs().sum() > 0):
        raise Broken("no gradient of the disagreement reaches the latents")


CHECKS: tuple[Callable[[TaskTrial], None], ...] = (
    has_data,
    keeps_test_apart,
    has_budgets,
    has_student,
    has_settings,
    has_labeler,
    has_generator,
    lets_gradients_through,
)


def task(own: Task) -> Iterator[Outcome]:
    """Every check of a task, one outcome each."""
    trial = TaskTrial(own)
    module = own.code[0] if own.code else type(own).__module__
    file = Path(sys.modules[module].__file__ or "") if module in sys.modules else Path()
    for check in CHECKS:
        told = (check.__doc__ or "").strip()
        try:
            check(trial)
        except Exception as error:
            yield Outcome(own.name, told, *said(error, file))
            if not {"examples", "teacher"} & vars(trial).keys() or (
                check is has_labeler and "teacher" not in vars(trial)
            ):
                return  # data or a teacher that cannot be made: the other checks would say the same again
        else:
            yield Outcome(own.name, told)
