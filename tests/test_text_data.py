"""Text: copies are found, stand on one side of a split, and what is tested on was read by no one."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.data.splits import linked, sides
from benchmarks.data.texts import MOVIES, near_duplicates, normal, pack, unpack
from benchmarks.data.wordpieces import CLS, MIN_COUNT, SPECIAL, UNKNOWN, words_of
from benchmarks.registry import tasks

TASKS = [name for name, task in tasks.TASKS.items() if task.domain == "text" and "small" in task.sizes]


def groups_of(numbers: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(numbers == n).tolist()) for n in np.unique(numbers)}


def test_texts_survive_packing():
    assert unpack(pack(["a  b\nc", "", "é"])) == ["a b c", "", "é"]


def test_near_duplicates_are_copies_and_shared_rare_word_pairs():
    found = near_duplicates(
        [
            "The film drags on, and on... without a point!",
            "the film drags on and on without a point",
            "The film drags on and on, almost without a point",
            "A film with a point",
            "",
        ]
    )
    assert groups_of(found) == {frozenset({0, 1, 2}), frozenset({3}), frozenset({4})}


def test_linked_by_edges_and_labels():
    found = linked(np.array([-1, 5, 5, -1, -1, -1]), np.array([0, 1, 2, 3, 3, -1]), edges=np.array([[0], [1]]))
    assert groups_of(found) == {frozenset({0, 1, 2}), frozenset({3, 4}), frozenset({5})}


def test_sides_keep_groups_together_and_shares_within_classes():
    groups = np.arange(400) // 2
    labels = np.repeat([0, 1], 200)
    side = sides(groups, "t", labels)
    assert (side[::2] == side[1::2]).all()
    for label in (0, 1):
        assert np.bincount(side[labels == label], minlength=3).tolist() == pytest.approx([140, 20, 40], abs=2)
    without = sides(np.where(groups < 10, -1, groups), "t")
    assert (without[groups < 10] == 0).all()


@pytest.mark.parametrize("name", TASKS)
def test_no_test_text_is_trained_on(name):
    """Neither by the student nor by the generator, neither as it is nor as a near duplicate."""
    examples = tasks.get(name).examples()
    read = text_lines(examples, examples.pool_inputs)
    if examples.extra_unlabelled is not None:
        read += text_lines(examples, examples.extra_unlabelled)
    tested = text_lines(examples, examples.test_inputs)
    assert not set(map(normal, read)) & set(map(normal, tested))


def text_lines(examples, inputs):
    """Texts without unknown words: two that differ in one of those would look the same."""
    return [words_of(row, examples.vocabulary) for row in inputs if (row != UNKNOWN).all()]


def test_no_movie_is_on_two_sides_and_the_generator_reads_of_no_held_out_movie():
    arrays = MOVIES.load()
    movie = dict(zip(map(normal, unpack(arrays["text"])), arrays["movie"].tolist(), strict=True))
    labelled = np.flatnonzero(~np.isnan(arrays["score"]))
    side = sides(arrays["movie"][labelled], "movie-5")
    by_movie: dict[int, set[int]] = {}
    for m, s in zip(arrays["movie"][labelled].tolist(), side.tolist(), strict=True):
        by_movie.setdefault(m, set()).add(s)
    assert all(len(sides) == 1 for sides in by_movie.values())
    assert by_movie[-1] == {0}
    held_out = {m for m, sides in by_movie.items() if sides != {0}}
    examples = tasks.get("movie-5").examples()
    assert examples.extra_unlabelled is not None
    known = [
        movie[line]
        for row in examples.extra_unlabelled
        if (line := normal(words_of(row, examples.vocabulary))) in movie
    ]
    assert len(known) > 5000
    assert not held_out & set(known)


@pytest.mark.parametrize("name", TASKS)
def test_examples_are_as_a_task_needs_them(name):
    examples = tasks.get(name).examples()
    assert examples.vocabulary is not None
    assert examples.pool_inputs.max() < len(examples.vocabulary)
    assert examples.test_inputs.max() < len(examples.vocabulary)
    assert set(examples.test_labels) <= set(range(examples.classes))
    # Every class can be learned and tested.
    training = np.delete(examples.pool_labels, examples.validation)
    assert np.bincount(training, minlength=examples.classes).min() >= 7
    assert np.bincount(examples.test_labels, minlength=examples.classes).min() >= 2
    # The vocabulary is of training text: a word piece that only held-out text has is unknown.
    trained = np.delete(examples.pool_inputs, examples.validation, axis=0).ravel()
    if examples.extra_unlabelled is not None:
        trained = np.concatenate([trained, examples.extra_unlabelled.ravel()])
    counts = np.bincount(trained, minlength=len(examples.vocabulary))
    assert counts[len(SPECIAL) :].min() >= MIN_COUNT
    assert counts[CLS] == 0
