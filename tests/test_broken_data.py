"""Broken data and teachers of users' own: each is refused in one line that names the cause, and none makes a page."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks.commands.main import main
from benchmarks.registry import custom, tasks
from benchmarks.teachers import own

RNG = np.random.default_rng(0)
WORDS = np.array(["harbour", "lantern", "gravel", "orchid", "walrus", "copper", "meadow", "thimble"])
TEXTS = [f"{' '.join(RNG.choice(WORDS, 5))} {i}" for i in range(40)]
CLASSES = ["left", "right"] * 20
GOOD = pd.DataFrame({"text": TEXTS, "label": CLASSES})
NUMBERS = pd.DataFrame(RNG.normal(size=(40, 3)), columns=list("abc")).assign(label=CLASSES)
ARRAYS = """
import numpy as np, torch
from torch import nn
from benchmarks.task import Task
rng = np.random.default_rng(0)
class Same(nn.Module):
    def encode(self, inputs): return inputs
    def decode(self, latents): return latents
class Mine(Task):
    domain = "vector"
    def data(self):
        x, y = rng.normal(size=(80, 4)).astype("float32"), np.arange(80) % 2
        tx, ty = rng.normal(size=(40, 4)).astype("float32"), np.arange(40) % 2
        more = {}
        #
        return {"train_inputs": x, "train_labels": y, "test_inputs": tx, "test_labels": ty, **more}
    def student(self, classes):
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))
    def teacher(self, classes):
        return Same(), nn.Linear(4, classes)
"""


@pytest.fixture(autouse=True)
def _clean(tmp_path, monkeypatch):
    """A cache of its own, and tasks as before; the text data's word pieces are looked up in a short list."""
    before = set(tasks.TASKS)
    monkeypatch.setenv("TGT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "benchmarks.data.wordpieces.all_pieces", lambda: {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}
    )
    yield
    for name in set(tasks.TASKS) - before:
        del tasks.TASKS[name]
    custom._FILES.clear()
    own.MADE.clear()


def refused(words: list[str], told: str, tmp_path, capsys) -> None:
    """The command ends with a status above 0 and one line that has the words; nothing is written."""
    capsys.readouterr()
    status = main([*words, "--size", "smoke", "--jobs", "1", "--seeds", "1", "--results", str(tmp_path / "out")])
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note: ")]
    assert status in (1, 2)
    assert len(said) == 1
    assert told in said[0]
    assert not list((tmp_path / "out").rglob("table*"))


def change(frame: pd.DataFrame, **columns) -> pd.DataFrame:
    return frame.assign(**columns)


