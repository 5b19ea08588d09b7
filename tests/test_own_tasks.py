"""A user's own data and teachers: no base stands in for them, each is made once, and what they hold counts."""

from __future__ import annotations

import json
import zlib
from types import SimpleNamespace
from unittest.mock import MagicMock, Mock

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import task as task_module
from benchmarks.commands import compare, options
from benchmarks.core import paths
from benchmarks.core.errors import BadInput
from benchmarks.data.wordpieces import words_of
from benchmarks.records.record import Spec, Store
from benchmarks.registry import custom, tasks
from benchmarks.registry.experiments import Choice
from benchmarks.registry.methods import METHODS, rows_of
from benchmarks.runs import run as run_module
from benchmarks.runs import scheduler
from benchmarks.runs.execute import execute
from benchmarks.runs.grid import grid
from benchmarks.runs.run import Run
from benchmarks.teachers import own, recipe, store
from benchmarks.teachers.training import at_chance
from benchmarks.validation import task_checks
from tgt import TGT

TEXTS = """
import numpy as np
from benchmarks.task import Task
WORDS = "harbour lantern gravel orchid walrus copper meadow thimble".split()
class Mine(Task):
    base = "movie-5"
    def data(self):
        rng = np.random.default_rng(0)
        texts = [f"{' '.join(rng.choice(WORDS, 6))} {i}" for i in range(600)]
        labels = rng.permutation(["left", "right"] * 300)
        return {"train_inputs": texts[:120], "train_labels": labels[:120],
                "test_inputs": texts[120:], "test_labels": labels[120:]}
"""
VECTORS = """
import numpy as np, torch
from torch import nn
from benchmarks.task import Task
class Same(nn.Module):
    def encode(self, inputs): return inputs
    def decode(self, latents): return latents
    def sample_prior(self, count, rng): return torch.randn(count, 4, generator=rng)
class Mine(Task):
    domain, steps, batch = "vector", 3, 8
    def data(self):
        open("CALLS", "a").write("data ")
        inputs = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
        labels = (inputs[:, 0] > 0).astype(int)
        return {"train_inputs": inputs[:80], "train_labels": labels[:80],
                "test_inputs": inputs[80:], "test_labels": labels[80:]}
    def student(self, classes):
        return nn.Linear(4, classes)
    def teacher(self, classes):
        open("CALLS", "a").write("teacher ")
        labeler = nn.Linear(4, classes)
        labeler.load_state_dict(torch.load("WEIGHTS"))
        return Same(), labeler
"""


@pytest.fixture
def register(tmp_path, monkeypatch, request):
    """Registers a file with a task for the length of a test, with a cache of its own."""
    before = dict(tasks.TASKS)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "data").symlink_to(paths.cache() / "data")
    monkeypatch.setenv("TGT_CACHE", str(cache))

    def write(source: str) -> str:
        path = tmp_path / f"mine_{zlib.crc32((request.node.name + source.replace(str(tmp_path), '')).encode())}.py"
        path.write_text(source)
        return custom.register(path)

    yield write
    for name in tasks.TASKS.keys() - before.keys():
        del tasks.TASKS[name]
    custom._FILES.clear()
    own.MADE.clear()


def run_of(name: str, method: str = "distillation", budget: int = 0) -> Run:
    budget = budget or tasks.get(name).sizes["smoke"].budget
    return Run(Spec(task=name, size="smoke", teacher="full", budget=budget, seed=0, method=method))


def forget(name: str) -> None:
    """As a new process begins."""
    own.MADE.clear()
    task_module._LOADED.pop(name, None)
    run_module._data_sha256.cache_clear()
    run_module._split.cache_clear()
    recipe._HASHES.clear()


