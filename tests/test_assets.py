"""Data from registries: pinned hashes, no half files, one fetch for two, nothing written by an archive's names."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest

from benchmarks.core import paths
from benchmarks.core.fingerprint import array_digest
from benchmarks.data import asset as assets
from benchmarks.data import texts
from benchmarks.data.asset import Asset, Unavailable

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


def test_a_missing_client_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match="apt-get is not installed"):
        assets.deb("p", tmp_path)


def test_a_plan_fetches_nothing_and_says_so(cache):
    one = asset(good)
    with assets.nothing_fetched(), pytest.raises(Unavailable, match=r"toy is not in .*a plan fetches nothing"):
        one.load()
    assert not list(cache.iterdir())
    assert np.array_equal(one.load()["x"], GOOD["x"])


def test_what_unpacks_to_more_than_any_data_is_refused_in_one_line(tmp_path, monkeypatch):
    """Zip, a packed member, and a member of a tar: all small files of large contents."""
    monkeypatch.setattr(assets, "LARGEST", 2**20)
    monkeypatch.setattr(assets, "run_client", lambda command, folder: b"")
    large = bytes(2**21)
    with zipfile.ZipFile(tmp_path / "x.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("large", large)
        archive.writestr("small", b"1")
    with assets.Zip(tmp_path / "x.whl") as archive:
        assert archive.read("small") == b"1"
        with pytest.raises(Unavailable, match="large would unpack to more than 1 MB"):
            archive.read("large")
    with tarfile.open(tmp_path / "x.tgz", "w:gz") as archive:
        info = tarfile.TarInfo("large")
        info.size = len(large)
        archive.addfile(info, io.BytesIO(large))
    assert (tmp_path / "x.tgz").stat().st_size < 2**15
    with gzip.open(io.BytesIO(gzip.compress(large))) as file, pytest.raises(Unavailable, match="1 MB"):
        assets.limited(file, "x")
    with tarfile.open(tmp_path / "x.tgz") as archive, pytest.raises(Unavailable, match="large would unpack"):
        assets.member(archive, "large")


def test_a_debian_package_is_read_no_further_than_its_limit(tmp_path, monkeypatch):
    tool = tmp_path / "bin" / "dpkg-deb"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nexec /usr/bin/head -c 200000000 /dev/zero\n")
    tool.chmod(0o755)
    (tmp_path / "x_1.deb").write_text("")
    monkeypatch.setenv("PATH", str(tool.parent))
    monkeypatch.setattr(assets, "LARGEST", 2**20)
    monkeypatch.setattr(assets, "run_client", lambda command, folder: b"")
    with pytest.raises(Unavailable, match=r"x_1.deb would unpack to more than 1 MB"):
        assets.deb("x", tmp_path)


def test_fetching_asks_for_what_runs_no_code(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(texts, "run_client", lambda command, folder: asked.append(command))
    with pytest.raises(StopIteration):
        texts.wheel("some-package==1", tmp_path)
    assert "--only-binary=:all:" in asked[0]
