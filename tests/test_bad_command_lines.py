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
#: By what they try; a line is split as a shell would. {file}, {folder}, {absent}, {binary}: paths of these kinds;
#: {long}: a word of 100,000 letters.
LINES = {
    "words in the wrong place": """
        table9
        Table1
        tab le1
        table1,table2
        table1 table9
        table1 fig2 tabel3
        table1 ""
        "" table1
        "   "
        --size smoke table1
        --results
        -x
        --
        table1 --
        table1 --plan fig2
        table1 extra
        table1 compare distillation
        compare
        compare distillation tgt-random
        compare table1 --plan extra
        validate
        validate a b
        submit
        new
        new method
        new thing x
        new method a b
        verify now
        data fashion-mnist
        test
        all verify now
        check report extra
        distillation
        fashion-lt
        ../reproduce.sh
        {long}
        ٣
    """,
    "options of another command": """
        list --set sigma=2
        list --jobs 2
        data --size smoke
        new method x --size small
        validate distillation --seeds 3
        report --seeds 3
        report --plan
        export --with {file}
        check --jobs 2
        fig1 --seeds 3
        fig1 --lr 3
        fig1 --methods distillation
        throughput --budgets 50
        throughput --seeds 3
        teachers --methods distillation
        teachers --anew --plan
        tune --seeds 3
        tune --set lr=1
        verify --tasks fashion-lt
        verify --size smoke
        submit distillation --plan
        compare distillation --methods one-hot
        table1 --no-search
        table1 --against one-hot
        table1 --sample 3
        table1 --search-seed 3
        all --set sigma=1
        table1 --no-such-option-at-all
        table1 --{long}
        table1 -s 3
    """,
    "numbers": """
        table1 --seeds 0
        table1 --seeds -1
        table1 --seeds 1.5
        table1 --seeds 1e3
        table1 --seeds three
        table1 --seeds ٣
        table1 --seeds ３
        table1 --seeds 1_000
        table1 --seeds +3
        table1 --seeds 0x10
        table1 --seeds nan
        table1 --seeds inf
        table1 --seeds auto
        table1 --seeds=
        table1 --seeds ""
        table1 --seeds " "
        table1 --seeds
        table1 --seeds 3,4
        table1 --seeds 1001
        table1 --seeds 99999999999999999999
        table1 --seeds 100 --draws 100
        compare distillation --seeds all
        compare distillation --seeds auto --draws 100
        theory --draws 0
        theory --draws 101
        table2 --jobs 0
        table2 --jobs -2
        table2 --jobs 1024
        table2 --jobs 100000 --oversubscribe
        table2 --jobs two
        verify --jobs 999
        verify --sample 0
        verify --sample 9999999999
        verify --seconds -1
        verify --seconds 1e9
        verify --seconds 99999999999
        verify --seed -1
        verify --seed 4294967296
        tune --search-seed -1
        table1 --budgets 0
        table1 --budgets -5
        table1 --budgets many
        table1 --budgets ²
        table1 --budgets 50,x
        table1 --budgets 1e3
        table1 --budgets 99999999999999999999
        table1 --budgets 1000000000
        table1 --budgets 50;100
        table1 --n-max 0 --tasks fashion-lt
        table1 --n-max 50
        table1 --n-max 50 --budgets 50 --tasks fashion-lt
        table1 --n-max 9999999 --tasks fashion-lt
        table1 --ratio 0 --tasks fashion-lt
        table1 --ratio 50
        table1 --ratio 50 --tasks emoji-lt
        table1 --ratio 100000 --tasks fashion-lt
    """,
    "settings": """
        table1 --set sigma
        table1 --set =
        table1 --set sigma=
        table1 --set =1
        table1 --set sigmas=2
        table1 --set SIGMA=2
        table1 --set __class__=1
        table1 --set sigma=abc
        table1 --set sigma=-1
        table1 --set sigma=NaN
        table1 --set sigma=-Infinity
        table1 --set sigma=1e999
        table1 --set sigma=1e7
        table1 --set sigma=true
        table1 --set sigma=null
        table1 --set sigma=[]
        table1 --set sigma={}
        table1 --set sigma=1,sigma=2
        table1 --set sigma=1,sigma=1
        table1 --set lr=0
        table1 --set lr=-0.1
        table1 --set lr=lots
        table1 --set temperature=0
        table1 --set temperature=-4
        table1 --set share=1
        table1 --set share=1.5
        table1 --set w_sup=-1
        table1 --set label_smoothing=2
        table1 --set ascent_steps=1.5
        table1 --set ascent_steps=-1
        table1 --set ascent_steps=1000000000000
        table1 --set explore=sideways
        table1 --set explore=../../x
        table1 --set normalise=a/b
        table1 --set "sigma = 1"
        table1 --set sigma={long}
        table1 --methods one-hot --set sigma=1
        table1 --methods tgt-gradient --set explore=isotropic
        table2 --methods tgt-random-pool --set pool=10
        ablation-sigma --set sigma=1
        ablation-teacher --teacher both
    """,
    "names": """
        table1 --methods magic
        table1 --methods one-hot,magic
        table1 --methods all,one-hot
        table1 --methods "one hot"
        table1 --methods ONE-HOT
        table1 --methods one-hot;ls
        table1 --methods $(ls)
        table1 --methods {long}
        table1 --tasks mnist
        table1 --tasks fashion-lt,mnist
        table1 --tasks fashion-lt@50
        table1 --tasks ../fashion-lt
        table1 --tasks "<b>fashion</b>"
        table2 --methods data-free
        table2 --tasks trec-50 --methods pretrained-one-hot
        theory --tasks fashion-lt
        fig1 --tasks manifold-2-in-32
        tune --tasks amazon-food
        compare magic
        compare ""
        compare ,
        compare distillation,one-hot
        compare distillation --against distillation
        compare distillation --against magic
        validate ""
        validate magic
        validate one-hot,distillation
        submit distillation
        submit ,
        check --methods one-hot
        report --tasks fashion-lt
        new method class
        new method os
        new method json
        new method 3d
        new method a/b
        new method ../evil
        new method "a b"
        new method ""
        new method distillation
        new method __main__
        new method {long}
        new method idea --kind text
        new task idea --kind sound
    """,
    "choices": """
        table1 --size paper
        table1 --size
        table1 --size ""
        table1 --size small,smoke
        table1 --device gpu
        table1 --device tpu
        table1 --precision fp16
        table1 --teacher none
        table1 --match labels
        table1 --track mlflow
        table1 --plan=yes
        table1 --plan yes
        table1 --retry 1
    """,
    "given twice or empty": """
        table1 --seeds 3 --seeds 5
        table1 --seeds 3 --seeds=3
        table1 --tasks fashion-lt --task glyph-lt
        table1 --plan --no-plan
        table1 --plan --plan
        table1 --n-max 5 --n_max 6 --tasks fashion-lt
        table1 --tasks ""
        table1 --tasks=
        table1 --tasks ,
        table1 --tasks ", ,"
        table1 --methods ,,,
        table1 --budgets ""
        table1 --set ""
        table1 --set ,
        compare distillation --against ,
        check --with ""
        report --with ,
        report --results ""
        submit distillation --out ""
        table1 --data ""
        tune --results " "
    """,
    "paths": """
        table1 --results {file}
        table1 --results {file}/below
        table1 --results {long}
        report --results {absent}
        check --results {absent}
        export --results {file}
        check --with {absent}
        check --with {folder}
        check --with {file},{absent}
        report --with {absent}
        submit distillation --out {folder}
        table1 --data {absent}
        table1 --data {absent} --text t
        table1 --text t
        table1 --label y
        table1 --tasks {absent}.py
        table1 --tasks {folder}.py
        table1 --tasks {file}
        table1 --methods {absent}.py
        table1 --methods {binary}.py
        compare {absent}.py
        compare {folder}.py
        validate {binary}.py
        validate {folder}
        submit {absent}.py
    """,
}
CASES = [line.strip() for lines in LINES.values() for line in lines.strip().splitlines()]
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
