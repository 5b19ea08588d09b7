"""Tables, folders and saved data sets of users' own become tasks as they are."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks.data.splits import draw
from benchmarks.own import table
from benchmarks.registry import custom, tasks
from benchmarks.task import Task
from benchmarks.teachers.recipe import recipe

RNG = np.random.default_rng(0)
WORDS = ["harbour", "lantern", "gravel", "orchid", "walrus", "copper", "meadow", "thimble"]
TOPICS = ["left", "right", "middle"]
NEWS = pd.DataFrame(
    {"body": [f"{' '.join(RNG.choice(WORDS, 6))} {i}" for i in range(90)], "topic": [TOPICS[i % 3] for i in range(90)]}
)


@pytest.fixture
def made(tmp_path):
    """Makes a task of a data file, or of a class's lines beside it, for the length of a test."""
    before = set(tasks.TASKS)

    def make(path="", lines: str = "", kind: str = "", **said) -> Task:
        if lines:
            file = tmp_path / f"own_{abs(hash((lines, str(tmp_path))))}.py"
            file.write_text(f"from benchmarks.own import {kind}\n\n\nclass Mine({kind}):\n{lines}")
            return tasks.get(custom.register(file))
        return tasks.get(custom.register(json.dumps({"path": str(path), **said})))

    yield make
    for name in set(tasks.TASKS) - before:
        del tasks.TASKS[name]
    custom._FILES.clear()


def write(frame: pd.DataFrame, path) -> None:
    import datasets

    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    elif path.suffix:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    else:
        found = datasets.Dataset.from_pandas(frame)
        if "topic" in frame:
            found = found.class_encode_column("topic")
        found.save_to_disk(str(path))


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet", ".jsonl", ""])
def test_texts_of_a_table(ending, made, tmp_path):
    path = tmp_path / f"texts_{ending.strip('.') or 'saved'}{ending}"
    write(NEWS, path)
    found = made(path, text="body", label="topic").examples()
    assert found.class_names == ("left", "middle", "right")
    held_out = found.pool_labels[found.validation]
    assert [len(found.test_labels), len(held_out), len(found.pool_labels)] == [18, 9, 72]
    assert np.bincount(found.test_labels).tolist() == [6, 6, 6]


def test_a_table_of_texts_in_a_class_of_three_lines(made, tmp_path, capsys):
    frame = pd.concat(
        [NEWS, NEWS[:2], NEWS[3:5].assign(topic="middle"), pd.DataFrame({"body": [" "], "topic": ["left"]})]
    )
    frame.to_csv(tmp_path / "class_news.csv", index=False)
    task = made(
        kind="TextData", lines='    path, text, label = "class_news.csv", "body", "topic"\n    title = "News"\n'
    )
    found = task.examples()
    assert len(found.pool_labels) + len(found.test_labels) == 88  # of 90 texts two are torn between two classes
    told = capsys.readouterr().err
    assert "1 rows lack body or topic and are left out (row 94)" in told
    assert "2 inputs repeat another one and are left out (row 90, row 91)" in told
    assert "4 equal inputs stand under two labels and are left out" in told
    held_out = len(found.validation)
    assert (task.title, task.note) == (
        "News",
        f"{len(found.pool_labels) - held_out} samples to train on, {held_out} for validation, "
        f"{len(found.test_labels)} for testing, 3 classes",
    )


def test_texts_of_other_alphabets_are_no_copies_of_each_other(made, tmp_path, capsys):
    words = ["гавань", "фонарь", "гравий", "орхидея", "медь", "луг"]
    texts = [f"{' '.join(RNG.choice(words, 4))} {i}" for i in range(60)]
    pd.DataFrame({"text": texts, "label": ["да", "нет"] * 30}).to_csv(tmp_path / "russian.csv", index=False)
    found = made(tmp_path / "russian.csv", text="text").examples()
    assert (len(found.pool_labels) + len(found.test_labels), found.class_names) == (60, ("да", "нет"))


def test_another_title_is_no_other_teacher(made, tmp_path):
    NEWS.to_csv(tmp_path / "titled.csv", index=False)
    lines = '    path, text, label = "titled.csv", "body", "topic"\n    title = "{}"\n'
    found = []
    for title in ("One", "Other"):
        task = made(kind="TextData", lines=lines.format(title)).at("smoke")
        split = draw(task.name, task.examples().pool_labels, 3, task.profile, 20, 0)
        found.append(recipe(task, "labeler", "full", split).code_sha256)
    assert found == ["", ""]


