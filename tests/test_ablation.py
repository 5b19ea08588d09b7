"""Ablations: the grid that each asks for, where its records are kept, and the figure of what is recorded."""

from __future__ import annotations

import pandas as pd
import pytest
from test_cli import call
from test_stats_and_tables import record

from benchmarks.analysis import ablation
from benchmarks.analysis.ablation import ABLATIONS
from benchmarks.core import paths
from benchmarks.records import Results
from benchmarks.registry import tasks
from benchmarks.registry.experiments import Choice
from benchmarks.registry.methods import METHODS
from benchmarks.report import artefacts


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


def test_runs_are_those_that_set_would_make():
    points = dict(ABLATIONS["ablation-sigma"].points(Choice(settings="pool=9")))
    assert points["0.5"] == Choice(settings="pool=9,sigma=0.5")
    assert [(one.settings, one.teachers) for _, one in ABLATIONS["ablation-teacher"].points(Choice())] == [
        ("", ("full",)),
        ("", ("same-data",)),
    ]


def varied(seed, score, sigma, **more):
    found = record("tgt-random", seed, score, **more)
    found.spec = found.spec.model_copy(update={"settings": f"sigma={sigma}"})
    found.diagnostics = {"class_kept": score}
    return found


def test_the_frame_by_hand(tmp_path):
    records = [varied(0, 0.7, 1), varied(1, 0.8, 1), varied(0, 0.6, 2), varied(1, 0.7, 2), varied(2, 0.9, 2)]
    records.append(varied(0, 0.5, 3, budget=1000))  # one value is no curve
    # The third seed stands beside nothing.
    records += [record("distillation", seed, score) for seed, score in enumerate((0.6, 0.7, 0.1))]
    results = Results(tmp_path, records)
    frame = ablation.frame("ablation-sigma", results, Choice())
    assert set(frame.budget) == {2478}
    assert frame[["value", "method", "n_seeds"]].to_numpy().tolist() == [
        ["1", "tgt-random", 2], ["1", "distillation", 2], ["2", "tgt-random", 2], ["2", "distillation", 2],
    ]  # fmt: skip
    assert frame["mean"].tolist() == [pytest.approx(x) for x in (0.75, 0.65, 0.65, 0.65)]
    assert frame.class_kept[0] == pytest.approx(0.75)
    written = artefacts.of_ablation("ablation-sigma", results, Choice()).write(tmp_path)
    assert {path.suffix for path in written} == {".csv", ".png", ".pdf", ".svg"}
    assert artefacts.of_ablation("ablation-share", results, Choice()) is None


def test_the_baseline_stands_beside_rows_of_the_same_teacher_alone(tmp_path):
    """Of more draws than the varied rows it is of the same teacher all the same; of another teacher it is not."""
    records = [varied(seed, 0.7, sigma) for seed in (0, 1) for sigma in (1, 2)]
    baseline = [record("distillation", seed, 0.6) for seed in (0, 1)]
    redrawn = [record("distillation", seed, 0.6) for seed in (0, 1)]
    for one in redrawn:
        one.spec = one.spec.model_copy(update={"draw": 1})
        one.identity = {**one.identity, "teacher_sha256": {"labeler": "another"}}
    frame = ablation.frame("ablation-sigma", Results(tmp_path, records + baseline + redrawn), Choice())
    assert set(frame.method) == {"tgt-random", "distillation"}
    for one in baseline:
        one.identity = {**one.identity, "teacher_sha256": {"labeler": "another"}}
    frame = ablation.frame("ablation-sigma", Results(tmp_path, records + baseline), Choice())
    assert set(frame.method) == {"tgt-random"}


def test_the_command_draws_what_it_ran(tmp_path):
    words = ("ablation-steps", "--size", "smoke", "--tasks", "fashion-lt", "--seeds", "1", "--results", str(tmp_path))
    done = call(*words)
    assert done.returncode == 0, done.stderr
    frame = pd.read_csv(tmp_path / "smoke" / "ablation-steps.csv")
    assert frame[frame.method == "tgt-gradient"].value.tolist() == [0, 1, 2, 4, 8]
    assert frame.disagreement_end[0] == frame.disagreement_noise[0]  # no step, no rise
    assert (tmp_path / "smoke" / "ablation-steps.png").stat().st_size > 10_000
    assert Results.load(tmp_path / "smoke").settings == ["", *(f"ascent_steps={n}" for n in (0, 1, 2, 4, 8))]
    again = call(*words)
    assert again.returncode == 0
    assert "[1/" not in again.stdout


def test_the_reference_draws_each_ablation_that_it_holds():
    results = Results.load(paths.REFERENCE / "small")
    for target in ABLATIONS:
        frame = ablation.frame(target, results, Choice())
        assert frame.empty or (results.folder / f"{target}.svg").exists()
