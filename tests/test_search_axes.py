"""What the search of a row tries must change what the row does: an axis without effect wastes its trials."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache

import pytest
import torch

from benchmarks.registry import tasks
from benchmarks.registry.methods import METHODS
from benchmarks.runs.loop import Schedule, train
from benchmarks.validation import toys
from tgt import MethodConfig

TASK = {"image": tasks.get("fashion-lt"), "text": tasks.get("movie-5"), "retrieval": tasks.get("wiki-titles")}
STEPS = 4
#: Values in place of those that the toy's four passages cannot tell apart.
OF_TOYS = {"candidates": [2, 3]}


@cache
def trained(name: str, modality: str, config: MethodConfig) -> torch.Tensor:
    """The weights of a student after a few steps."""
    data, student = toys.data(modality), toys.student(modality)
    method = METHODS[name].load()(config, data, toys.rng(5))
    train(student, method, data, Schedule(STEPS, 8), toys.rng(7), data.teacher.costs, lambda step: None)
    return torch.cat([parameter.detach().flatten() for parameter in student.parameters()])


def without_effect(name: str, modality: str) -> list[str]:
    """Axes of a row's space whose first and last value never make a difference, whatever the other axes are at."""
    row, found = METHODS[name], []
    space = {axis: OF_TOYS.get(axis, values) for axis, values in row.space(TASK[modality]).items()}
    often = {"pool": 12, "renew": 4, "every": 2, "student_steps": 2}  # what is renewed at all is, in a few steps
    renewed = {name: value for name, value in often.items() if name in row.load().Config.__dataclass_fields__}

    def result(setting: dict) -> torch.Tensor:
        return trained(name, modality, row.load().Config(**{**row.defaults, **setting, **renewed, **row.fixed}))

    for axis, values in space.items():
        bases = [{}, *({other: tried[end] for other, tried in space.items()} for end in (0, -1))]
        if all(torch.equal(result({**base, axis: values[0]}), result({**base, axis: values[-1]})) for base in bases):
            found.append(axis)
    return found


def modality_of(name: str) -> str:
    row = METHODS[name]
    return next(m for m in (*row.tables, *TASK) if m in TASK and not row.unfit(TASK[m]))


@pytest.mark.parametrize("name", METHODS)
def test_every_axis_of_a_search_has_an_effect(name):
    assert without_effect(name, modality_of(name)) == []


@pytest.mark.parametrize(
    ("name", "space", "idle"),
    [
        ("distillation-scores", {"temperature": [1.0, 2.0]}, ["temperature"]),
        ("tgt-random-pool", {"step_size": [1.0, 2.0]}, ["step_size"]),
        ("tgt-gradient", {"step_size": [1.0, 2.0]}, []),
    ],
)
def test_an_axis_without_effect_is_found(name, space, idle, monkeypatch):
    row = METHODS[name]
    every = {axis: [] for axis in row.load().search}
    monkeypatch.setitem(METHODS, name, replace(row, search={**every, **space}))
    assert without_effect(name, modality_of(name)) == idle


def test_an_emptied_axis_is_not_searched():
    for name, task in itertools.product(("tgt-random-pool", "tgt-gradient-pool"), TASK.values()):
        assert ("step_size" in METHODS[name].space(task)) == (name == "tgt-gradient-pool")
    assert METHODS["tgt-gradient-pool"].space(TASK["text"])["step_size"] == TASK["text"].search["step_size"]
