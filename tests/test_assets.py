"""Data from registries: pinned hashes, no half files, one fetch for two, nothing written by an archive's names."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from benchmarks.core import paths
from benchmarks.core.fingerprint import array_digest
from benchmarks.data import asset as assets
from benchmarks.data.asset import Asset, Tampered, Unavailable

GOOD = {"x": np.arange(6, dtype=np.uint8)}


def good(folder):
    return GOOD


def broken(folder):
    raise OSError("no route")


def other(folder):
    return {"x": np.zeros(6, np.uint8)}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TGT_CACHE", str(tmp_path))
    return tmp_path


def asset(*sources):
    return Asset("toy", array_digest(GOOD), "MIT", "here", sources)


def test_the_next_source_is_tried_and_the_result_kept(cache):
    assert np.array_equal(asset(broken, good).load()["x"], GOOD["x"])
    assert np.array_equal(asset(broken).load()["x"], GOOD["x"])  # from disk now


def test_no_source_or_other_content_is_named_and_leaves_no_file(cache):
    with pytest.raises(Unavailable, match=r"broken: no route; other: content hash is \w+, expected"):
        asset(broken, other).load()
    assert not list((cache / "data").glob("*.safetensors"))


def test_a_tampered_or_cut_file_is_refused_with_both_hashes(cache):
    one = asset(good)
    one.load()
    raw = bytearray(one.path.read_bytes())
    raw[-1] ^= 1
    one.path.write_bytes(raw)
    with pytest.raises(Tampered, match=rf"toy.safetensors: content hash is \w{{64}}, expected {one.sha256}"):
        one.load()
    one.path.write_bytes(raw[:10])
    with pytest.raises(Tampered, match="unreadable"):
        one.load()


def test_two_processes_fetch_once(cache):
    code = (
        "import time, sys; sys.path.insert(0, 'tests'); import test_assets as t\n"
        "def slow(folder):\n"
        "    print('fetching', flush=True); time.sleep(1); return t.GOOD\n"
        "t.asset(slow).load()"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=paths.ROOT)
        for _ in range(2)
    ]
    said = [worker.communicate()[0] for worker in workers]
    assert sorted(said) == ["", "fetching\n"]


def test_archives_are_read_in_memory(tmp_path, monkeypatch):
    """A member named ../../evil of an npm archive is never written anywhere."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    with tarfile.open(inner / "p.tgz", "w:gz") as archive:
        for name in ("../../evil", "package/emoji.json"):
            info = tarfile.TarInfo(name)
            info.size = 2
            archive.addfile(info, io.BytesIO(b"[]"))
    monkeypatch.setattr(assets, "run_client", lambda command, folder: b"")
    with assets.npm("p", inner) as archive:
        content = {member.name: assets.member(archive, member.name) for member in archive if member.isfile()}
    assert content["../../evil"] == b"[]"
    assert not (tmp_path / "evil").exists()


def test_a_missing_client_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match="npm is not installed"):
        assets.npm("p", tmp_path)


def test_a_plan_fetches_nothing_and_says_so(cache):
    one = asset(good)
    with assets.nothing_fetched(), pytest.raises(Unavailable, match=r"toy is not in .*a plan fetches nothing"):
        one.load()
    assert not list(cache.iterdir())
    assert np.array_equal(one.load()["x"], GOOD["x"])
