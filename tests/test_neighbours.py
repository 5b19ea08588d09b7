"""Neighbours on disk: whoever makes them, they are the same, and a run takes them as if it had made them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import torch
from prepared import prepared

from benchmarks.runs.execute import execute
from benchmarks.teachers import neighbours as on_disk
from benchmarks.teachers.neighbours import Neighbours
from benchmarks.validation import toys

FILL = """
import sys, torch
from benchmarks.core import paths
from benchmarks.teachers import neighbours
from benchmarks.validation import toys
neighbours.BLOCK = 2
data = toys.data("image")
made = neighbours.Neighbours._made
neighbours.Neighbours._made = lambda self, block: (print(block), made(self, block))[1]
print("ready", flush=True)
sys.stdin.readline()
neighbours.Neighbours(data.teacher, data.inputs, ["toys"], 1.0, 3, True).all()
"""


def filled(cache, processes, monkeypatch):
    """Content of the files that so many processes made, by name, and the blocks that each of them made."""
    monkeypatch.setenv("TGT_CACHE", str(cache))
    command = [sys.executable, "-c", FILL]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    assert all(one.stdout.readline() == "ready\n" for one in started)
    for one in started:
        one.stdin.write("\n")
        one.stdin.flush()
    told = [one.communicate(timeout=100)[0].split() for one in started]
    assert [one.returncode for one in started] == [0] * processes
    return {path.name: path.read_bytes() for path in (cache / "neighbours").glob("*.npy")}, told


def test_two_processes_make_the_same_files_as_one_each_once(tmp_path, monkeypatch):
    alone, _ = filled(tmp_path / "one", 1, monkeypatch)
    together, blocks = filled(tmp_path / "two", 2, monkeypatch)
    assert len(alone) == len(toys.LABELS) // 2
    assert together == alone
    assert sorted(int(block) for of in blocks for block in of) == list(range(len(alone)))
    assert all(blocks), "each of them made some"


def test_logits_are_of_what_is_kept_and_a_row_is_that_of_its_sample(tmp_path, monkeypatch):
    monkeypatch.setenv("TGT_CACHE", str(tmp_path))
    monkeypatch.setattr(on_disk, "BLOCK", 7)
    data = toys.data("image")
    found = Neighbours(data.teacher, data.inputs, ["toys"], 0.0, 2, True)
    inputs, logits = found.all()
    assert not data.teacher.costs.counts
    chosen = np.array([79, 3, 2, 50, 2])
    kept = torch.from_numpy(inputs.read(chosen)).float() / 255
    assert torch.allclose(data.teacher.label(kept), torch.from_numpy(logits.read(chosen)), atol=1e-5)
    decoded = data.teacher.decode(data.teacher.encode(data.inputs[chosen // 2])).clamp(0, 1)
    assert (kept - decoded).abs().max() <= 0.5 / 255 + 1e-6


def test_a_second_run_takes_them_from_disk_and_counts_the_same(tmp_path, monkeypatch):
    run = prepared("fashion-lt", "smoke", 120, "tgt-random-stored")
    first, count = execute(run), len(run.split.indices)
    monkeypatch.setattr(on_disk, "neighbours", None)
    again = execute(run)
    assert (again.metrics, again.hits) == (first.metrics, first.hits)
    assert first.costs["decodes"] == 4 * count
    assert first.costs["labeler_queries"] == 5 * count
    assert again.costs["labeler_queries"] == 5 * count
