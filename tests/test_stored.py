"""Samples that stay in their file: the same runs as from memory, whoever reads them, in bounded memory."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import task as tasks_module
from benchmarks.core.errors import BadInput, MachineFailure
from benchmarks.core.fingerprint import array_digest
from benchmarks.data import stored
from benchmarks.data.reading import Inputs, Rows, readers
from benchmarks.data.stored import Pack, Stored, pack
from benchmarks.own import ImageData
from benchmarks.records.record import Spec
from benchmarks.registry import tasks
from benchmarks.registry.methods import METHODS
from benchmarks.runs import loop
from benchmarks.runs import run as run_module
from benchmarks.runs.execute import execute
from benchmarks.runs.run import Run
from benchmarks.tasks.images import flip_and_shift
from benchmarks.teachers import answer_cache
from benchmarks.teachers import store as teachers
from benchmarks.teachers.answer_cache import RunData
from benchmarks.validation import toys
from tgt.stored import in_memory


def packed(path, images, labels=None, side=None):
    labels = np.zeros(len(images), np.int64) if labels is None else labels
    pack(path, images, labels, np.zeros(len(images), np.int64) if side is None else side, ("a", "b"))
    return Pack(path)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), dtype=np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_pack_gives_what_an_array_gives(images, dtype, tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "SMALL", 1000)
    monkeypatch.setattr(stored, "_PART", 1000)
    images = images.astype(dtype)
    found = packed(tmp_path / "a.safetensors", images, np.arange(40) % 2).inputs
    chosen = np.array([7, 3, 3, 39, 0, 12, 30])
    assert (found.shape, found.dtype, len(found)) == (images.shape, images.dtype, 40)
    assert isinstance(found[:], Stored)
    assert isinstance(found[:1], np.ndarray)
    for index in (slice(0, 1), 5, chosen, chosen[::2], slice(3, 39), images[:, 0, 0, 0] > 100):
        assert np.array_equal(np.asarray(found[index]), images[index])
    assert np.array_equal(np.asarray(found[10:][chosen[:3]]), images[10:][chosen[:3]])
    assert array_digest({"inputs": found}) == array_digest({"inputs": images})


def test_rows_are_indexed_as_a_tensor_is(images):
    tensor = torch.from_numpy(images).float()
    rows = Rows(tensor.shape, lambda numbers: tensor[numbers], tensor)
    for index in (3, -1, slice(2, 9), [1, 1], torch.tensor([[4, 5], [6, 7]]), torch.arange(40) > 20, slice(0, 0)):
        assert rows[index].equal(tensor[index])
    assert torch.cat(list(rows.split(7))).equal(tensor)


def test_files_that_are_no_packs_are_told_in_a_line(images, tmp_path):
    packed(tmp_path / "a.safetensors", images)
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-9])
    (tmp_path / "words.safetensors").write_text("no pack")
    for name in ("cut", "words", "absent"):
        with pytest.raises(BadInput, match=f"{name}.safetensors is no pack"):
            Pack(tmp_path / f"{name}.safetensors")
    found = Pack(tmp_path / "a.safetensors")
    os.truncate(tmp_path / "a.safetensors", 5000)
    with pytest.raises(MachineFailure, match="ends before sample"):
        found.inputs.read()


def test_a_folder_is_packed_and_read_lazily_or_from_its_pack(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    for number in range(24):
        (tmp_path / "photos" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(rng.integers(0, 256, (12, 10, 3), dtype=np.uint8))
        picture.save(tmp_path / "photos" / "ab"[number % 2] / f"{number}.png")
    command = [sys.executable, "-P", "-m", "benchmarks", "data", "--pack", "photos", "--side", "8"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "24 images of 2 classes" in done.stdout

    def given(path):
        return type("Photos", (ImageData,), {"path": str(tmp_path / path), "name": "photos", "side": 8})().data()

    whole = given("photos")
    monkeypatch.setattr("benchmarks.own.images.IN_MEMORY", 0)
    monkeypatch.setattr(stored, "SMALL", 0)
    for lazy in (given("photos"), given("photos.safetensors")):
        assert isinstance(lazy.pool_inputs, Stored)
        assert np.array_equal(np.asarray(lazy.pool_inputs), whole.pool_inputs)
        assert np.array_equal(np.asarray(lazy.test_inputs), whole.test_inputs)
        assert lazy.class_names == whole.class_names
        assert np.array_equal(lazy.validation, whole.validation)
    assert "decoded at each reading" in capsys.readouterr().err


def trained(name, inputs, monkeypatch, keep=True):
    """A student after a few steps on toy images that are given as `inputs`, and what it took."""
    monkeypatch.setattr(answer_cache, "KEPT", 2**28 if keep else 0)
    toy, student = toys.data("image"), toys.student("image")
    more = {"unlabelled": lambda: toy.inputs, "neighbours": in_memory}
    data = RunData(inputs, toy.labels, toy.num_classes, toy.teacher, flip_and_shift, **more)
    row = METHODS[name]
    mine = row.load()(row.load().Config(**{**row.defaults, **row.fixed}), data, toys.rng(5))
    loop.train(student, mine, data, loop.Schedule(4, 8), toys.rng(7), data.teacher.costs, lambda step: None)
    return student.state_dict(), dict(data.teacher.costs.counts)


@pytest.mark.parametrize("name", [name for name, row in METHODS.items() if "image" in row.tables])
def test_every_image_row_gives_the_same_weights_from_a_file(name, tmp_path, monkeypatch):
    """No method knows where its samples are."""
    tensor = toys.data("image").inputs
    lazy = packed(tmp_path / "a.safetensors", tensor.numpy()).inputs
    inputs = Inputs(lazy, torch.from_numpy)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    expected, paid = trained(name, tensor, monkeypatch)
    found, also = trained(name, inputs, monkeypatch)
    assert state.equal(torch.get_rng_state())
    assert also == paid
    assert all(found[part].equal(expected[part]) for part in expected)


def test_readers_change_nothing_and_answers_too_large_to_keep_are_counted_anew(tmp_path, monkeypatch):
    lazy = packed(tmp_path / "a.safetensors", toys.data("image").inputs.numpy()).inputs
    found = {}
    for count in ("0", "2"):
        monkeypatch.setenv("TGT_READERS", count)
        found[count] = trained("tgt-random", Inputs(lazy, torch.from_numpy), monkeypatch)
    assert found["0"][1] == found["2"][1]
    assert all(found["0"][0][part].equal(value) for part, value in found["2"][0].items())
    weights, paid = trained("tgt-random", Inputs(lazy, torch.from_numpy), monkeypatch, keep=False)
    for part, value in weights.items():
        torch.testing.assert_close(value, found["0"][0][part])
    assert found["0"][1]["encodes"] == 40
    assert paid["encodes"] == 40 + 4 * 8
    monkeypatch.setenv("TGT_READERS", "two")
    with pytest.raises(BadInput, match="TGT_READERS must be a whole number"):
        readers()


@pytest.mark.parametrize("name", ["distillation", "tgt-random"])
def test_fashion_through_a_pack_gives_the_record_that_the_array_gives(name, tmp_path, monkeypatch):
    examples = tasks.get("fashion-lt").examples()
    split = len(examples.pool_labels)
    whole = np.concatenate([examples.pool_inputs, examples.test_inputs])
    found = packed(tmp_path / "a.safetensors", whole).inputs
    run = Run(Spec(task="fashion-lt", size="smoke", teacher="full", budget=120, seed=0, method=name))
    for recipe in run.recipes.values():
        teachers.train(run.task, recipe, run.split)
    expected = execute(run)
    monkeypatch.setattr(stored, "SMALL", 2**16)
    lazy = replace(examples, pool_inputs=found[:split], test_inputs=found[split:])
    monkeypatch.setitem(tasks_module._LOADED, "fashion", lazy)
    run_module._data_sha256.cache_clear()
    for kept in ("benchmarks.runs.diagnose._HELD_OUT", "benchmarks.teachers.recipe._HASHES"):
        monkeypatch.setattr(kept, {})
    again = execute(Run(run.spec))
    assert isinstance(lazy.pool_inputs, Stored)
    for part in ("key", "identity", "metrics", "hits", "diagnostics"):
        assert getattr(again, part) == getattr(expected, part)
    assert [point.test for point in again.curve] == [point.test for point in expected.curve]


_LARGE = """
import sys, numpy, torch, torch._dynamo  # which the first optimiser imports, and has 80 MB
from pathlib import Path
from benchmarks.data.reading import Inputs
from benchmarks.data.stored import Pack, Stored, pack
from benchmarks.validation import toys
from tgt.stored import in_memory
from benchmarks.runs import loop
from benchmarks.runs.memory import peak_memory_mb, reset_peak_memory
from benchmarks.registry.methods import METHODS
from benchmarks.teachers.answer_cache import RunData
from tgt import Teacher

