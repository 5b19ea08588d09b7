"""Records in a real experiment tracker, offline."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from test_cli import GRID, call

from benchmarks.commands import options
from benchmarks.core.errors import BadInput


def test_a_tracker_that_is_not_there_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(options, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match="--track: trackio is not installed: pip install trackio"):
        options.choice_of(SimpleNamespace(track="trackio"))


def test_every_new_record_becomes_a_run(tmp_path):
    pytest.importorskip("wandb")
    words = [*GRID, "--seeds", "1", "--results", str(tmp_path), "--track", "wandb"]
    env = {"WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path), "WANDB_SILENT": "true"}
    done = call(*words, env=env)
    assert done.returncode == 0, done.stderr
    runs = sorted((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(runs) == 3
    written = b"".join(path.read_bytes() for path in runs)
    for record in map(json.loads, (tmp_path / "smoke" / "records.jsonl").read_text().splitlines()):
        assert record["key"].encode() in written
    assert b"test/balanced_accuracy" in written
    assert call(*words, env=env).returncode == 0
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 3  # nothing new, nothing sent
