"""What the search of a row tries must change what the row does: an axis without effect wastes its trials."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from benchmarks.registry import tasks
from benchmarks.registry.methods import METHODS
from benchmarks.runs.loop import Schedule, train
from benchmarks.validation import toys

TASK = {"image": tasks.get("fashion-lt"), "text": tasks.get("movie-5"), "retrieval": tasks.get("wiki-titles")}
STEPS = 6


def trained(name: str, modality: str, setting: dict) -> torch.Tensor:
    """The weights of a student after a few steps."""
    row, data, student = METHODS[name], toys.data(modality), toys.student(modality)
    pool = {"pool": 12, "renew": 4, "every": 2} if row.pooled else {}
    config = row.load().Config(**{**row.defaults, **setting, **pool, **row.fixed})
    method = row.load()(config, data, toys.rng(5))
    train(student, method, data, Schedule(STEPS, 8), toys.rng(7), data.teacher.costs, lambda step: None)
    return torch.cat([parameter.detach().flatten() for parameter in student.parameters()])


def without_effect(name: str, modality: str) -> list[str]:
    """Axes of a row's space whose first and last value never make a difference, whatever the other axes are at."""
    space = METHODS[name].space(TASK[modality])
    found = []
    for axis, values in space.items():
        others = {other: tried for other, tried in space.items() if other != axis}
        bases = [{}, *({other: tried[end] for other, tried in others.items()} for end in (0, -1))]
        if not any(_differs(name, modality, base, axis, (values[0], values[-1])) for base in bases):
            found.append(axis)
    return found


def _differs(name: str, modality: str, base: dict, axis: str, values: tuple) -> bool:
    one, other = (trained(name, modality, {**base, axis: value}) for value in values)
    return not torch.equal(one, other)


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