def test_texts_are_the_users_at_both_sizes_and_random_labels_are_at_chance(register):
    name = register(TEXTS)
    for size in ("smoke", "small"):
        found = tasks.get(name).at(size).examples()
        words = {word for row in found.test_inputs for word in words_of(row, found.vocabulary).split()}
        assert {"harbour", "walrus"} <= words
        assert not words & {"movie", "film", "the"}
        assert (len(found.pool_labels), len(found.test_labels), found.class_names) == (120, 480, ("left", "right"))
    assert "film" not in tasks.get(name).note
    run = run_of(name)
    for part in run.recipes.values():
        store.train(run.task, part, run.split)
    record = execute(run)
    assert (record.status, run.teachers["labeler"]["metrics"]["test"]["accuracy"]) == (
        "ok",
        pytest.approx(0.5, abs=0.1),
    )
    assert record.metrics["accuracy"] == pytest.approx(0.5, abs=0.1)


def test_every_row_is_at_chance_where_labels_are_random(register, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(2500, 6)), columns=list("abcdef"))
    frame.assign(label=rng.permutation(["left", "right"] * 1250)).to_csv(tmp_path / "random.csv", index=False)
    name = custom.register(json.dumps({"path": str(tmp_path / "random.csv")}))
    found = {}
    for method in rows_of(tasks.get(name)):
        run = run_of(name, method)
        for part in run.recipes.values():
            store.train(run.task, part, run.split)
        found[method] = execute(run).metrics["accuracy"]
    assert list(found) == ["one-hot", "distillation", "prior-sampling", "tgt-random", "tgt-gradient"]
    assert [*found.values()] == pytest.approx([0.5] * 5, abs=0.08)  # of 500 test samples


@pytest.mark.parametrize(
    ("counts", "accuracy", "balanced", "told"),
    [
        ([36] * 9 + [35], 0.134, 0.134, True),  # a labeler of shuffled labels that had luck
        ([36] * 9 + [35], 0.15, 0.15, False),
        ([900, 10], 0.989, 0.60, True),  # two more of ten rare samples, which guesses may hit
        ([900, 10], 0.989, 0.95, False),
        ([10, 10], 0.70, 0.70, True),
        ([10, 10], 0.85, 0.85, False),
    ],
)
def test_a_labeler_is_at_chance_where_guesses_would_score_as_much(counts, accuracy, balanced, told):
    found = SimpleNamespace(test_labels=np.repeat(range(len(counts)), counts), classes=len(counts))
    own_task = SimpleNamespace(examples=lambda: found, scale="small", own={"data"})
    assert bool(at_chance(own_task, {"accuracy": accuracy, "balanced_accuracy": balanced})) == told


def vectors(tmp_path, scale: float = 1.0) -> str:
    """The source of a task whose labeler comes from a file; the file is written with this scale."""
    weight = torch.zeros(2, 4)
    weight[1, 0] = scale
    torch.save({"weight": weight, "bias": torch.zeros(2)}, tmp_path / "w.pt")
    return VECTORS.replace("CALLS", str(tmp_path / "calls")).replace("WEIGHTS", str(tmp_path / "w.pt"))


def test_other_weights_behind_the_same_code_are_another_run_with_another_score(register, tmp_path):
    name = register(vectors(tmp_path))
    found = []
    for scale in (1.0, -1.0, 1.0):
        vectors(tmp_path, scale)
        forget(name)
        run = run_of(name)
        for part in run.recipes.values():
            store.train(run.task, part, run.split)
        found.append((run.key, run.teachers["labeler"]["metrics"]["test"]["accuracy"]))
    assert found[0] == found[2]
    assert found[0][0] != found[1][0]
    assert (found[0][1], found[1][1]) == (1.0, 0.0)


def test_numbers_outside_the_weights_count_too():
    module, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    other.load_state_dict(module.state_dict())
    assert own.content_of(module) == own.content_of(other)
    other.beside = torch.ones(2)
    assert own.content_of(module) != own.content_of(other)
    first = own.content_of(other)
    other.temperature = 2.0
    assert own.content_of(other) != first


def test_data_and_teacher_are_made_once_for_all_processes(register, tmp_path):
    name = register(vectors(tmp_path))
    forget(name)
    runs = [run_of(name, method) for method in ("one-hot", "distillation", "tgt-random", "prior-sampling")]
    kept = Store(tmp_path / "out")
    plan = scheduler.plan(runs, kept, 2)
    scheduler.train_teachers(plan.teachers, 2, lambda line: None)
    scheduler.run_missing(scheduler.plan(runs, kept, 2), kept, 2, lambda record: None)
    assert {record.status for record in kept.read().values()} == {"ok"}
    assert len(kept.read()) == 4
    assert sorted((tmp_path / "calls").read_text().split()) == ["data", "teacher"]


