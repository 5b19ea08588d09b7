"""Throughput: a step is told by phase, its multiply-adds are the known ones, outside methods are timed too."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from test_cli import call

from benchmarks.commands.throughput import TASKS
from benchmarks.core import paths
from benchmarks.report import throughput
from benchmarks.report.grid import to_csv


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    """Two rows and a method from a file, timed by the command."""
    folder = tmp_path_factory.mktemp("timed")
    mine = folder / "halved.py"
    mine.write_text(
        "from baselines.distillation import Distillation\n\n\n"
        "class Halved(Distillation):\n"
        '    """distillation with half the loss"""\n\n'
        "    def loss(self, student, batch):\n"
        "        return {name: term / 2 for name, term in super().loss(student, batch).items()}\n"
    )
    methods = f"distillation,tgt-gradient,{mine}"
    words = ("--size", "smoke", "--tasks", "fashion-lt", "--methods", methods, "--results", str(folder))
    done = call("throughput", *words)
    assert done.returncode == 0, done.stderr + done.stdout
    (csv,) = (folder / "smoke").glob("throughput-*-1-thread-float32-torch*.csv")
    return pd.read_csv(csv).set_index("method"), folder / "smoke", done.stdout


def test_phases_add_up_and_little_is_untracked(timed):
    frame, _, said = timed
    assert frame.index.tolist() == ["distillation", "tgt-gradient", "halved"]
    phases = frame[[f"ms_{phase}" for phase in throughput.PHASES]].sum(axis=1)
    assert (phases / frame.ms_step).tolist() == pytest.approx([1] * 3, abs=0.25)  # medians need not add up exactly
    assert frame.untracked_share.between(0, 0.25).all()  # of twelve tiny steps; the committed ones hold 5 %
    assert (frame.ms_step_low <= frame.ms_step).all()
    assert (frame.ms_step <= frame.ms_step_high).all()
    assert "times distillation" in said


def test_ascent_is_seen_and_counted(timed):
    frame, _, _ = timed
    assert frame.ms_explore.tolist()[0] == 0 < frame.ms_explore["tgt-gradient"]
    assert frame.labeler_queries_second["distillation"] == 0  # asked before the first step, once
    assert frame.decodes_second["tgt-gradient"] > 0


def test_multiply_adds_are_those_of_the_student(timed):
    """Forward 401,792 a sample; backward twice that, less the gradient that the first layer's input does not need."""
    frame, _, _ = timed
    forward = 401_792 * 32  # samples a step at smoke size
    assert 2 * forward < frame.macs_step["distillation"] < 3 * forward
    assert frame.macs_step["halved"] == frame.macs_step["distillation"]
    assert (frame.gflops > 0).all()
    assert (frame.gemm_gflops > 1).all()


def test_pytest_benchmarks_own_json_is_kept(timed):
    _, folder, _ = timed
    found = json.loads((folder / "throughput.json").read_text())
    assert {"machine_info", "benchmarks"} <= found.keys()
    assert "node" not in found["machine_info"]
    assert (folder / "throughput.png").stat().st_size > 10_000


def test_the_reference_leaves_at_most_one_in_twenty_untracked():
    (csv,) = (paths.REFERENCE / "small").glob("throughput-*.csv")
    frame = pd.read_csv(csv)
    assert set(frame.task) == set(TASKS)
    assert frame.untracked_share.max() <= 0.05
    found = json.loads((paths.REFERENCE / "small" / "throughput.json").read_text())
    assert csv.read_text() == to_csv(throughput.of_json(found))
