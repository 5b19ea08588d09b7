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
from benchmarks.core.environment import code_sha256
from benchmarks.records import Results
from benchmarks.records.record import Spec, Store, key_of
from benchmarks.report import verification
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
    return verification.noted(options.results / "smoke")[code_sha256()]


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
    assert told[:1] == ["DIFFERS on the recorded platform, from the same data and teacher"]
    assert told[1:] == ["equal", "equal"]


def test_runs_of_an_earlier_version_are_left_out(options, monkeypatch):
    monkeypatch.setattr(Distillation, "version", 1)
    assert verify.run("verify", [], options, CONSOLE) == 0
    assert list(noted(options).values()) == ["equal", "equal"]


def test_nothing_of_todays_versions_is_no_success(options, monkeypatch):
    monkeypatch.setattr("benchmarks.runs.run.PROTOCOL", 99)
    assert verify.run("verify", [], options, CONSOLE) == verify.NOTHING


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


def test_the_sample_is_spread_over_tasks_and_methods_and_fits_the_time(monkeypatch):
    monkeypatch.setattr(verification, "current", list)  # of whatever versions: it is the choice that is tested
    results = Results.load(paths.REFERENCE / "small")
    free = {name for name in {r.spec.task for r in results.records} if name.startswith("manifold")}
    chosen, absent = verification.chosen(results, 9, 60, seed=0, jobs=1)  # manifolds need no teachers to be trained
    assert sum(sum(r.phases.values()) + 1 for r in chosen) <= 60
    assert {r.spec.task for r in chosen} & free
    assert not absent.keys() & free
    assert len({r.spec.method for r in chosen}) > 1
    assert [r.key for r in chosen] == [r.key for r in verification.chosen(results, 9, 60, seed=0, jobs=1)[0]]
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
    assert record.code_sha256 == code_sha256()


def test_another_teacher_on_the_recorded_platform_is_told(reference):
    results = Results.load(reference / "smoke")
    recorded = next(r for r in results.records if r.spec.method == "distillation")
    other = {**recorded.metrics, "balanced_accuracy": recorded.metrics["balanced_accuracy"] + 1e-4}
    identity = {**recorded.identity, "teacher_sha256": {"generator": "a", "labeler": "b"}}
    again = recorded.model_copy(update={"metrics": other, "identity": identity})
    (outcome,) = verification.compared([recorded], {recorded.key: again}, results, recorded.environment)
    assert outcome.told == "DIFFERS on the recorded platform, and so does its teacher"
    assert not verification.good(outcome.told)


def test_teachers_of_other_code_are_named(reference, monkeypatch):
    records = Results.load(reference / "smoke").records
    assert verification.of_other_code(records) <= {"fashion-lt"}
    monkeypatch.setattr(verification, "code_sha256", lambda: "another")
    assert verification.of_other_code(records) == {"fashion-lt"}


def test_a_file_that_verify_did_not_write_is_one_line(tmp_path):
    (tmp_path / verification.FILE).write_text('{"abc": 1}')
    with pytest.raises(ValueError, match=r"verified.json is not what `verify` writes"):
        verification.noted(tmp_path)
