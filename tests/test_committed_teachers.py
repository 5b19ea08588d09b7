"""Teachers that come with the reference: used without training, and trained again when asked."""

from __future__ import annotations

import json
import shutil

import pytest
from rich.console import Console
from safetensors.torch import load_file, save_file

from benchmarks.commands import teachers as command
from benchmarks.core import kept, paths
from benchmarks.core.environment import environment
from benchmarks.records.record import Spec
from benchmarks.report import verification
from benchmarks.runs.run import Run
from benchmarks.teachers import answer_cache, store

SPEC = Spec(task="manifold-4-in-128", size="smoke", teacher="full", budget=32, seed=0, method="distillation")


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    """A run whose teachers came with the reference, and are in no cache."""
    monkeypatch.setattr(paths, "REFERENCE", tmp_path / "reference")
    monkeypatch.setenv("TGT_CACHE", str(tmp_path / "cache"))
    run = Run(SPEC)
    for recipe in run.recipes.values():
        store.train(run.task, recipe, run.split)
        recipe.committed.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(recipe.cached, recipe.committed)
        kept.enter(recipe.committed, kept.found(recipe.committed))
    return run


def anew(run: Run, capsys) -> tuple[int, str]:
    status = command._anew([run], 1, Console(width=300))
    return status, capsys.readouterr().out


def test_they_are_used_as_they_are(run, monkeypatch):
    monkeypatch.setattr(store, "networks_of", lambda *given: pytest.fail("trained"))
    for recipe in run.recipes.values():
        assert recipe.trained
        assert store.train(run.task, recipe, run.split)["sha256"] == run.teachers[recipe.part]["sha256"]


def test_what_is_computed_from_them_is_kept_in_the_cache(run):
    answer_cache.pool_answers(run.task, "labeler", run.recipes["labeler"])
    assert not list(run.recipes["labeler"].committed.parent.glob("*.npy"))
    assert list((paths.cache() / "teachers").glob("*-answers-*.npy"))


def test_trained_anew_they_have_the_same_weights(run, capsys):
    status, told = anew(run, capsys)
    assert (status, told.count("the same weights")) == (0, 2)
    assert all(recipe.path == recipe.committed for recipe in run.recipes.values())


def test_other_weights_are_a_fault_here_and_are_told_elsewhere(run, capsys):
    recipe = run.recipes["labeler"]
    weights, info = load_file(recipe.committed), store.metadata(recipe.committed)
    for processor, status, told in (
        (environment()["cpu_model"], 1, "OTHER weights"),
        ("another", 0, "other weights (cpu_model"),
    ):
        info |= {"sha256": "0" * 64, "environment": {**environment(), "cpu_model": processor}}
        save_file(weights, recipe.committed, metadata={"teacher": json.dumps(info)})
        kept.enter(recipe.committed, kept.found(recipe.committed))
        found = anew(run, capsys)
        assert found[0] == status
        assert told in found[1]


def test_the_committed_ones_are_listed_and_say_where_they_were_trained():
    for path in (paths.REFERENCE / "small" / "teachers").glob("*.safetensors"):
        assert kept.whole(path)
        info = store.metadata(path)
        assert store.content_sha256(load_file(path)) == info["sha256"]
        assert set(verification.PLATFORM) <= info["environment"].keys()