TABLES = {
    "no_label": (GOOD.drop(columns="label"), "has no column 'label'; it has text"),
    "no_text": (GOOD.rename(columns={"text": "body"}), "has no column 'text'; it has body, label"),
    "no_rows": (GOOD[:0], "has no rows"),
    "one_class": (change(GOOD, label="left"), "all samples are of one class, 'left'"),
    "rare_class": (change(GOOD, label=["rare", *CLASSES[1:]]), "class 'rare' has 1 different samples to draw from"),
    "measured": (change(GOOD, label=RNG.normal(size=40)), "are numbers; classes are words or whole numbers"),
    "numbered": (change(GOOD, label=range(40)), "40 classes for 40 samples; is that column a class?"),
    "all_empty": (change(GOOD, text=" "), "each row lacks one of text, label"),
    "all_alike": (change(GOOD, text="the same"), "all inputs stand under two labels"),
    "copies": (change(GOOD, text=[label + " only" for label in CLASSES]), "class 'left' has 1 different samples"),
}
VECTORS = {
    "not_a_number": (change(NUMBERS, b=[np.nan, *NUMBERS.b[1:]]), "column 'b' lacks a finite number in row 0"),
    "infinite": (change(NUMBERS, c=[*NUMBERS.c[:-1], np.inf]), "column 'c' lacks a finite number in row 39"),
    "words": (change(NUMBERS, city="Rome"), "city hold no numbers; `features` names the columns"),
    "no_numbers": (NUMBERS[["label"]], "has no column of numbers beside 'label'"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_broken_table_of_texts(name, tmp_path, capsys):
    TABLES[name][0].to_csv(tmp_path / f"{name}.csv", index=False)
    words = ["table2", "--data", str(tmp_path / f"{name}.csv"), "--text", "text"]
    refused(words, TABLES[name][1], tmp_path, capsys)


@pytest.mark.parametrize("name", VECTORS)
def test_a_broken_table_of_numbers(name, tmp_path, capsys):
    VECTORS[name][0].to_csv(tmp_path / f"{name}.csv", index=False)
    refused(["table1", "--data", str(tmp_path / f"{name}.csv")], VECTORS[name][1], tmp_path, capsys)


def _loose(folder):
    Image.new("L", (8, 8)).save(folder / "loose.png")


def _torn(folder):
    for name in ("a", "b"):
        (folder / name).mkdir()
        for i in range(6):
            Image.new("L", (8, 8), 20 * i + (name == "b")).save(folder / name / f"{i}.png")
    (folder / "a" / "torn.png").write_bytes(b"no image")


def _few(folder):
    _torn(folder)
    (folder / "a" / "torn.png").unlink()
    for i in range(1, 6):
        (folder / "b" / f"{i}.png").unlink()


def _without_labels(folder):
    import datasets

    datasets.Dataset.from_dict({"image": ["a.png"]}).save_to_disk(str(folder))


FOLDERS = {
    "empty": (lambda folder: None, "holds no images in folders by class"),
    "loose": (_loose, "loose.png lie in no folder that names their class"),
    "torn": (_torn, "torn.png"),
    "few": (_few, "class 'b' has 1 different samples"),
    "saved": (_without_labels, "has no column 'label'; it has image"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_broken_folder(name, tmp_path, capsys):
    folder = tmp_path / f"folder_{name}"
    folder.mkdir()
    FOLDERS[name][0](folder)
    refused(["table1", "--data", str(folder)], FOLDERS[name][1], tmp_path, capsys)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("nowhere.csv", None, "there is no"),
        ("sheet.xlsx", b"x", ".xlsx is not read; .csv, .tsv"),
        ("ragged.csv", b"text,label\na,b\na,b,c,d\n", "cannot be read: Error tokenizing data"),
        ("latin.csv", "text,label\n\xe9,a\n".encode("latin1"), "cannot be read: 'utf-8' codec"),
        ("fake.parquet", b"no parquet", "cannot be read"),
        ("fake.npz", b"no archive", "cannot be read"),
    ],
)
def test_a_file_that_is_none(name, content, told, tmp_path, capsys):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    refused(["table1", "--data", str(tmp_path / name)], told, tmp_path, capsys)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"inputs": np.zeros((4, 2))}, "has no labels; it has inputs"),
        ({"inputs": np.zeros((4, 2)), "labels": np.zeros(3)}, "4 inputs, 3 labels"),
    ],
)
def test_a_broken_archive(arrays, told, tmp_path, capsys):
    np.savez(tmp_path / "archive_of_mine.npz", **arrays)
    refused(["table1", "--data", str(tmp_path / "archive_of_mine.npz")], told, tmp_path, capsys)


SPLITS = {
    "odd": (["train"] * 30 + ["later"] * 10, "'later' is no side; train, validation and test are"),
    "no_test": (["train"] * 40, "its sides have no test rows"),
    "unseen": (["train" if one == "left" else "test" for one in CLASSES], "class 'right' has 0 different samples"),
    "untested": (["test" if i in (0, 2, 4) else "train" for i in range(40)], "no test samples of class 'right'"),
}


