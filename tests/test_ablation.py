"""Ablations: the grid that each asks for, where its records are kept, and the figure of what is recorded."""

from __future__ import annotations

import pandas as pd
import pytest
from test_cli import call
from test_stats_and_tables import record

from benchmarks.analysis import ablation
from benchmarks.analysis.ablation import ABLATIONS
from benchmarks.core import paths
from benchmarks.records.record import Store
from benchmarks.registry import tasks
from benchmarks.registry.experiments import Choice
from benchmarks.registry.methods import METHODS


@pytest.mark.parametrize("target", [name for name in ABLATIONS if name != "ablation-teacher"])
def test_every_value_is_one_that_its_rows_take_and_do_not_fix(target):
    found = ABLATIONS[target]
    for task in map(tasks.get, ("fashion-lt", "movie-5", "wiki-titles", "manifold-2-in-32")):
        assert found.methods(task, Choice())
        for row in found.methods(task, Choice()):
            assert not METHODS[row].unfit(task)
            assert found.name not in METHODS[row].fixed
            for value in found.values:
                METHODS[row].load().Config(**{**METHODS[row].fixed, found.name: value})
        assert found.methods(task, Choice(methods=("tgt-random",))) == ("tgt-random",)


def test_records_are_kept_where_set_keeps_them(tmp_path):
    points = list(ABLATIONS["ablation-sigma"].points(Choice(settings=(("pool", 9),)), tmp_path))
    assert points[1][2] == tmp_path / "set" / "pool=9,sigma=0.5"
    assert points[1][1].settings == (("pool", 9), ("sigma", 0.5))
    assert [(where, one.teachers) for _, one, where in ABLATIONS["ablation-teacher"].points(Choice(), tmp_path)] == [
        (tmp_path, ("full",)),
        (tmp_path, ("same-data",)),
    ]


def test_the_frame_by_hand(tmp_path):
    for value, scores in (("1", (0.7, 0.8)), ("2", (0.6, 0.7))):
        for seed, score in enumerate(scores):
            found = record("tgt-random", seed, score)
            found.diagnostics = {"class_kept": score}
            Store(tmp_path / "set" / f"sigma={value}").append(found)
    Store(tmp_path / "set" / "sigma=3").append(record("tgt-random", 0, 0.5, budget=1000))  # one value is no curve
    for seed, score in enumerate((0.6, 0.7, 0.1)):  # the third seed stands beside nothing
        Store(tmp_path).append(record("distillation", seed, score))
    Store(tmp_path / "set" / "sigma=2").append(record("tgt-random", 2, 0.9))
    frame = ablation.frame("ablation-sigma", tmp_path, Choice())
    assert set(frame.budget) == {2478}
    assert frame[["value", "method", "n_seeds"]].to_numpy().tolist() == [
        ["1", "tgt-random", 2], ["1", "distillation", 2], ["2", "tgt-random", 2], ["2", "distillation", 2],
    ]  # fmt: skip
    assert frame["mean"].tolist() == [pytest.approx(x) for x in (0.75, 0.65, 0.65, 0.65)]
    assert frame.class_kept[0] == pytest.approx(0.75)
    assert ablation.write("ablation-sigma", tmp_path, Choice())
    assert ablation.write("ablation-share", tmp_path, Choice()) == []


def test_the_command_draws_what_it_ran(tmp_path):
    words = ("ablation-steps", "--size", "smoke", "--tasks", "fashion-lt", "--seeds", "1", "--results", str(tmp_path))
    done = call(*words)
    assert done.returncode == 0, done.stderr
    frame = pd.read_csv(tmp_path / "smoke" / "ablation-steps.csv")
    assert frame[frame.method == "tgt-gradient"].value.tolist() == [0, 1, 2, 4, 8]
    assert frame.disagreement_end[0] == frame.disagreement_noise[0]  # no step, no rise
    assert (tmp_path / "smoke" / "ablation-steps.png").stat().st_size > 10_000
    assert {path.name for path in (tmp_path / "smoke" / "set").iterdir()} == {
        f"ascent_steps={n}" for n in (0, 1, 2, 4, 8)
    }
    again = call(*words)
    assert again.returncode == 0
    assert "[1/" not in again.stdout


def test_the_reference_draws_each_ablation_that_it_holds():
    folder = paths.REFERENCE / "small"
    for target in ABLATIONS:
        frame = ablation.frame(target, folder, Choice())
        assert frame.empty or (folder / f"{target}.svg").exists()
