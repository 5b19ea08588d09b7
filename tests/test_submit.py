"""A method handed on in one file: packed, checked and reported elsewhere; a damaged or foreign file is one line."""

from __future__ import annotations

import shutil
import zipfile

import pytest
from rich.console import Console

from benchmarks.commands import check, report, submit
from benchmarks.core import paths
from benchmarks.core.errors import BadInput
from benchmarks.records import Results, submission
from benchmarks.records.record import Spec, Store, key_of
from benchmarks.registry import custom
from benchmarks.registry.methods import METHODS
from benchmarks.runs.execute import execute
from benchmarks.runs.run import Run
from benchmarks.teachers import store

CONSOLE = Console(quiet=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A results folder with two seeds of a method of one's own and of distillation, and the file packed from it."""
    folder = tmp_path_factory.mktemp("made")
    file = folder / "mine_to_send.py"
    shutil.copy(paths.ROOT / "examples" / "my_method.py", file)
    name = custom.register(file)
    for method in (name, "distillation"):
        for seed in (0, 1):
            spec = Spec(task="manifold-4-in-128", size="smoke", teacher="full", budget=32, seed=seed, method=method)
            run = Run(spec, ())
            for recipe in run.recipes.values():
                store.train(run.task, recipe, run.split)
            Store(folder / "smoke").append(execute(run))
    (folder / "smoke" / f"compare-{name}-manifold-4-in-128.html").write_text("<p>a page</p>")
    packed = folder / "mine.zip"
    assert submit.run("submit", [name], submit.Options(size="smoke", results=folder, out=packed), CONSOLE) == 0
    return folder, name, packed


@pytest.fixture
def elsewhere(made, monkeypatch):
    """As on another machine, where nobody knows the method."""
    monkeypatch.delitem(METHODS, made[1])
    return made


def test_it_holds_code_records_and_page_of_the_method_alone(made):
    _, name, packed = made
    one = submission.read(packed)
    assert [record.spec.seed for record in one.records] == [0, 1]
    assert one.about.method == name
    assert list(one.sources) == ["mine_to_send"]
    assert list(one.pages.values()) == ["<p>a page</p>"]


def test_the_same_contents_give_the_same_file(made, tmp_path):
    one = submission.read(made[2])
    one.write(tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == made[2].read_bytes()


def test_another_machine_accepts_it_and_shows_it_beside_the_rest(elsewhere, tmp_path, capsys):
    folder, name, packed = elsewhere
    console = Console(width=200)
    assert check.run("check", [], check.Options(size="smoke", with_=str(packed)), console) == 0
    assert "records are whole" in capsys.readouterr().out
    options = report.Options(size="smoke", results=folder, with_=str(packed))
    before = (folder / "smoke" / "records.jsonl").read_bytes()
    assert report.run("report", [], options, CONSOLE) == 0
    page = (folder / "with" / name / "smoke" / "index.html").read_text()
    assert name in page
    assert (folder / "smoke" / "records.jsonl").read_bytes() == before


def test_runs_of_another_protocol_are_found(elsewhere, tmp_path, capsys):
    one = submission.read(elsewhere[2])
    old = [r.model_copy(update={"identity": {**r.identity, "protocol": 0}}) for r in one.records]
    old = [r.model_copy(update={"key": key_of(r.identity)}) for r in old]
    submission.Submission(one.about, old, one.sources, one.pages).write(tmp_path / "old.zip")
    options = check.Options(size="smoke", with_=str(tmp_path / "old.zip"))
    assert check.run("check", [], options, Console(width=200)) == 1
    assert "the training protocol changed" in capsys.readouterr().out


def edit(packed, to, part, change):
    with zipfile.ZipFile(packed) as file, zipfile.ZipFile(to, "w") as other:
        for name in file.namelist():
            other.writestr(name, change(file.read(name)) if name == part else file.read(name))
        if part not in file.namelist():
            other.writestr(part, change(b""))


@pytest.mark.parametrize(
    ("part", "change", "told"),
    [
        ("records.jsonl", lambda text: text.replace(b'"seed": 1', b'"seed": 2'), "not as it was packed: records.jsonl"),
        ("code/mine_to_send.py", lambda text: text + b"\nx = 1\n", "not as it was packed: code/mine_to_send.py"),
        ("pages/more.html", lambda text: b"", "not as it was packed: pages/more.html"),
        ("../outside.py", lambda text: b"", "it holds more than `submit` packs"),
        ("submission.json", lambda text: b"{}", "no submission"),
        ("submission.json", lambda text: text.replace(b'"format": 1', b'"format": 2'), "no submission"),
    ],
)
def test_a_file_that_was_changed_is_refused_in_one_line(made, tmp_path, part, change, told):
    edit(made[2], tmp_path / "changed.zip", part, change)
    with pytest.raises(ValueError, match=".*" + told) as error:
        submission.read(tmp_path / "changed.zip")
    assert "\n" not in str(error.value)


def test_records_of_other_code_or_edited_by_hand_are_refused(made, tmp_path):
    one = submission.read(made[2])
    other = {name: source + "\nx = 1\n" for name, source in one.sources.items()}
    submission.Submission(one.about, one.records, other, {}).write(tmp_path / "code.zip")
    with pytest.raises(ValueError, match="other code than what is packed"):
        submission.read(tmp_path / "code.zip")
    better = [r.model_copy(update={"spec": r.spec.model_copy(update={"budget": 99})}) for r in one.records]
    submission.Submission(one.about, better, one.sources, {}).write(tmp_path / "better.zip")
    with pytest.raises(ValueError, match="not what its key stands for"):
        submission.read(tmp_path / "better.zip")


@pytest.mark.parametrize("content", [None, b"", b"no zip"])
def test_what_is_no_submission_is_one_line(content, tmp_path):
    path = tmp_path / "x.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=str(path)):
        submission.read(path)


def test_what_cannot_be_packed_or_shown_is_bad_input(made, tmp_path):
    folder, name, packed = made
    for word, results, told in (
        ("distillation", folder, "a row of the suite"),
        (name, tmp_path, "no records of"),
        ("nobody", folder, "unknown method"),
    ):
        with pytest.raises(BadInput, match=told):
            submit.run("submit", [word], submit.Options(size="smoke", results=results), CONSOLE)
    with pytest.raises(BadInput, match="there is a method"):
        report.run("report", [], report.Options(size="smoke", results=folder, with_=str(packed)), CONSOLE)
    with pytest.raises(BadInput, match="add --size smoke"):
        check.run("check", [], check.Options(size="small", with_=str(packed)), CONSOLE)
    assert len(Results.load(folder / "smoke")) == 4
