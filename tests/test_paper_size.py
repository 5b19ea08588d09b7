"""Commands at the paper's size without its data: what is needed is told, and what stands in for it is tried."""

from __future__ import annotations

import pytest

from benchmarks.commands.main import main
from benchmarks.registry import tasks
from benchmarks.registry.experiments import EXPERIMENTS
from benchmarks.registry.methods import METHODS

OF_PAPER = [name for name, one in EXPERIMENTS.items() if one.paper]


@pytest.fixture(autouse=True)
def _data(monkeypatch):
    """`--data` sets it for the command's workers."""
    monkeypatch.setenv("TGT_DATA", "")


@pytest.mark.parametrize("target", OF_PAPER)
def test_a_plan_without_the_files_names_each_and_ends_with_three(target, capsys, tmp_path):
    assert main([target, "--size", "paper", "--plan", "--data", str(tmp_path)]) == 3
    told = " ".join(capsys.readouterr().out.split())
    for name in EXPERIMENTS[target].paper:
        for need in tasks.get(name).needs:
            assert f"missing: {tmp_path / need.path} ({need.gigabytes:g} GB), from" in told
    assert " 0 GPU hours" not in told


def test_a_file_that_is_there_is_told_and_the_rest_is_still_missing(capsys, tmp_path):
    (tmp_path / "nq").mkdir()
    (tmp_path / "nq" / "nq-test.qa.csv").write_text("who\t['me']\n")
    assert main(["table3", "--size", "paper", "--plan", "--data", str(tmp_path)]) == 3
    assert f"\nthere: {tmp_path}/nq/nq-test.qa.csv" in capsys.readouterr().out.replace("(", "\n(")


def test_without_the_files_nothing_runs(capsys, tmp_path):
    assert main(["table3", "--size", "paper", "--data", str(tmp_path), "--results", str(tmp_path / "r")]) == 3
    assert "nothing can run" in capsys.readouterr().out
    assert not (tmp_path / "r").exists()


def test_a_dry_run_takes_what_stands_in_and_keeps_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    words = ["table1", "--size", "paper", "--dry-run", "2", "--methods", "one-hot,distillation", "--jobs", "1"]
    words += ["--tasks", "imagenet-lt,places-lt", "--data", str(tmp_path), "--results", str(tmp_path / "r")]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "glyph-lt at the smoke size stands in for imagenet-lt" in told
    assert "2 cells of 2 steps" in told  # both tasks have one stand-in
    assert "hf_secret" not in told
    assert not (tmp_path / "r").exists()


def test_each_task_of_the_papers_size_has_files_and_a_stand_in_for_its_rows():
    for name in (name for target in OF_PAPER for name in EXPERIMENTS[target].paper):
        task = tasks.get(name)
        assert task.needs
        assert "smoke" in tasks.get(task.stand_in).sizes
        assert not [row for row in METHODS if METHODS[row].only_for == task.domain and METHODS[row].unfit(task)]