def test_rows_that_need_a_prior_are_left_out_where_there_is_none(register, tmp_path, capsys):
    lines = [line for line in vectors(tmp_path).splitlines() if "sample_prior" not in line]
    name = register("\n".join(lines))
    forget(name)
    for size in ("smoke", "smoke"):
        rows = {run.spec.method for run in grid("table1", Choice(size=size, tasks=(name,)))}
        assert rows == {"one-hot", "distillation", "tgt-random", "tgt-gradient"}
    assert capsys.readouterr().err == (
        f"note: {name}: its generator has no prior to sample from (no sample_prior), so prior-sampling cannot run and "
        "is left out\n"
    )
    assert "prior-sampling" not in compare.rivals(tasks.get(name).at("smoke"), "mine")
    told = f"method prior-sampling: it cannot run, for the generator of {name} has no prior to sample from"
    with pytest.raises(BadInput, match=told):
        options.fits_all("prior-sampling", (name,), "smoke")
    assert (tmp_path / "calls").read_text().split() == ["data", "teacher"]


def test_every_row_that_decodes_the_prior_says_so():
    batch = SimpleNamespace(num_generated=2, indices=torch.arange(2))
    data = MagicMock(latents=torch.zeros(2, 3), __len__=lambda self: 2)
    data.balanced_indices.return_value = torch.arange(2)
    guided = {name: row for name, row in METHODS.items() if issubclass(row.load(), TGT)}
    for name, row in guided.items():
        asked = Mock()
        method = object.__new__(row.load())
        vars(method).update(config=method.Config(**row.fixed), teacher=asked, data=data, rng=None)
        method.starting_points(batch)
        assert row.needs_prior == asked.sample_prior.called, name
    assert not any(row.needs_prior for name, row in METHODS.items() if name not in guided)


def test_a_test_set_of_today_is_what_the_labeler_is_measured_on(register, tmp_path):
    source = vectors(tmp_path)
    first, second = register(source), register(source.replace("labels[80:]}", "1 - labels[80:]}"))
    scores = []
    for name in (first, second):
        run = run_of(name)
        store.train(run.task, run.recipes["labeler"], run.split)
        store.train(run.task, run.recipes["generator"], run.split)
        scores.append(run.teachers["labeler"]["metrics"]["test"]["accuracy"])
    assert scores == [1.0, 0.0]


def test_budgets_follow_the_data_or_what_the_class_says(register):
    small = tasks.get(register(TEXTS)).sizes
    assert small["small"].budget <= 108
    assert small["smoke"].budget <= small["small"].budget
    said = TEXTS.replace('base = "movie-5"', 'base, budget, budgets, steps = "movie-5", 30, (10, 30), 5')
    sizes = tasks.get(register(said)).sizes
    assert {(size.budget, size.budgets, size.steps) for size in sizes.values()} == {(30, (10, 30), 5)}
    inherited = said.replace("class Mine(Task)", "class Before(Task)") + "class Mine(Before):\n    steps = 4\n"
    assert {(size.budget, size.steps) for size in tasks.get(register(inherited)).sizes.values()} == {(30, 4)}


def test_small_data_keep_the_contract(register, tmp_path):
    name = register(vectors(tmp_path))
    assert [outcome for outcome in task_checks.task(tasks.get(name)) if outcome.told] == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("bugdet = 30", "Mine.bugdet: nothing reads it; did you mean budget?"),
        ("epochs = 30", "Mine.epochs: nothing reads it; a helper of your own begins with _"),
        ("def studnet(self, classes): pass", "Mine.studnet: nothing reads it; did you mean student?"),
    ],
)
def test_an_attribute_that_nothing_reads_is_refused(line, told, register):
    with pytest.raises(BadInput, match=told):
        register(TEXTS.replace('base = "movie-5"', f'base = "movie-5"\n    {line}'))
    assert register(TEXTS.replace('base = "movie-5"', 'base = "movie-5"\n    def helper(self): pass'))