def test_sides_that_the_data_have_stay(made, tmp_path, capsys):
    part = ["test" if i >= 60 else "train" for i in range(90)]
    pd.concat([NEWS.assign(part=part), NEWS[80:81].assign(part="train")]).to_csv(tmp_path / "sided.csv", index=False)
    lines = '    path, text, label, split = "sided.csv", "body", "topic", "part"\n'
    found = made(kind="TextData", lines=lines).examples()
    assert (len(found.test_labels), len(found.pool_labels)) == (30, 60)
    assert "1 inputs repeat another one and are left out (row 90)" in capsys.readouterr().err  # not the tested one


def images(folder, sides=("",), size=(20, 24), mode="RGB") -> None:
    for side in sides:
        for label in ("cat", "dog"):
            (folder / side / label).mkdir(parents=True)
            for i in range(15):
                pixels = RNG.integers(0, 256, (*size, 3)).astype(np.uint8)
                Image.fromarray(pixels).convert(mode).save(folder / side / label / f"{i}.png")


def test_a_folder_of_images(made, tmp_path, capsys):
    images(tmp_path / "animals")
    task = made(tmp_path / "animals")
    found = task.examples()
    assert (found.class_names, found.pool_inputs.shape, found.pool_inputs.dtype) == (
        ("cat", "dog"),
        (24, 3, 32, 32),
        "u1",
    )
    assert "images of 24x20 become 32x32" in capsys.readouterr().err
    generator, labeler = task.teacher(2)
    shown = task.tensor(found.pool_inputs[:2])
    assert generator.decode(generator.encode(shown)).shape == shown.shape
    assert labeler(shown).shape == task.student(2)(shown).shape == (2, 2)


def test_grey_images_in_sides(made, tmp_path):
    images(tmp_path / "greys", sides=("train", "test"), mode="L")
    found = made(tmp_path / "greys").examples()
    assert (found.pool_inputs.shape, found.test_inputs.shape) == ((30, 1, 32, 32), (30, 1, 32, 32))
    assert len(found.validation) == 4


def test_images_that_datasets_saved(made, tmp_path):
    import datasets

    pixels = [Image.fromarray(RNG.integers(0, 256, (8, 8)).astype(np.uint8)) for _ in range(30)]
    parts = {
        name: datasets.Dataset.from_dict(
            {"image": pixels[rows], "label": [i % 2 for i in range(15)]},
            features=datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=["cat", "dog"])),
        )
        for name, rows in {"train": slice(15), "test": slice(15, 30)}.items()
    }
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "kept"))
    found = made(tmp_path / "kept").examples()
    assert (found.class_names, found.pool_inputs.shape, len(found.test_labels)) == (("cat", "dog"), (15, 1, 32, 32), 15)


def test_vectors_are_scaled_by_the_training_samples(made, tmp_path):
    frame = pd.DataFrame(RNG.normal(5, 3, (100, 3)), columns=list("abc")).assign(kind=["up", "down"] * 50)
    frame.to_csv(tmp_path / "vectors.csv", index=False)
    found = made(tmp_path / "vectors.csv", label="kind").examples()
    trained = np.delete(found.pool_inputs, found.validation, axis=0)
    np.testing.assert_allclose(trained.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(trained.std(0), 1, atol=1e-5)
    np.savez(tmp_path / "archive.npz", inputs=frame[list("abc")].to_numpy(), labels=frame["kind"].to_numpy(str))
    assert made(tmp_path / "archive.npz").examples().class_names == ("down", "up")


def test_queries_of_one_wording_stand_on_one_side(made, tmp_path):
    pairs = [(f"where is {word} {i}", f"{word} {i} is {where}") for word in WORDS for i in range(5) for where in "ab"]
    pd.DataFrame(pairs, columns=["query", "passage"]).to_csv(tmp_path / "pairs.csv", index=False)
    found = made(kind="RetrievalData", lines='    path = "pairs.csv"\n').examples()
    assert (found.classes, len(found.test_inputs), found.test_labels.shape[1]) == (80, 8, 2)
    assert not {row.tobytes() for row in found.pool_inputs} & {row.tobytes() for row in found.test_inputs}


def test_groups_stay_together_and_every_class_is_on_every_side():
    groups = np.repeat(np.arange(30), 2)
    labels = np.repeat([0, 1], 30)
    side = table.sides(groups, labels, ("a", "b"), "t")
    assert (side[::2] == side[1::2]).all()
    assert [np.bincount(side[labels == label]).tolist() for label in (0, 1)] == [[20, 4, 6], [20, 4, 6]]
    few = table.sides(np.arange(6), np.repeat([0, 1], 3), ("a", "b"), "t")
    assert sorted(few[:3]) == sorted(few[3:]) == [0, 1, 2]
