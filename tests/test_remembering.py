"""A search's teacher that remembers: equal answers, equal counts, and a gradient is never from memory."""

from __future__ import annotations

import pytest
import torch

from benchmarks.records.record import Spec
from benchmarks.runs.execute import execute
from benchmarks.runs.run import Run
from benchmarks.teachers import store
from benchmarks.teachers.remembering import MEMORY, Memory, RememberingTeacher
from benchmarks.validation import toys
from tgt import Costs, Teacher

HASHES = {"generator": "a", "labeler": "b"}


def teachers(memory: Memory, hashes=HASHES):
    given = toys.data("image").teacher
    return Teacher(given.generator, given.labeler, Costs()), RememberingTeacher(
        given.generator, given.labeler, Costs(), hashes=hashes, memory=memory
    )


@pytest.mark.parametrize("ask", ["label", "encode", "decode"])
def test_answers_and_counts_are_those_of_a_teacher_that_forgets(ask):
    plain, remembering = teachers(Memory())
    inputs = toys.data("image").inputs[:4]
    asked = plain.encode(inputs) if ask == "decode" else inputs
    first, second = getattr(remembering, ask)(asked), getattr(remembering, ask)(asked.clone())
    assert torch.equal(first, getattr(plain, ask)(asked))
    assert torch.equal(first, second)
    counter = {"label": "labeler_queries", "encode": "encodes", "decode": "decodes"}[ask]
    assert remembering.costs.counts[counter] == 2 * len(asked)
    second.zero_()
    assert torch.equal(getattr(remembering, ask)(asked), first)


def test_other_inputs_and_other_weights_have_other_answers():
    memory = Memory()
    _, remembering = teachers(memory)
    inputs = toys.data("image").inputs[:4]
    first = remembering.label(inputs)
    assert not torch.equal(remembering.label(inputs + 0.1), first)
    kept = memory.bytes
    teachers(memory, {"generator": "a", "labeler": "other"})[1].label(inputs)
    assert memory.bytes == kept + first.nbytes


def test_what_a_gradient_passes_through_is_asked_anew():
    memory = Memory()
    _, remembering = teachers(memory)
    latents = remembering.encode(toys.data("image").inputs[:4])
    kept = memory.bytes
    for _ in range(2):
        point = latents.clone().requires_grad_()
        remembering.label(remembering.decode(point)).sum().backward()
        assert point.grad.abs().sum() > 0
    assert memory.bytes == kept


def test_the_oldest_answers_are_forgotten_first():
    memory = Memory(limit=24)
    for name in (b"a", b"b"):
        memory.keep(name, torch.zeros(3))
    assert memory.get(b"a") is not None
    memory.keep(b"c", torch.zeros(3))
    assert memory.get(b"b") is None
    assert memory.get(b"a") is not None
    assert memory.bytes == 24


def test_a_trial_scores_the_same_whether_its_teacher_remembers_or_not(monkeypatch):
    trials = [
        Run(
            Spec(task="manifold-4-in-128", size="smoke", teacher="full", budget=32, seed=0, method=method, trial=trial),
            (("lr", lr),),
        )
        for method in ("prior-sampling", "tgt-gradient")
        for trial, lr in enumerate((0.002, 0.008))
    ]
    for run in trials[:1]:
        for recipe in run.recipes.values():
            store.train(run.task, recipe, run.split)
    before = MEMORY.bytes
    remembering = [execute(run) for run in trials]
    assert MEMORY.bytes > before
    monkeypatch.setattr("benchmarks.runs.execute.RememberingTeacher", lambda *networks, hashes: Teacher(*networks))
    for run, record in zip(trials, remembering, strict=True):
        forgetting = execute(run)
        assert record.curve[-1].validation == forgetting.curve[-1].validation
        counts = [{n: c for n, c in r.costs.items() if isinstance(c, int)} for r in (record, forgetting)]
        assert counts[0] == counts[1]
