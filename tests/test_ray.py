"""Cells as Ray tasks: the same records as from local processes, and nodes that are not as the driver is are refused."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks.core import paths
from benchmarks.records.record import Store
from benchmarks.runs import node
from benchmarks.runs.execute import execute
from benchmarks.runs.run import Run

pytest.importorskip("ray")

#: It imports a file from beside it, which is sent along.
MINE = '''
from baselines.one_hot import OneHot
from beside import WEIGHT

class Mine(OneHot):
    """As one-hot, weighted."""
    version = 1
    def loss(self, student, batch):
        return {name: WEIGHT * term for name, term in super().loss(student, batch).items()}
'''


@pytest.fixture
def smoke_run(smoke) -> Run:
    return smoke("tgt-random")


def test_a_cell_on_ray_has_the_record_that_it_has_here(smoke_run, tmp_path):
    """Ray starts here, and a method that a file holds runs on it too."""
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "beside.py").write_text("WEIGHT = 0.5\n")
    words = ["table1", "--size", "smoke", "--tasks", "fashion-lt", "--methods", "tgt-random,mine.py", "--seeds", "1"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "benchmarks", *words, "--results", "out", "--engine", "ray", "--jobs", "1"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(paths.ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = {record.spec.method: record for record in Store(tmp_path / "out" / "smoke").read().values()}
    assert found.keys() == {"tgt-random", "mine"}
    here, there = execute(smoke_run), found["tgt-random"]
    assert (here.key, here.metrics, here.hits) == (there.key, there.metrics, there.hits)
    seconds = {"seconds": 0.0}
    assert [p.model_copy(update=seconds) for p in here.curve] == [p.model_copy(update=seconds) for p in there.curve]


def test_what_differs_on_a_node_is_told_in_a_line(smoke_run):
    facts = node.facts(smoke_run)
    assert not node._differs(facts, facts)
    for name, told in [("code", "another code than"), ("data_sha256", "another data than")]:
        line = node._differs({**facts, name: "0" * 64}, facts)
        assert line.startswith(told)
        assert "\n" not in line


def test_a_node_has_missing_teachers_sent_and_takes_no_others(smoke_run, tmp_path, monkeypatch):
    from benchmarks.core import kept
    from benchmarks.runs.desk import Desk

    wanted = node.Wanted.of(smoke_run).teachers
    desk = Desk([paths.cache(), paths.REFERENCE / "smoke"])
    monkeypatch.setenv("TGT_CACHE", str(tmp_path))
    monkeypatch.setattr(kept, "ELSEWHERE", [desk.file])
    assert node._teachers(smoke_run, wanted) == ""
    labeler = smoke_run.recipes["labeler"].cached
    assert kept.whole(labeler)
    raw = bytearray(labeler.read_bytes())
    raw[-1] ^= 1
    labeler.write_bytes(raw)
    assert node._teachers(smoke_run, wanted).startswith(f"another teacher than the driver's ({labeler.name}")
