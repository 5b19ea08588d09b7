"""One run and what identifies it: failures are records, and the key follows all that can change the number."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from benchmarks.core.kept import Tampered
from benchmarks.records.record import Record, Spec, Store
from benchmarks.runs import fill, scheduler
from benchmarks.runs.execute import execute
from benchmarks.runs.run import Run
from benchmarks.teachers import store as teachers


@pytest.fixture
def smoke_run(smoke) -> Run:
    return smoke("one-hot")


def test_a_plan_guesses_by_other_methods_and_tasks_of_the_domain():
    def run(task, method):
        return Run(Spec(task=task, size="small", teacher="full", budget=500, seed=0, method=method))

    def spent(task, method, seconds):
        told = {"phases": {"forward": seconds}, "identity": {"steps": 100}, "environment": {}}
        return Record(key=method, status="ok", spec=run(task, method).spec, metrics={}, costs={}, **told)

    history = scheduler._history([spent("fashion-lt", "one-hot", 1.0), spent("fashion-lt", "uda", 3.0)])
    steps = run("glyph-lt", "one-hot").steps
    found = [scheduler._estimate(run("glyph-lt", method), history) for method in ("one-hot", "distillation")]
    assert found == pytest.approx([1 + 0.01 * steps, 1 + 0.02 * steps])
    assert scheduler._estimate(run("movie-5", "one-hot"), history) == 1 + scheduler.GUESS_SECONDS


def test_a_plan_guesses_a_teachers_time_by_others_of_the_domain():
    def run(task):
        return Run(Spec(task=task, size="small", teacher="full", budget=500, seed=0, method="distillation"))

    told = {"phases": {}, "identity": {"steps": 1}, "environment": {}, "metrics": {}, "costs": {}}
    taught = {"generator": {"seconds": 400.0}, "labeler": {"seconds": 150.0}}
    history = scheduler._history([Record(key="", status="ok", spec=run("movie-5").spec, teachers=taught, **told)])
    assert [scheduler._teaching(run("trec-50"), part, history) for part in taught] == [400, 150]
    image = run("glyph-lt")
    assert scheduler._teaching(image, "labeler", history) == pytest.approx(0.06 * image.recipes["labeler"].steps)


def test_a_diverging_run_is_a_failed_record_with_its_reason(smoke_run, tmp_path):
    broken = Run(smoke_run.spec, (("lr", 1e30),))
    record = execute(broken)
    assert record.status == "failed"
    assert record.reason.startswith("Diverged")
    Store(tmp_path).append(record)
    assert Store(tmp_path).read()[broken.key] == record


def test_an_unknown_hyper_parameter_is_named(smoke_run):
    with pytest.raises(ValueError, match=r"one-hot: .*unexpected keyword argument 'sigma'"):
        _ = Run(smoke_run.spec, (("sigma", 1.0),)).key


def test_the_key_follows_everything_that_can_change_the_number(smoke_run):
    changes = {"seed": 1, "method": "distillation", "budget": 100, "match": "real", "teacher": "same-data"}
    keys = {smoke_run.key, Run(smoke_run.spec, (("lr", 1e-4),)).key}
    for name, value in changes.items():
        run = Run(smoke_run.spec.model_copy(update={name: value}))
        for recipe in run.recipes.values():
            teachers.train(run.task, recipe, run.split)
        keys.add(run.key)
    assert len(keys) == 2 + len(changes)
    assert smoke_run.key == Run(smoke_run.spec).key


def test_a_changed_teacher_file_is_refused(smoke_run, tmp_path, monkeypatch):
    from safetensors.torch import load_file, save_file

    recipe = smoke_run.recipes["labeler"]
    info = teachers.metadata(recipe.path)
    weights = load_file(recipe.path)
    monkeypatch.setenv("TGT_CACHE", str(tmp_path))
    recipe.path.parent.mkdir(parents=True)
    name = next(name for name, tensor in weights.items() if tensor.is_floating_point())
    weights[name] = weights[name] + 1e-3
    save_file(weights, recipe.path, metadata={"teacher": json.dumps(info)})
    with pytest.raises(Tampered, match="was changed since it was trained"):
        teachers.load(smoke_run.task, recipe)


def test_a_committed_run_of_the_same_key_is_not_run_again(smoke_run, tmp_path, monkeypatch):
    monkeypatch.setattr(fill, "REFERENCE", tmp_path / "reference")
    record = execute(smoke_run)
    Store(tmp_path / "reference" / "smoke").append(record)
    console, own = Console(file=io.StringIO()), tmp_path / "own"
    plan, _ = fill.fill([smoke_run], own, fill.Execution("smoke", reuse=True), console)
    assert (plan.missing, plan.lent, plan.record(smoke_run)) == ((), {smoke_run.key}, record)
    assert not own.exists()
    plan, _ = fill.fill([smoke_run], own, fill.Execution("smoke", plan=True), console)
    assert plan.missing == (smoke_run,)
