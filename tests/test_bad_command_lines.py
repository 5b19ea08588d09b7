"""Command lines that nobody should type: each ends at once with status 2, says why in a line, and writes nothing."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.commands import main as cli
from benchmarks.core import paths
from benchmarks.data.asset import nothing_fetched

pytestmark = pytest.mark.timeout(60)
LONG = "x" * 100_000
#: One a line, under a heading that says what they try, split as a shell would. {file}, {folder}, {absent}, {binary}:
#: paths of these kinds; {long}: a word of 100,000 letters.
LINES = Path(__file__).with_name("bad_command_lines.txt").read_text().splitlines()
CASES = [line for line in LINES if line and not line.startswith("#")]
#: Of which the shell's splitting says nothing: control characters, and bytes that are no text.
RAW = [
    ["table1", "--methods", "one-hot\n"],
    ["table1", "--tasks", "fashion-lt\x00"],
    ["table1", "--methods", "\x1b[31mone-hot"],
    ["table1", "--results", "r\x07"],
    ["table1\x1b[2J"],
    ["compare", "a\nb\nc\nd"],
    ["new", "method", "a\tb"],
    ["table1", "--methods", "\udcff\udcfe"],
    ["compare", "\udcff.py"],
    ["table1", "--seeds", "3\x00"],
]


@pytest.fixture(scope="module")
def around(tmp_path_factory) -> dict[str, Path]:
    """What the lines name; written once, for they may change none of it."""
    root = tmp_path_factory.mktemp("x")
    found = {name: root / name for name in ("file", "folder", "absent", "binary", "cwd", "cache")}
    found["file"].write_text("not what it should be\n")
    (root / "binary.py").write_bytes(bytes(range(256)))
    for name in ("folder", "folder.py", "cwd", "cache"):
        (root / name).mkdir()
    return found


@pytest.fixture(autouse=True)
def _there(around, monkeypatch):
    """An empty cache, and no way to fill it: a line that should be refused and is not must not fetch for minutes."""
    monkeypatch.chdir(around["cwd"])
    monkeypatch.setenv("TGT_CACHE", str(around["cache"]))
    with nothing_fetched():
        yield


def words_of(line: str, around: dict[str, Path]) -> list[str]:
    """The words of a line; those of a command that writes results put them in a folder that is not there yet."""
    words = shlex.split(line.replace("{long}", LONG))
    for name, path in around.items():
        words = [word.replace(f"{{{name}}}", str(path)) for word in words]
    return words


def tree(*folders: Path) -> dict[str, int]:
    """Every file and folder below some folders, with the time when it was changed last."""
    return {str(path): path.lstat().st_mtime_ns for folder in folders for path in (folder, *folder.rglob("*"))}


def refused(words: list[str], around: dict[str, Path], capfd) -> str:
    """What a command line is answered with, which must be a refusal that leaves no trace."""
    root = around["cwd"].parent
    before, results = tree(root), [path.stat().st_mtime_ns for path in (paths.LOCAL.parent, paths.REFERENCE / "small")]
    start = time.process_time()  # a machine that does other work must not fail this
    status = cli.main(words)
    took = time.process_time() - start
    told = capfd.readouterr()
    assert status == 2, told
    assert 1 <= told.err.count("\n") <= 3
    assert told.err.startswith("reproduce.sh: ")
    assert "Traceback" not in told.err
    assert len(told.err) < 1200
    assert all(one.isprintable() or one == "\n" for one in told.err)
    assert tree(root) == before
    assert [path.stat().st_mtime_ns for path in (paths.LOCAL.parent, paths.REFERENCE / "small")] == results
    assert took < 5
    return told.err


def test_there_are_enough():
    assert len(CASES) == len(set(CASES))
    assert len(CASES) + len(RAW) >= 120


@pytest.mark.parametrize("line", CASES)
def test_a_bad_line_is_refused_in_a_line_and_leaves_no_trace(line, around, capfd):
    refused(words_of(line, around), around, capfd)


@pytest.mark.parametrize("words", RAW, ids=ascii)
def test_words_of_no_text_are_refused_and_told_without_what_steers_a_terminal(words, around, capfd):
    refused(words, around, capfd)


@pytest.mark.parametrize(
    "line",
    [
        "table9",
        "table1 --seeds 0",
        "table1 --set lr=0",
        "compare {absent}.py",
        "check --with {absent}",
        "verify --jobs 0",
    ],
)
def test_so_it_is_in_a_process_of_its_own(line, around):
    before = tree(around["cwd"].parent)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words_of(line, around)],
        env={**os.environ, "PYTHONPATH": str(paths.ROOT)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, "")
    assert tree(around["cwd"].parent) == before
