"""Aggregates over tasks: by hand, and against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats
from test_stats_and_tables import record

from benchmarks.analysis import aggregate
from benchmarks.analysis.aggregate import Scores
from benchmarks.core import paths
from benchmarks.records import Results
from benchmarks.records.groups import grouped
from benchmarks.registry.experiments import Choice
from benchmarks.report import artefacts


def scored(values):
    methods = tuple(f"m{i}" for i in range(len(values)))
    return Scores(methods, tuple(f"t{i}" for i in range(len(values[0]))), np.array(values, float))


def test_interquartile_mean_by_hand():
    assert aggregate.iqm(np.array([[0, 1, 2, 3, 4, 5, 6, 100.0]])).tolist() == [3.5]


def test_average_ranks_and_ties():
    found = scored([[[3], [2]], [[2], [2]], [[1], [5]]])
    assert found.ranks.tolist() == [(1 + 2.5) / 2, (2 + 2.5) / 2, (3 + 1) / 2]


def test_critical_difference_of_the_published_table():
    """Demsar 2006, table 5: q at 0.05 is 1.960 for two methods, 2.569 for four and 3.164 for ten."""
    for methods, q in ((2, 1.960), (4, 2.569), (10, 3.164)):
        found = aggregate.critical_difference(methods, 14)
        assert found == pytest.approx(q * math.sqrt(methods * (methods + 1) / (6 * 14)), abs=2e-3)


def test_friedman_by_scipy():
    values = np.random.default_rng(0).normal(size=(4, 6, 3))
    assert aggregate.friedman(scored(values)) == scipy_stats.friedmanchisquare(*values.mean(2)).pvalue
    assert math.isnan(aggregate.friedman(scored(values[:2])))


def test_profile_by_hand():
    found = scored([[[0.1, 0.5], [0.9, 0.9]]])
    assert aggregate.profile(found, np.array([0.0, 0.1, 0.5, 0.95])).tolist() == [[1, 0.75, 0.5, 0]]


def test_the_interval_resamples_seeds_within_tasks():
    """Tasks far apart, seeds alike: resampling tasks as well would make the interval wide."""
    values = [[[0.2, 0.2, 0.2], [0.8, 0.8, 0.8]], [[0.1, 0.1, 0.1], [0.5, 0.5, 0.5]]]
    frame = aggregate.frame(scored(values))
    assert (frame.high - frame.low).max() == pytest.approx(0)
    assert frame.method.tolist() == ["m0", "m1"]


def with_labeler(method, seed, value, task, budget):
    found = record(method, seed, value, task=task, budget=budget)
    found.teachers = {"labeler": {"metrics": {"test": {"balanced_accuracy": 0.5, "accuracy": 0.5}}}}
    return found.spec, found


def test_what_is_compared():
    """Rows with and without a pool meet; a method that misses a task is left out; the smallest budget of the table."""
    pairs = [
        with_labeler(method, seed, value, task, budget)
        for task, budget, rows in (
            ("fashion-lt", 2478, {"distillation": 0.4, "tgt-random": 0.45, "data-free": 0.1}),
            ("movie-5", 500, {"distillation": 0.2, "tgt-random-pool": 0.25}),
            ("movie-5", 2500, {"distillation": 0.3, "tgt-random-pool": 0.35}),
            ("movie-5", 250, {"distillation": 0.1, "tgt-random-pool": 0.1}),  # of a figure, not of the table
        )
        for method, value in rows.items()
        for seed in range(2)
    ]
    found = aggregate.scores(grouped(pairs))
    assert found is not None
    assert found.methods == ("distillation", "tgt-random")
    assert found.tasks == ("fashion-lt", "movie-5")
    assert found.values[:, :, 0].tolist() == [[0.8, 0.4], [0.9, 0.5]]
    assert aggregate.scores(grouped(pairs[:6])) is None  # one task is no aggregate


def test_the_reference_has_its_aggregate(tmp_path):
    results = Results.load(paths.REFERENCE / "small")
    (found,) = [one for one in artefacts.of(results, Choice()) if one.name == "aggregate"]
    written = found.write(tmp_path)
    assert {path.name for path in written} >= {"aggregate.csv", "aggregate.md", "aggregate.png", "aggregate.svg"}
    scores = aggregate.scores(results.groups())
    assert f"{scores.critical_difference:.2f}" in (tmp_path / "aggregate.md").read_text()
    assert [row[0].text for row in found.grids[0].rows] == aggregate.frame(scores).method.tolist()
