"""Text through the harness: what is kept equals what is computed, dropout is private, notes count what there is."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from benchmarks.analysis import diagnostics
from benchmarks.data.wordpieces import PAD
from benchmarks.records.record import Spec
from benchmarks.registry import tasks
from benchmarks.runs.execute import execute, teacher_and_data
from benchmarks.runs.run import Run
from benchmarks.tasks.texts import drop_words
from benchmarks.teachers import answer_cache as answers
from benchmarks.teachers import store as teachers
from benchmarks.teachers.recipe import PARTS
from tgt import Costs, freeze

TASKS = [task for task in tasks.TASKS.values() if task.domain == "text" and "small" in task.sizes]


@pytest.fixture
def run() -> Run:
    """A smoke run on questions, the shortest texts."""
    found = Run(Spec(task="trec-50", size="smoke", teacher="full", budget=100, seed=0, method="tgt-gradient-pool"))
    for part in PARTS:
        teachers.train(found.task, found.recipes[part], found.split)
    return found


def test_a_run_with_dropout_gives_the_same_record_whatever_came_before(run):
    first = execute(run)
    torch.rand(7)
    second = execute(run)
    assert first.status == "ok", first.reason
    assert first.metrics == second.metrics
    assert first.diagnostics == second.diagnostics
    assert {"made_agreement", "disagreement_end"} <= first.diagnostics.keys() <= diagnostics.MEANING.keys()
    assert first.metrics["coarse_accuracy"] >= first.metrics["accuracy"]
    assert first.costs["labeler_queries"] == second.costs["labeler_queries"] > 32


@pytest.mark.parametrize("part", PARTS)
def test_kept_answers_are_the_networks_own_and_are_counted(run, part):
    examples = run.task.examples()
    module = freeze(teachers.load(run.task, run.recipes[part])[part])
    costs = Costs()
    plain = teacher_and_data(run, costs)
    given = {"inputs": plain.inputs, "labels": plain.labels, "num_classes": examples.classes, "teacher": plain.teacher}
    lent = answers.LentData(task=run.task, recipes=run.recipes, indices=run.split.indices, **given)
    counter, found = ("labeler_queries", lent.labeler_logits) if part == "labeler" else ("encodes", lent.latents)
    assert costs.counts[counter] == len(run.split.indices)
    assert teachers.metadata(run.recipes[part].path)["sha256"][:16] in answers._path(run.recipes[part]).name
    with torch.no_grad():
        asked = (module if part == "labeler" else module.encode)(plain.inputs)
    torch.testing.assert_close(found, asked, atol=0.05, rtol=0.02)  # other texts beside them: bfloat16 rounds elsewhere


def test_dropped_words_leave_places_and_no_more_than_their_share():
    texts = torch.randint(3, 50, (40, 20), generator=torch.Generator().manual_seed(0))
    texts[:, 15:] = PAD
    dropped = drop_words(texts, torch.Generator().manual_seed(1), share=0.2)
    gone = dropped != texts
    assert (dropped[gone] == PAD).all()
    assert 0.15 < gone[:, :15].float().mean() < 0.25


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_notes_count_what_there_is(task):
    """A note is plain text that tables print: its numbers are those of the data."""
    examples = task.examples()
    labels = np.bincount(examples.test_labels)
    numbers = [int(found.replace(",", "")) for found in re.findall(r"\b\d[\d,]*\b(?! %|\.\d)", task.note)]
    wanted = [len(examples.pool_labels) - len(examples.validation), len(examples.validation), len(examples.test_labels)]
    if examples.extra_unlabelled is not None:
        wanted.append(len(examples.extra_unlabelled))
    assert set(wanted) <= set(numbers)
    assert f"{100 * labels.max() / labels.sum():.1f} %" in task.note
    budgets = task.sizes["small"].budgets
    assert budgets[-1] == len(examples.pool_labels)
    assert set(task.sizes["small"].table) <= set(budgets)
