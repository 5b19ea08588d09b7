"""The search of hyper-parameters: which settings are tried, which go on, and what wins."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.records.record import Spec
from benchmarks.registry import hyperparameters, tasks
from benchmarks.registry.hyperparameters import SEARCH, Place, alike, chosen, config, place_of, read_tuned, searched
from benchmarks.registry.methods import METHODS, rows_of
from benchmarks.runs import search
from benchmarks.runs.grid import rerun_of
from benchmarks.runs.trials import SHARED, beyond, trials

TASKS = [tasks.get(name) for name in ("fashion-lt", "movie-5", "wiki-titles")]
ROWS = [(row, task) for task in TASKS for row in rows_of(task)]
COUNT = TASKS[0].size.trials
PLACE = Place("manifold-4-in-128", "full", 32)


@pytest.mark.parametrize(("name", "task"), ROWS, ids=lambda value: getattr(value, "name", value))
def test_a_row_tries_distinct_settings_its_defaults_first(name, task):
    tried = trials(name, task, COUNT)
    assert tried[0] == {}
    assert len({config(name, task, params) for params in tried.values()}) == len(tried)
    assert len(tried) == COUNT or COUNT > len(tried) > 6  # few axes may hold fewer settings: then all are tried
    assert trials(name, task, COUNT, seed=1) != tried


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_trial_has_the_same_shared_settings_in_every_row(task):
    rows = [name for name in rows_of(task) if METHODS[name].student == "student"]
    tried = {name: trials(name, task, COUNT) for name in rows}
    for first in rows:
        for second in rows:
            spaces = [METHODS[name].space(task) for name in (first, second)]
            common = [axis for axis in SHARED if all(axis in s for s in spaces) and spaces[0][axis] == spaces[1][axis]]
            assert "lr" in common
            for trial in tried[first].keys() & tried[second].keys():
                assert all(tried[first][trial].get(a) == tried[second][trial].get(a) for a in common)


def test_learning_rates_are_tried_about_equally_often():
    tried = trials("tgt-gradient", TASKS[0], COUNT)
    counts = Counter(params["lr"] for trial, params in tried.items() if trial)
    assert set(counts) == set(METHODS["tgt-gradient"].space(TASKS[0])["lr"])
    assert max(counts.values()) <= 2 * min(counts.values()) + 1


def test_an_axis_goes_on_beyond_its_ends_where_it_can():
    rates = [1e-3, 2e-3, 4e-3]
    assert beyond(rates, 4e-3) == 8e-3
    assert beyond(rates, 1e-3) == 5e-4
    assert beyond(rates, 2e-3) is None
    assert beyond([0.0, 0.1, 1.0], 0.0) is None  # zero is the end of it
    assert beyond([0.0, 0.1, 1.0], 1.0) == 10.0
    assert beyond([8, 16, 64], 64) == 256
    assert beyond(["kl", "l1"], "l1") is None


def test_a_longer_schedule_takes_what_its_row_chose(monkeypatch):
    long = replace(METHODS["distillation"], schedule=4, tuned_as="distillation")
    monkeypatch.setitem(METHODS, "distillation-long", long)
    tuned = {str(PLACE): {"distillation": {"params": {"lr": 0.5}}}}
    spec = Spec(task=PLACE.task, size="smoke", teacher="full", budget=32, seed=0, method="distillation-long")
    run = rerun_of(spec, tuned)
    assert run.config.lr == 0.5
    assert run.steps == 4 * 10
    assert run.declared["steps"] == 40


def test_all_settings_have_whole_runs_and_the_highest_mean_over_the_tuning_seeds_wins(fill):
    row = search.Row(PLACE, "distillation")
    found = search.search([row], "smoke", fill)
    entry = found[str(PLACE)]["distillation"]
    tried = entry["settings"]
    assert [len(runs) for runs in fill.asked[:2]] == [tried, 3 * (tried // 6)]
    assert {run.steps for runs in fill.asked for run in runs} == {10}  # as many as a table's of this size
    assert [{run.spec.seed for run in runs} for runs in fill.asked[:2]] == [set(search.SEEDS[:1]), set(search.SEEDS)]
    scores = {}
    for run in {run.key: run for runs in fill.asked[1:] for run in runs}.values():
        value = fill.store.get(run.key).curve[-1].validation["accuracy"]
        scores.setdefault(run.overrides, []).append(value)
    scores = {params: values for params, values in scores.items() if len(values) == 3}
    means = {params: sum(values) / 3 for params, values in scores.items()}
    assert entry["validation"]["accuracy"] == pytest.approx(max(means.values()))
    assert means[tuple(sorted(entry["params"].items()))] == pytest.approx(max(means.values()))


def test_a_search_looks_at_no_test_sample(fill):
    search.search([search.Row(PLACE, "tgt-random")], "smoke", fill)
    for record in fill.store.read().values():
        assert record.status == "ok"
        assert record.metrics == {}
        assert record.hits == ""
        assert [point.test for point in record.curve] == [{}]


def test_a_winner_at_an_end_of_its_axis_is_tried_beyond_it(monkeypatch):
    """Scores that rise with the learning rate up to 0.25, beyond the axis: found, and then inside."""
    monkeypatch.setattr(search, "_score", lambda plan, run: -abs(run.config.lr - 0.25))
    entry = search.search([search.Row(PLACE, "one-hot")], "smoke", lambda runs: None)[str(PLACE)]["one-hot"]
    assert entry["params"]["lr"] == pytest.approx(0.256)
    assert "lr" not in entry["edges"]
    monkeypatch.setattr(search, "_score", lambda plan, run: run.config.lr)
    entry = search.search([search.Row(PLACE, "one-hot")], "smoke", lambda runs: None)[str(PLACE)]["one-hot"]
    assert "lr" in entry["edges"]  # it never ends: the tables' notes tell


@pytest.mark.parametrize(("further", "seeds"), [(0.0, set(search.SEEDS)), (-1.0, {search.SEEDS[0]})])
def test_beyond_an_axis_only_what_is_not_behind_on_the_first_seed_has_the_others(monkeypatch, further, seeds):
    asked = []

    def score(plan, run):
        asked.append((run.config.lr, run.spec.seed))
        return further if run.config.lr > 0.064 else run.config.lr - 0.064

    monkeypatch.setattr(search, "_score", score)
    search.search([search.Row(PLACE, "one-hot")], "smoke", lambda runs: None)
    assert {seed for lr, seed in asked if lr == pytest.approx(0.128)} == seeds


def test_a_setting_that_fails_never_wins(monkeypatch):
    monkeypatch.setattr(search, "_score", lambda plan, run: None if run.config.lr > 2e-3 else run.config.lr)
    entry = search.search([search.Row(PLACE, "one-hot")], "smoke", lambda runs: None)[str(PLACE)]["one-hot"]
    assert entry["params"]["lr"] == pytest.approx(2e-3)
    monkeypatch.setattr(search, "_score", lambda plan, run: None)
    assert search.search([search.Row(PLACE, "one-hot")], "smoke", lambda runs: None) == {}


def test_what_was_chosen_serves_the_nearest_budget_and_its_own_kind_of_teacher(tmp_path):
    fashion = tasks.get("fashion")
    assert place_of(fashion, "small", "full", 60000) == Place("fashion", "full", 15000)
    assert place_of(fashion, "small", "same-data", 50) == Place("fashion", "same-data", 150)
    assert place_of(tasks.get("fashion-lt-r50"), "small", "full", 3000).task == "fashion-lt"
    place = Place("fashion", "full", 150)
    rows = {str(place): {"one-hot": {"params": {"lr": 0.5}}}}
    search.write(rows, tmp_path)
    search.write({str(place): {"mine": {"params": {}}}}, tmp_path)
    found = read_tuned(tmp_path / "tuned.json")
    assert set(found[str(place)]) == {"one-hot", "mine"}
    assert json.loads((tmp_path / "tuned.json").read_text()) == found
    assert chosen("one-hot", place, "small", found) == {"lr": 0.5}
    assert not searched("one-hot", place, found)  # nothing says that it was this version of the search
    found[str(place)]["one-hot"]["search"] = SEARCH
    assert searched("one-hot", place, found)
    assert chosen("mine", Place("fashion", "full", 1500), "small", found) is None


def test_a_table_has_the_rows_that_were_tuned_alike(monkeypatch):
    """Of rows with and without a search a table would compare searches, not methods."""
    rows, entry = ("one-hot", "distillation", "mine"), {"params": {}, "search": SEARCH}
    committed = {str(PLACE): {"one-hot": entry, "distillation": {**entry, "search": SEARCH - 1}}}
    monkeypatch.setattr(hyperparameters, "tuned", {"smoke": committed, "small": {}}.get)
    assert alike(rows, [PLACE], "smoke", {}) == ("one-hot",)
    assert alike(rows, [PLACE], "smoke", {str(PLACE): {"mine": entry}}) == ("one-hot", "mine")
    assert alike(rows, [PLACE], "small", {str(PLACE): {"mine": entry}}) == rows  # of no use alone
    assert alike(rows, [PLACE, Place("fashion", "full", 150)], "smoke", {}) == rows  # no row has both
