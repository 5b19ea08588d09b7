"""Every kind of object of the cache under every kind of damage: never taken, one line told, made anew and right."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from damages import DAMAGES, flipped, rewrite

from benchmarks.commands import main as command
from benchmarks.core import kept, paths
from benchmarks.core.errors import MachineFailure
from benchmarks.core.fingerprint import array_digest
from benchmarks.data import asset
from benchmarks.data.asset import Asset
from benchmarks.data.splits import Split
from benchmarks.networks import sentence_encoder
from benchmarks.records.record import Spec
from benchmarks.runs import execute
from benchmarks.runs.run import Run
from benchmarks.teachers import answer_cache, store

ARRAYS = {"x": np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)}
SPEC = Spec(task="manifold-4-in-128", size="smoke", teacher="full", budget=32, seed=0, method="distillation")


def source(folder: Path) -> dict[str, np.ndarray]:
    return ARRAYS


ASSET = Asset("toy", array_digest(ARRAYS), "MIT", "here", (source,))
SPLIT = Split("toy", 5, 0, np.array([1, 4, 9, 16, 25]))


@dataclass(frozen=True)
class Kind:
    """A kind of object: its file, and what is asked of it, as bytes that can be compared."""

    path: Callable[[Run], Path]
    ask: Callable[[Run], bytes]


def trained(run: Run, part: str) -> bytes:
    """What a command does: train what is not there as it was trained, then load it."""
    store.train(run.task, run.recipes[part], run.split)
    module = store.load(run.task, run.recipes[part])[part]
    return b"".join(tensor.numpy().tobytes() for tensor in module.state_dict().values())


class Encoder(torch.nn.Module):
    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.stack([tokens.sum(1), tokens.amax(1)], 1).float()


def passages() -> Path:
    return next((paths.cache() / "teachers").glob("passages-*.npy"))


KINDS = {
    "data": Kind(lambda run: ASSET.path, lambda run: ASSET.load()["x"].tobytes()),
    "split": Kind(lambda run: SPLIT.write(), lambda run: SPLIT.write().read_bytes()),
    "generator": Kind(lambda run: run.recipes["generator"].cached, lambda run: trained(run, "generator")),
    "labeler": Kind(lambda run: run.recipes["labeler"].cached, lambda run: trained(run, "labeler")),
    "answers": Kind(
        lambda run: answer_cache._path(run.recipes["labeler"]),
        lambda run: np.array(answer_cache.pool_answers(run.task, "labeler", run.recipes["labeler"])).tobytes(),
    ),
    "passages": Kind(
        lambda run: passages(), lambda run: sentence_encoder.passage_vectors(("a word", "two more")).numpy().tobytes()
    ),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Iterator[tuple[Run, Path]]:
    """A complete cache, made once; nothing in it is written to."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("complete")
        patch.setenv("TGT_CACHE", str(folder))
        stub_the_encoder(patch)
        run = Run(SPEC)
        for kind in KINDS.values():
            kind.ask(run)
        yield run, folder


def stub_the_encoder(patch: pytest.MonkeyPatch) -> None:
    pieces = np.arange(6, dtype=np.int64).reshape(2, 3)
    patch.setattr(sentence_encoder, "word_pieces", lambda texts, length: pieces)
    patch.setattr(sentence_encoder, "vocabulary_of", lambda *given: None)
    patch.setattr(sentence_encoder, "in_vocabulary", lambda pieces, vocabulary: pieces)
    patch.setattr(sentence_encoder, "SentenceEncoder", lambda vocabulary: Encoder())