count = 20_000  # 59 MB as bytes, 234 MB as floats
pixels = numpy.random.default_rng(0).integers(0, 256, (256, 3, 32, 32), dtype=numpy.uint8)
labels = numpy.arange(count) % 4
made = Stored(lambda numbers: pixels[numbers % 256], (count, 3, 32, 32), numpy.uint8)
pack(Path(sys.argv[1]), made, labels, labels, tuple("abcd"))
small = lambda: torch.nn.Sequential(torch.nn.AvgPool2d(8), torch.nn.Flatten(), torch.nn.Linear(48, 4))
reset_peak_memory()
before = peak_memory_mb()
inputs = Inputs(Pack(Path(sys.argv[1])).inputs, lambda found: torch.from_numpy(found).float() / 255)
data = RunData(inputs, torch.from_numpy(labels), 4, Teacher(None, small()))
mine = METHODS["distillation"].load()
loop.train(small(), mine(mine.Config(), data, toys.rng()), data, loop.Schedule(20, 64), toys.rng(), data.teacher.costs,
           lambda step: None)
assert data.labeler_logits.shape == (count, 4)
print(peak_memory_mb() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
def test_training_from_a_pack_needs_memory_for_a_part_of_it(tmp_path):
    command = [sys.executable, "-P", "-c", _LARGE, str(tmp_path / "a.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 100
