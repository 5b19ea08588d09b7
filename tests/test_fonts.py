"""Characters of many fonts: which faces, how they are drawn, and that no family of fonts stands on two sides."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch

from benchmarks.core.fingerprint import array_digest
from benchmarks.data import fonts
from benchmarks.data.asset import Unavailable
from benchmarks.registry import tasks
from benchmarks.tasks.glyph import ALIKE, classes_of
from benchmarks.tasks.images import flip_and_shift, shift

FOLDER = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
SANS, MONO, SERIF, SYMBOLS = (
    (FOLDER / f"{name}.ttf").read_bytes() for name in ("DejaVuSans", "DejaVuSansMono", "DejaVuSerif", "cmsy10")
)


def packed(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"./usr/share/fonts/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    stream.seek(0)
    return tarfile.open(fileobj=stream)


def test_characters_stand_on_one_baseline_in_the_middle():
    found = fonts.draw(SANS)
    assert ord("A") in found
    assert ord(" ") not in found
    assert max(found) < fonts.LAST
    assert all(image.shape == (28, 28) and image.dtype == np.uint8 for image in found.values())
    rows = {character: np.flatnonzero(found[ord(character)].any(1)) for character in "xpéeX"}
    assert rows["x"].max() == rows["X"].max() == fonts.BASELINE - 1
    assert rows["p"].max() > fonts.BASELINE
    assert rows["é"].min() < rows["e"].min()
    assert rows["X"].min() < rows["x"].min()  # capitals are told from small letters by their height
    columns = np.flatnonzero(found[ord("x")].any(0))
    assert abs(columns.min() - (27 - columns.max())) <= 1


def test_characters_of_few_families_are_left_out(monkeypatch):
    monkeypatch.setattr(fonts, "MIN_FAMILIES", 2)
    arrays = fonts.drawn([("a/sans", SANS), ("a/sans", MONO), ("b/serif", SERIF), ("c/symbols", SYMBOLS)])
    spread = [len(set(arrays["families"][arrays["characters"] == code])) for code in set(arrays["characters"])]
    assert min(spread) == 2
    assert len(arrays["images"]) == len(arrays["faces"])
    assert set(arrays["faces"]) <= {0, 1, 2, 3}
    assert bytes(arrays["names"]).decode().split("\n") == ["a/sans", "b/serif", "c/symbols"]


def test_faces_are_text_in_few_weights_and_go_by_their_family():
    many = {f"truetype/DejaVuSans-{weight}.ttf": SANS for weight in range(9)}
    archive = packed(
        {**many, "DejaVuSansMono.ttf": MONO, "toy-SC.ttf": SERIF, "cmsy10.ttf": SYMBOLS, "copyright": b"x"}
    )
    found = list(fonts.faces("toy", archive))
    assert [family for family, _ in found] == ["toy/dejav"] * fonts.MAX_FACES
    assert {raw for _, raw in found} == {
        SANS,
        MONO,
    }  # the symbols lack letters, the small capitals are left out by name


def test_another_version_of_fonts_or_freetype_is_named_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TGT_CACHE", str(tmp_path))
    monkeypatch.setattr(fonts, "PACKAGES", ["toy"])
    monkeypatch.setattr(fonts, "debs", lambda packages, folder: [packed({"DejaVuSans.ttf": SANS})])
    monkeypatch.setattr(fonts, "MIN_FAMILIES", 1)
    with pytest.raises(
        Unavailable, match=r"^other versions than those of Debian 12: .* hash is \w{64}, expected \w{64}$"
    ):
        fonts.glyphs_from_debian(tmp_path)
    monkeypatch.setattr(fonts, "FONTS_SHA256", hashlib.sha256(SANS).hexdigest())
    told = rf"^FreeType [\d.]+ of Pillow [\d.]+ draws other pixels than {fonts.FREETYPE}: .* pillow==[\d.]+$"
    with pytest.raises(Unavailable, match=told):
        fonts.glyphs_from_debian(tmp_path)
    assert (tmp_path / "data" / "fonts").is_dir()  # what was fetched is still there
    monkeypatch.setattr(fonts, "DRAWN_SHA256", array_digest(fonts.drawn([("toy/dejav", SANS)])))
    assert len(fonts.glyphs_from_debian(tmp_path)["images"]) > 200
    assert not (tmp_path / "data" / "fonts").exists()


def test_no_family_stands_on_two_sides_and_every_class_is_tested():
    task = tasks.get("glyph-lt")
    examples, arrays = task.examples(), fonts.GLYPHS.load()
    drawn_by: dict[bytes, set[int]] = {}
    for image, family in zip(arrays["images"], arrays["families"].tolist(), strict=True):
        drawn_by.setdefault(image.tobytes(), set()).add(family)
    train = np.setdiff1d(np.arange(len(examples.pool_labels)), examples.validation)
    sides = [examples.pool_inputs[train], examples.pool_inputs[examples.validation], examples.test_inputs]
    families = [[drawn_by[image.tobytes()] for image in side] for side in sides]
    seen = [{family for its in side if len(its) == 1 for family in its} for side in families]
    assert [len(its) for its in seen] == [69, 11, 34]
    assert len(seen[0] | seen[1] | seen[2]) == 114
    assert np.bincount(examples.test_labels, minlength=examples.classes).min() >= 10
    assert np.bincount(examples.pool_labels[examples.validation], minlength=examples.classes).min() >= 3


def test_the_note_tells_the_truth():
    task, arrays = tasks.get("glyph-lt"), fonts.GLYPHS.load()
    examples = task.examples()
    families = len(bytes(arrays["names"]).split(b"\n"))
    test, validation = int(0.3 * families), int(0.4 * families) - int(0.3 * families)
    train = len(examples.pool_labels) - len(examples.validation)
    for fact in (
        f"{len(set(arrays['characters']))} characters drawn at 28x28 in {families} families of free fonts",
        f"{examples.classes} classes",
        f"{train:,} images of {families - test - validation} families to train on",
        f"of {validation} more for validation ({len(examples.validation):,})",
        f"of {test} more for testing ({len(examples.test_labels):,})",
    ):
        assert fact in task.note


def test_budgets_are_tails_of_fifty_to_two_hundred_images_at_ratio_fifty():
    task = tasks.get("glyph-lt")
    examples = task.examples()
    train = np.setdiff1d(np.arange(len(examples.pool_labels)), examples.validation)
    available = np.bincount(examples.pool_labels[train], minlength=examples.classes)
    counts = [task.profile.counts(available, budget) for budget in task.sizes["small"].budgets]
    assert [(count.max(), count.min(), count.sum()) for count in counts] == [
        (50, 1, 3701), (100, 2, 7544), (200, 4, 15231),
    ]  # fmt: skip
    few = tasks.get("glyph-lt").with_ratio(10).name
    counts = tasks.get(few).profile.counts(available, 7544)
    assert counts.max() / counts.min() == pytest.approx(10, rel=0.1)


def test_characters_that_look_alike_are_one_class():
    codes = np.arange(33, 127)
    names, labels = classes_of(codes)
    assert len(set("".join(ALIKE))) == len("".join(ALIKE))  # no character in two classes
    assert labels[ord("I") - 33] == labels[ord("l") - 33] != labels[ord("i") - 33]
    assert len(names) == labels.max() + 1 == len(set(labels))


def test_another_ratio_keeps_data_and_teachers():
    task = tasks.get("glyph-lt-r10")
    assert (task.family, task.profile.ratio, task.dataset) == ("glyph-lt", 10, "glyph")


def test_a_shift_never_mirrors():
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 4:7] = torch.tensor([0.2, 0.5, 1.0])
    rng = torch.Generator().manual_seed(0)
    found = {tuple(row[row > 0].tolist()) for row in (shift(image, rng).amax(2).flatten() for _ in range(40))}
    assert len(found) == 1
    assert len({tuple(flip_and_shift(image, rng).amax(2).flatten().tolist()) for _ in range(80)}) == 10