@pytest.fixture
def run(prepared, tmp_path, monkeypatch) -> Run:
    """A run on a copy of the complete cache."""
    _, complete = prepared
    shutil.copytree(complete, tmp_path / "cache")
    monkeypatch.setenv("TGT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # hundreds of them would take most of the time
    stub_the_encoder(monkeypatch)
    return Run(SPEC)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", KINDS)
def test_what_is_damaged_is_set_aside_and_made_anew(run, name, damage, capsys):
    kind = KINDS[name]
    path, right = kind.path(run), kind.ask(run)
    assert capsys.readouterr().err == ""
    DAMAGES[damage](path)
    assert kind.ask(run) == right
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith(f"note: {path}: hash is ")
    assert "expected " in told[0]
    assert os.path.lexists(f"{path}.damaged")
    assert kind.ask(run) == right
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", KINDS)
def test_what_is_gone_is_made_anew_without_a_word(run, name, capsys):
    path, right = KINDS[name].path(run), KINDS[name].ask(run)
    path.unlink()
    assert KINDS[name].ask(run) == right
    assert capsys.readouterr().err == ""


def test_no_flipped_bit_of_data_is_taken(run):
    """What a reader makes of a broken header varies from bit to bit; where the arrays are as before, all is well."""
    path, raw, taken = ASSET.path, ASSET.path.read_bytes(), 0
    for bit in range(0, 8 * len(raw), 5):
        broken = bytearray(raw)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        arrays, found = asset._read(path)
        if found == ASSET.sha256:
            assert np.array_equal(arrays["x"], ARRAYS["x"])
            taken += 1
    assert taken < 8  # spaces at the header's end, which mean nothing


class Nobody:
    """Rights of a user who is not root, to whom files can be unreadable and folders read-only."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, os.geteuid() == 0

    def __enter__(self) -> None:
        if self.root:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, 65534, 65534)
            os.seteuid(65534)

    def __exit__(self, *given: object) -> None:
        if self.root:
            os.seteuid(0)


@pytest.fixture
def reachable(run, monkeypatch) -> Iterator[Path]:
    """The copy of the cache where a user without rights reaches it."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(paths.cache(), Path(folder) / "cache")
        monkeypatch.setenv("TGT_CACHE", str(Path(folder) / "cache"))
        yield Path(folder)
        for path in Path(folder).rglob("*"):
            path.chmod(0o755)


@pytest.mark.parametrize("name", KINDS)
def test_an_unreadable_file_is_set_aside(run, reachable, name, capsys):
    path, right = KINDS[name].path(run), KINDS[name].ask(run)
    with Nobody(reachable):
        path.chmod(0)
        assert KINDS[name].ask(run) == right
    assert capsys.readouterr().err.count("\n") == 1


def read_only(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    folder.chmod(0o555)


@pytest.mark.parametrize("locks", [True, False])
def test_a_complete_read_only_cache_serves(run, reachable, prepared, locks, capsys):
    wanted = {name: kind.ask(run) for name, kind in KINDS.items()}
    damaged = {name: KINDS[name].path(run) for name in ("data", "split", "answers", "passages", "labeler")}
    for lock in (one for one in reachable.rglob("*.lock") if not locks):
        lock.unlink()
    with Nobody(reachable):
        read_only(reachable)
        assert {name: kind.ask(run) for name, kind in KINDS.items()} == wanted
        Split("toy", 2, 0, np.array([1, 2])).write()
        for name, path in damaged.items():
            path.chmod(0o644)
            flipped(path, lambda size: size - 3)
            with pytest.raises(MachineFailure) as refused:
                KINDS[name].ask(run)
            assert str(path) in str(refused.value)
            assert len(str(refused.value).splitlines()) == 1
    assert capsys.readouterr().err == ""


def test_a_teacher_from_before_the_list_is_entered_if_its_labeler_scores_what_it_says(run, capsys):
    names = {part: one.cached for part, one in run.recipes.items()}
    right = trained(run, "labeler")
    listing = names["labeler"].parent / kept.LIST
    listing.unlink()
    assert trained(run, "labeler") == right
    assert kept.listed(names["labeler"])
    assert kept.listed(names["generator"]) is None
    listing.unlink()
    rewrite(names["labeler"], lambda array: array * 0)
    with pytest.raises(kept.Tampered, match="the labeler's accuracy is"):
        trained(run, "labeler")
    assert trained(run, "labeler") == right
    listing.unlink()
    shutil.copy(names["generator"], names["labeler"])
    assert trained(run, "labeler") == right


def test_a_damaged_list_never_vouches(run, capsys):
    listing = paths.cache() / "teachers" / kept.LIST
    wanted = {name: kind.ask(run) for name, kind in KINDS.items()}
    for damage in ("cut", "empty", "a bit", "no text", "a folder", "a pipe", "a dead link"):
        DAMAGES[damage](listing)
        rewrite(KINDS["answers"].path(run), lambda array: -array)
        assert {name: kind.ask(run) for name, kind in KINDS.items()} == wanted, damage
        assert kept.listed(KINDS["answers"].path(run))
    assert "Traceback" not in capsys.readouterr().err


def test_a_damaged_committed_teacher_is_told_and_not_used(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "REFERENCE", tmp_path / "reference")
    one, right = run.recipes["labeler"], trained(run, "labeler")
    one.committed.parent.mkdir(parents=True)
    shutil.copy(one.cached, one.committed)
    kept.enter(one.committed, kept.found(one.committed))
    assert one.path == one.committed
    rewrite(one.committed, lambda array: array * 0)
    assert one.path == one.cached
    assert trained(run, "labeler") == right
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "git checkout restores it" in told
    assert one.committed.exists()


def test_a_failure_of_the_machine_is_no_result_of_a_method(run, monkeypatch, capsys):
    for one in run.recipes.values():
        store.train(run.task, one, run.split)
    assert run.key
    rewrite(run.recipes["labeler"].cached, lambda array: array * 0)
    with pytest.raises(MachineFailure, match="was changed since it was trained"):
        execute.execute(run)
    for error in (
        OSError(errno.ENOSPC, "No space left on device"),
        FileNotFoundError("gone"),
        MachineFailure("m"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of"),
    ):
        monkeypatch.setattr(execute, "_train", lambda *given, error=error: (_ for _ in ()).throw(error))
        with pytest.raises(type(error)):
            execute.execute(run)


@pytest.mark.parametrize("name", KINDS)
def test_a_full_disk_names_the_file_and_leaves_nothing_half(run, name, monkeypatch):
    path, right = KINDS[name].path(run), KINDS[name].ask(run)
    path.unlink()
    plain = Path.write_bytes, Path.write_text

    def full(self: Path, content: Any, *given: Any) -> int:
        if path.name in self.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return plain[isinstance(content, str)](self, content, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        patch.setattr(Path, "write_text", full)
        with pytest.raises(MachineFailure, match=rf"cannot write {path}: No space left on device"):
            KINDS[name].ask(run)
    assert not [one for one in path.parent.iterdir() if path.name in one.name and one.suffix != ".lock"]
    assert KINDS[name].ask(run) == right


def test_little_space_is_told_before_anything_is_fetched(run, monkeypatch):
    ASSET.path.unlink()
    few = os.statvfs_result((4096, 4096, 10, 10, 10, 10, 10, 10, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda folder: few)
    unfetched = Asset("toy", ASSET.sha256, "MIT", "here", (lambda folder: pytest.fail("fetched"),))
    with pytest.raises(MachineFailure, match="MB free, 256 MB are needed"):
        unfetched.load()
    run.recipes["labeler"].cached.unlink()
    monkeypatch.setattr(store, "networks_of", lambda *given: pytest.fail("trained"))
    with pytest.raises(MachineFailure, match="MB free, 128 MB are needed"):
        store.train(run.task, run.recipes["labeler"], run.split)


def test_a_failure_of_the_machine_is_one_line_of_a_command(monkeypatch, capsys):
    def failing(arguments):
        raise kept.Tampered("a/file: hash is 0, expected 1")

    monkeypatch.setattr(command, "_run", failing)
    assert command.main(["table1"]) == 1
    assert capsys.readouterr().err == "reproduce.sh: a/file: hash is 0, expected 1\n"


def test_a_full_gpu_is_told_with_what_helps(monkeypatch, capsys):
    def failing(arguments):
        raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`\nand more")

    monkeypatch.setattr(command, "_run", failing)
    assert command.main(["table1"]) == 1
    assert capsys.readouterr().err.startswith("reproduce.sh: the GPU has no memory left; fewer --jobs would share it (")


def test_a_file_is_hashed_once_a_process(run, monkeypatch):
    right, opened = trained(run, "labeler"), []
    plain = kept.hashlib.file_digest
    monkeypatch.setattr(kept.hashlib, "file_digest", lambda *given: opened.append(1) or plain(*given))
    assert all(trained(run, "labeler") == right for _ in range(3))
    assert run.has_teachers
    assert len(opened) <= 1  # the generator's
