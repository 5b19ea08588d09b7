"""Budgets: totals by formula, nested, paired, seeded on their own, pinned on disk."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.data.splits import Profile, draw, exponential

LABELS = np.repeat(np.arange(10), 200)


@pytest.mark.parametrize(
    ("classes", "n_max", "ratio", "total"),
    [
        (10, 5000, 10, 20431), (10, 5000, 20, 17023), (10, 5000, 50, 13996), (10, 5000, 100, 12406),
        (10, 5000, 200, 11203), (100, 500, 10, 19573), (100, 500, 20, 15907), (100, 500, 50, 12608),
        (100, 500, 100, 10847), (100, 500, 200, 9502), (10, 1000, 100, 2478),
    ],
)  # fmt: skip
def test_published_totals_of_the_exponential_profile(classes, n_max, ratio, total):
    assert exponential(classes, n_max, ratio).sum() == total


def test_cifar100_lt_shots():
    counts = exponential(100, 500, 100)
    assert ((counts > 100).sum(), ((counts >= 20) & (counts <= 100)).sum(), (counts < 20).sum()) == (35, 35, 30)


@pytest.mark.parametrize("profile", [Profile("balanced"), Profile("exponential", 20.0), Profile("natural")])
def test_nested_within_budget_and_paired(profile):
    labels = LABELS if profile.kind != "natural" else np.repeat(np.arange(4), [400, 90, 30, 8])
    classes = labels.max() + 1
    before: set[int] = set()
    for budget in range(25, 520, 31):
        split = draw("t", labels, classes, profile, budget, seed=3)
        assert 0 < len(split.indices) <= budget
        assert before <= set(split.indices.tolist())
        before = set(split.indices.tolist())
        assert draw("t", labels, classes, profile, budget, seed=3).sha256 == split.sha256
        assert draw("t", labels, classes, profile, budget, seed=4).sha256 != split.sha256


def test_draws_ignore_the_global_generator():
    np.random.seed(0)
    first = draw("t", LABELS, 10, Profile("balanced"), 100, 0)
    np.random.rand(5)
    assert first.sha256 == draw("t", LABELS, 10, Profile("balanced"), 100, 0).sha256


def test_validation_samples_come_last():
    last = np.arange(0, 2000, 10)  # 20 of each class
    inner = draw("t", LABELS, 10, Profile("balanced"), 1800, 0, last)
    assert not np.isin(inner.indices, last).any()
    assert np.isin(draw("t", LABELS, 10, Profile("balanced"), 2000, 0, last).indices, last).sum() == 200


def test_impossible_budgets_are_refused():
    with pytest.raises(ValueError, match="not between 1 and"):
        draw("t", LABELS, 10, Profile("balanced"), 2001, 0)
    with pytest.raises(ValueError, match="asks for"):
        draw("t", LABELS, 10, Profile("exponential", 100.0), 1500, 0)
    with pytest.raises(ValueError, match="unknown profile"):
        draw("t", LABELS, 10, Profile("step"), 100, 0)


def test_manifest_is_kept_and_a_changed_one_set_aside(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TGT_CACHE", str(tmp_path))
    split = draw("t", LABELS, 10, Profile("balanced"), 100, 0)
    path = split.write()
    assert json.loads(path.read_text())["indices"] == split.indices.tolist()
    assert split.write() == path
    whole = path.read_text()
    path.write_text(whole.replace('"indices": [', '"indices": [1999, '))
    assert split.write().read_text() == whole
    assert capsys.readouterr().err.count("\n") == 1
