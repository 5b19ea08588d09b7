"""A stranger's method and task, run by the command with no edit of the core. Real processes, smoke size."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys

import pandas as pd
import pytest
from test_cli import one_job

from benchmarks.core import paths


def call(*words: str, cwd) -> subprocess.CompletedProcess:
    """The command from a folder outside, as `reproduce.sh` starts it."""
    options = [] if words[0] == "new" else ["--size", "smoke", "--results", str(cwd / "out")]
    words = (*one_job(*words),)
    return subprocess.run(
        [sys.executable, "-P", "-m", "benchmarks", *words, *options],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=270,
        env={**os.environ, "MPLBACKEND": "agg"},
    )


@pytest.fixture
def mine(tmp_path):
    """The example of a method, written anew by the command."""
    done = call("new", "method", "stranger", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path / "stranger.py"


@pytest.mark.parametrize("task", ["fashion-lt", "wiki-titles"])
def test_a_custom_method_is_compared(task, mine, tmp_path):
    words = ["compare", mine.name, "--task", task, "--seeds", "2", "--no-search", "--against", "distillation"]
    done = call(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    text = (tmp_path / "out" / "smoke" / f"compare-stranger-{task}.md").read_text()
    assert "stranger reaches" in text
    assert "all rows are their defaults: no search was made" in text
    frame = pd.read_csv(tmp_path / "out" / "smoke" / f"compare-stranger-{task}.csv")
    assert frame.p.isna().all()
    assert list(frame.rival) == ["distillation"]
    assert frame.n_seeds.tolist() == [2]
    assert frame.se_test.notna().all()
    assert (tmp_path / "out" / "smoke" / f"compare-stranger-{task}.png").stat().st_size > 10_000
    page = html.unescape((tmp_path / "out" / "smoke" / f"compare-stranger-{task}.html").read_text())
    said = next(line for line in text.splitlines() if line.startswith("On "))
    assert said in page
    assert "size smoke: no result" in page
    assert not re.search(r"\bp = |Holm|sign-flip p|Wilcoxon p", page)
    assert len(page.encode()) < 1_500_000
    records = [json.loads(line) for line in (tmp_path / "out" / "smoke" / "records.jsonl").read_text().splitlines()]
    assert {("method_sha256" in record["identity"], record["method"]) for record in records} == {
        (True, "stranger"),
        (False, "distillation"),
    }
    assert done.stdout.count("on the test set") == 4
    if task == "fashion-lt":
        again = call(*words, cwd=tmp_path)  # all is recorded
        assert again.returncode == 0
        assert not re.search(r"^\[\d+/\d+\]", again.stdout, re.MULTILINE)


def test_an_edited_method_runs_again_and_nothing_else_does(mine, tmp_path):
    """Its own code is part of its runs' keys: nobody raises a version while trying ideas."""
    words = ["table1", "--tasks", "fashion-lt", "--methods", f"one-hot,{mine.name}", "--seeds", "1"]
    made = []
    for edit in ("", "# a word\n", "EDITED = True\n"):
        mine.write_text(mine.read_text() + edit)
        done = call(*words, cwd=tmp_path)
        made.append(re.findall(r"^\[\d+/\d+\] \S+ \S+ \S+ (\S+)", done.stdout, re.MULTILINE))
    assert made == [["one-hot", "stranger"], [], ["stranger"]]


def test_its_hyper_parameters_are_searched_as_its_rivals_are(mine, tmp_path):
    """The committed search knows no smoke size, as it knows no custom task: there rivals are searched as well."""
    done = call("compare", mine.name, "--seeds", "2", "--against", "one-hot", "--jobs", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "hyper-parameters of stranger, one-hot on validation samples: 4 settings" in done.stdout
    assert "Hyper-parameters of all rows were chosen alike" in done.stdout
    tuned = json.loads((tmp_path / "out" / "smoke" / "tuned.json").read_text())
    lines = (tmp_path / "out" / "smoke" / "records.jsonl").read_text().splitlines()
    for method in ("stranger", "one-hot"):
        row = tuned["fashion-lt full 120"][method]
        assert row["settings"] == 2
        records = [record for record in map(json.loads, lines) if record["method"] == method]
        assert len(records) == 2
        assert all(r["identity"]["config"][name] == value for r in records for name, value in row["params"].items())


def test_a_bug_in_it_is_a_failed_cell_and_status_one(mine, tmp_path):
    source = mine.read_text().replace("torch.lerp(first, other, self.config.between)", "torch.lerp(first)")
    mine.write_text(source)
    words = ["compare", mine.name, "--seeds", "1", "--no-search", "--against", "one-hot", "--unchecked"]
    done = call(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert "FAILED: TypeError: lerp() received an invalid combination" in done.stdout
    number = next(n for n, line in enumerate(source.splitlines(), 1) if "torch.lerp(first)" in line)
    assert f"(stranger.py, line {number})" in done.stdout
    assert "so nothing can be said of it" in done.stdout


def test_a_method_that_cannot_run_ends_with_its_search(mine, tmp_path):
    mine.write_text(mine.read_text().replace("torch.lerp(first, other, self.config.between)", "self.nowhere"))
    done = call("compare", mine.name, "--seeds", "1", "--against", "one-hot", "--unchecked", cwd=tmp_path)
    assert done.returncode == 1
    assert "no setting of stranger could be trained: AttributeError" in done.stderr
    assert done.stderr.count("\n") == 2  # that it breaks the contract, and what came of it
    assert not (tmp_path / "out" / "smoke" / "records.jsonl").exists()


def test_a_custom_task_runs_every_fitting_row(tmp_path):
    (tmp_path / "digits_of_mine.py").write_text((paths.ROOT / "examples" / "my_task.py").read_text())
    done = call("table1", "--tasks", "digits_of_mine.py", "--seeds", "1", cwd=tmp_path)
    frame = pd.read_csv(tmp_path / "out" / "smoke" / "table1-digits-of-mine.csv")
    assert done.returncode == 0, done.stderr
    assert set(frame.method) == {"one-hot", "distillation", "prior-sampling", "tgt-random", "tgt-gradient"}


def test_a_method_of_an_installed_package_is_a_row(tmp_path):
    package = tmp_path / "site" / "strange_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from baselines.one_hot import OneHot\n\nclass Strange(OneHot):\n    pass\n")
    info = tmp_path / "site" / "strange_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tgt_benchmarks.methods]\nstrange = strange_package:Strange\n")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "table1", "--plan", "--tasks", "fashion-lt", "--methods", "strange"],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
    )
    assert done.returncode == 0, done.stderr
    assert "strange" in done.stdout
