"""What a search is worth, from records of searches whose worth is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.analysis.search_value import SearchedRow, SearchValue, Tried
from benchmarks.records.record import Store
from benchmarks.registry.hyperparameters import Place
from benchmarks.runs import search

PLACE = Place("manifold-4-in-128", "full", 32)


def row(scores, name="mine", finalists=4):
    """Settings that score alike on all seeds, thinned as a search does."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    tried = []
    for i, score in enumerate(scores):
        seeds = search.SEEDS if order.index(i) < finalists else search.SEEDS[:1]
        tried.append(Tried(i, dict.fromkeys(seeds, score)))
    return SearchedRow(PLACE, name, tuple(tried))


def test_the_expected_best_is_that_of_all_draws():
    scores = [0.1, 0.5, 0.4]
    best = row(scores).expected_best()
    draws = np.array(np.meshgrid(scores, scores, scores)).reshape(3, -1)
    assert best[0] == pytest.approx(np.mean(scores))
    assert best[1] == pytest.approx(np.array(np.meshgrid(scores, scores)).max(0).mean())
    assert best[2] == pytest.approx(draws.max(0).mean())


def test_another_search_finds_the_best_setting_as_often_as_it_is_drawn():
    scores = np.linspace(0, 1, 24)
    found = row(scores).resampled
    assert np.mean(found > 0.99) == pytest.approx(1 - (23 / 24) ** 24, abs=0.03)


def test_what_was_found_beyond_the_axes_comes_with_the_setting_it_was_found_from():
    base = row(np.linspace(0, 1, 24))
    more = SearchedRow(PLACE, "mine", (*base.tried, Tried(search.BEYOND, dict.fromkeys(search.SEEDS, 2.0))))
    found = more.resampled
    assert not np.any((found > np.linspace(0, 1, 24)[-2] + 1e-6) & (found < 2.0))
    assert np.mean(found == 2.0) == pytest.approx(1 - (23 / 24) ** 24, abs=0.03)


def test_an_order_turns_where_one_lucky_setting_made_it():
    lucky, steady = np.full(24, 0.5), np.full(24, 0.6)
    lucky[3] = 0.7
    value = SearchValue([])
    value.rows = {(PLACE, name): row(scores, name) for name, scores in (("lucky", lucky), ("steady", steady))}
    assert value.turned(PLACE, "lucky", "steady") == pytest.approx((23 / 24) ** 24, abs=0.04)
    assert value.turned(PLACE, "steady", "steady") == 0.0
    assert value.turned(PLACE, "lucky", "absent") is None


def test_it_reads_what_a_search_wrote(fill, tmp_path):
    chosen = search.search([search.Row(PLACE, "one-hot")], "smoke", fill)[str(PLACE)]["one-hot"]
    (found,) = SearchValue.load(tmp_path).rows.values()
    assert len(found.drawn) == chosen["settings"]
    assert max(t.mean for t in found.tried if len(t.whole) == 3) == pytest.approx(chosen["validation"]["accuracy"])
    assert found.resampled.max() <= chosen["validation"]["accuracy"] + 0.1


def test_trials_of_earlier_versions_are_no_part_of_it(fill, tmp_path):
    search.search([search.Row(PLACE, "one-hot")], "smoke", fill)
    records = list(Store(tmp_path / "tuning").read().values())
    before = [r.model_copy(update={"identity": {**r.identity, "protocol": 0}}) for r in records]
    alone, both = SearchValue(records).rows, SearchValue([*before, *records]).rows
    assert both == alone
