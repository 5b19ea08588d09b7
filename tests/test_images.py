"""Image tasks: corrupted test images, the networks' teachers, and the generator's prior."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.data.corruptions import CORRUPTIONS, corrupted, corrupted_test
from benchmarks.registry import tasks


@pytest.mark.parametrize("name", ["fashion", "emoji-lt"])
def test_every_corruption_changes_test_images_and_keeps_what_they_are(name):
    examples = tasks.get(name).examples()
    images, labels = examples.other_tests["corrupted"]
    assert images.dtype == np.uint8
    assert len(images) == len(labels) == 6 * 1000
    clean = examples.test_inputs[:50]
    for corruption in CORRUPTIONS:
        found = corrupted(clean, corruption, np.random.default_rng(0))
        assert found.shape == clean.shape
        assert (found != clean).any((1, 2, 3)).mean() > 0.9
        # Brightness on the whole stays: nothing is lost or clipped away on a large scale.
        assert abs(found.mean() - clean.mean()) < 20


def test_corrupted_images_follow_their_seed_and_keep_their_labels():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (30, 1, 9, 9), np.uint8), np.arange(30)
    first, again, other = (corrupted_test(images, labels, seed, count=20) for seed in (0, 0, 1))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    assert np.bincount(first[1], minlength=30).tolist().count(len(CORRUPTIONS)) == 20
    contrasts = corrupted(images, "contrast", rng).std((1, 2, 3)) / images.std((1, 2, 3))
    assert np.allclose(contrasts, 0.4, atol=0.02)
