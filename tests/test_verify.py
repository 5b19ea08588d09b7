"""`verify`: committed runs made again are equal to the bit, and a change that nobody told of is found."""

from __future__ import annotations

import json

import pytest
import torch
from rich.console import Console

from baselines.distillation import Distillation
from benchmarks.analysis import stats
from benchmarks.commands import verify
from benchmarks.core import paths
from benchmarks.records import Results
from benchmarks.records.record import Spec, Store, key_of
from benchmarks.report import verification
from benchmarks.runs import run as runs
from benchmarks.runs.execute import execute
from benchmarks.runs.run import Run
from benchmarks.teachers import store

CONSOLE = Console(quiet=True)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Two seeds of three rows at smoke size, as a committed reference would hold them."""
    folder = tmp_path_factory.mktemp("reference")
    for method in ("one-hot", "distillation", "tgt-random"):
        for seed in (0, 1):
            run = Run(
                Spec(task="fashion-lt", size="smoke", teacher="full", budget=120, seed=seed, method=method),
                overrides=(),
            )
            for recipe in run.recipes.values():
                store.train(run.task, recipe, run.split)
            Store(folder / "smoke").append(execute(run))
    return folder


@pytest.fixture
def options(reference, tmp_path, monkeypatch) -> verify.Options:
    monkeypatch.setattr(verify, "REFERENCE", reference)
    threads = torch.get_num_threads()
    yield verify.Options(jobs=1, size="smoke", results=tmp_path, seed=3)  # type: ignore[arg-type]
    torch.set_num_threads(threads)


def noted(options) -> dict:
    return verification.noted(options.results / "smoke")[runs.code_sha256()]["cells"]


def test_runs_made_again_are_equal_and_noted(options):
    assert verify.run("verify", [], options, CONSOLE) == 0
    assert list(noted(options).values()) == ["equal"] * 3  # one of each row
    options.sample = 1
    assert verify.run("verify", [], options, CONSOLE) == 0
    assert len(noted(options)) >= 3  # what was noted stays


def test_a_changed_loss_without_a_raised_version_is_found(options, monkeypatch):
    terms = Distillation.terms

    def changed(self, logits, labels, targets):
        return {name: 1.01 * term for name, term in terms(self, logits, labels, targets).items()}

    monkeypatch.setattr(Distillation, "terms", changed)
    assert verify.run("verify", [], options, CONSOLE) == 1
    told = sorted(noted(options).values())
    assert told[:1] == ["DIFFERS on the recorded platform from the same data and teacher"]
    assert told[1:] == ["equal", "equal"]


def test_a_raised_version_is_told_as_stale(options, monkeypatch):
    monkeypatch.setattr(Distillation, "version", 1)
    assert verify.run("verify", [], options, CONSOLE) == 1
    assert sorted(noted(options).values())[0] == "STALE: method_version changed"


def test_of_another_platform_a_number_within_the_seeds_interval_agrees(reference):
    results = Results.load(reference / "smoke")
    recorded = next(r for r in results.records if r.spec.method == "distillation")
    here = {**recorded.environment, "cpu": "another"}
    other = {**recorded.metrics, "balanced_accuracy": recorded.metrics["balanced_accuracy"] + 1e-4}

    def told(metrics) -> str:
        again = recorded.model_copy(update={"metrics": metrics})
        (outcome,) = verification.compared([recorded], {recorded.key: again}, results, here)
        return outcome.told

    assert told(recorded.metrics) == "equal"
    assert told(other) == "agrees within the seeds' interval (cpu another, not " + recorded.environment["cpu"] + ")"
    assert told({**other, "balanced_accuracy": 99.0}) == "OUTSIDE the seeds' interval"
    reference_values = [r.metrics["balanced_accuracy"] for r in results.records if r.spec.method == "distillation"]
    assert stats.reproduced([99.0], reference_values) is False


def test_the_sample_is_spread_over_tasks_and_methods_and_fits_the_time():
    results = Results.load(paths.REFERENCE / "small")
    free = {name for name in {r.spec.task for r in results.records} if name.startswith("manifold")}
    chosen = verification.chosen(results, 9, 60, seed=0, jobs=1)  # whatever is trained here, manifolds need nothing
    assert sum(sum(r.phases.values()) + 1 for r in chosen) <= 60
    assert {r.spec.task for r in chosen} & free
    assert len({r.spec.method for r in chosen}) > 1
    assert [r.key for r in chosen] == [r.key for r in verification.chosen(results, 9, 60, seed=0, jobs=1)]
    assert len({r.key for r in chosen}) == len(chosen)


def test_a_key_names_what_a_person_can_read_and_no_code(reference):
    (identity,) = {json.dumps(r.identity, sort_keys=True) for r in Results.load(reference / "smoke").records[:1]}
    found = json.loads(identity)
    assert {
        "protocol",
        "task",
        "task_version",
        "method",
        "method_version",
        "student",
        "config",
        "budget",
        "seed",
    } <= set(found)
    assert [name for name in found if "code" in name or "class" in name] == []
    assert not any(word in identity for word in ("benchmarks.", "baselines.", "tgt."))
    record = Results.load(reference / "smoke").records[0]
    assert record.key == key_of(record.identity)
    assert record.code_sha256 == runs.code_sha256()