@pytest.mark.parametrize("name", SPLITS)
def test_broken_sides(name, tmp_path, capsys):
    change(NUMBERS, part=SPLITS[name][0]).to_csv(tmp_path / "sides.csv", index=False)
    file = tmp_path / f"sided_{name}.py"
    file.write_text(
        "from benchmarks.own import VectorData\n\n\nclass Mine(VectorData):\n    path, split = 'sides.csv', 'part'\n"
    )
    refused(["table1", "--tasks", str(file)], SPLITS[name][1], tmp_path, capsys)


IMAGE = "Mine.domain = 'image'; x, tx = (rng.random((n, 3, 8, 8)).astype('float32') for n in (80, 40)); "


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("x[3, 1] = np.nan", "training inputs hold NaN or infinity in 1 samples (3)"),
        ("tx[5] = np.inf", "test inputs hold NaN or infinity in 1 samples (5)"),
        ("tx = tx[:, :3]", "inputs differ in shape: training (4,), test (3,)"),
        ("x = x[:70]", "70 train inputs, 80 labels"),
        ("x, y = x[:0], y[:0]", "there are no train samples"),
        ("y = y - 1", "train_labels must lie between 0 and 1, not -1..0"),
        ("y = y + 0.5; ty = ty + 0.5", "labels must be whole numbers or words, not 0.5"),
        ("y = [None] * 80", "train_labels hold NoneType"),
        ("y = np.eye(2)[y]", "one whole number or one word for each sample is needed"),
        ("y, ty = y * 0, ty * 0", "all samples are of one class, '0'"),
        ("ty[:2] = 2", "no training samples of class '2'"),
        ("y[:40] = 2", "no test samples of class '2'"),
        ("tx[7] = x[9]", "1 distinct inputs stand in both the training and the test data (test 7)"),
        ("more = {'validation': [90]}", "validation must hold indices of the 80 training samples, not 90"),
        ("more = {'validation': np.arange(80)}", "the validation samples leave nothing to train on"),
        ("more = {'weights': 1}", "data() gives weights, which nothing reads"),
        ("x = [rng.random((3, n, n)) for n in range(80)]", "train_inputs differ in shape"),
        ("return None", "data() must give a dict of arrays or Examples, not NoneType"),
        ("return {}['train']", "KeyError: 'train'"),
        (IMAGE + "x = x * 255", "training images are float32 from"),
        (IMAGE + "x, tx = x.transpose(0, 2, 3, 1), tx.transpose(0, 2, 3, 1)", "channels come second; transpose"),
        (IMAGE + "x, tx = x[:, 0], tx[:, 0]", "images must be (N, channels, height, width)"),
        (
            "Mine.domain = 'text'; x, tx = (np.arange(4 * n).reshape(n, 4) for n in (80, 40)); tx[3] = 0",
            "1 test texts are empty (3)",
        ),
    ],
)
def test_broken_arrays(line, told, tmp_path, capsys):
    file = tmp_path / f"arrays_{abs(hash(line))}.py"
    file.write_text(ARRAYS.replace("#\n", line + "\n"))
    refused(["table1", "--tasks", str(file)], told, tmp_path, capsys)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("nn.Linear(4, classes)", "must return (generator, labeler), not Linear"),
        ("nn.Linear(4, classes), Same()", "gives a generator without encode and decode; is it (generator, labeler)"),
        ("Same(), len", "gives a labeler that is builtin_function_or_method"),
        ("Same(), nn.Linear(4, 5)", "the labeler gives (16, 5), not logits of 2 classes"),
        ("Same(), nn.Sequential(nn.Linear(4, 2), nn.Softmax(1))", "gives probabilities, not logits"),
        ("Same(), torch.load('nowhere.pt')", "FileNotFoundError"),
        ("nn.Sequential(), nn.Linear(4, 2)", "gives a generator without encode and decode"),
    ],
)
def test_a_broken_teacher(given, told, tmp_path, capsys):
    file = tmp_path / f"teacher_{abs(hash(given))}.py"
    file.write_text(ARRAYS.replace("Same(), nn.Linear(4, classes)", given))
    refused(["table1", "--tasks", str(file)], told, tmp_path, capsys)
