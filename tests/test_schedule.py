"""The schedule of a run: warm-up, clipping, optimisers; what is not said is as it was."""

from __future__ import annotations

import pytest
import torch

from benchmarks.records.record import Spec
from benchmarks.registry import tasks
from benchmarks.runs.loop import Schedule
from benchmarks.runs.run import Run


def rates(schedule, steps=10):
    weight = torch.nn.Parameter(torch.ones(2))
    optimiser, course = schedule.optimisers([weight], 1.0, steps)
    found = []
    for _ in range(steps):
        found.append(optimiser.param_groups[0]["lr"])
        weight.grad = torch.ones(2)
        optimiser.step()
        course.step()
    return type(optimiser).__name__, found


def test_the_learning_rate_rises_in_the_warm_up_and_then_falls():
    kind, plain = rates(Schedule(10, 8))
    assert (kind, plain[0]) == ("AdamW", 1.0)
    assert plain == sorted(plain, reverse=True)
    kind, warm = rates(Schedule(10, 8, optimiser="sgd", warm_up=0.3))
    assert kind == "SGD"
    assert warm[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert warm[3:] == sorted(warm[3:], reverse=True)
    for wrong in ({"optimiser": "adam"}, {"warm_up": 1.0}, {"clip": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Schedule(10, 8, **wrong)


def test_what_a_task_says_of_training_is_part_of_the_identity(monkeypatch):
    spec = Spec(task="fashion-lt", size="smoke", teacher="full", budget=120, seed=0, method="one-hot")
    assert "training" not in Run(spec).declared
    monkeypatch.setattr(type(tasks.get("fashion-lt")), "training", {"clip": 1.0, "weight_decay": 0.01})
    run = Run(spec)
    assert run.declared["training"] == {"clip": 1.0, "weight_decay": 0.01}
    assert (run.schedule.clip, run.schedule.weight_decay, run.schedule.optimiser) == (1.0, 0.01, "adamw")
