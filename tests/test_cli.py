"""The command a person types: help, bad words, plans, failures, kills, and two harnesses at once. Real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.commands import main as cli
from benchmarks.core import paths
from benchmarks.records.record import Store
from benchmarks.report.neighbours import MEASURED

GRID = ["table1", "--size", "smoke", "--tasks", "fashion-lt", "--methods", "one-hot,distillation,tgt-random"]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks", *words]


def one_job(*words: str) -> list[str]:
    """The words with --jobs 1, where they fill a grid: no workers to start, which take longer than what they do."""
    fills = words[0].startswith(("table", "fig", "theory", "ablation", "compare", "teachers", "throughput"))
    return [*words, "--jobs", "1"] if fills and "--jobs" not in words else [*words]


def call(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*one_job(*words)),
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        timeout=250,
        env={**os.environ, **(env or {})},
    )


def lines(folder: Path) -> list[dict]:
    path = folder / "smoke" / "records.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["table9"], "unknown target 'table9'; did you mean table"),
        (["table1", "--methods", "magic"], "unknown method 'magic'; there are one-hot"),
        (["table1", "--tasks", "mnist"], "unknown task 'mnist'; there are fashion-lt, fashion"),
        (["table1", "--budgets", "many"], "--budgets takes whole numbers above 0, not 'many'"),
        (["table1", "--seeds", "0"], "--seeds must be at least 1"),
        (
            ["table1", "--size", "huge"],
            "invalid choice 'huge' for argument '--size'. Expected one of ('smoke'",
        ),
        (["--size", "smoke", "table1"], "a command stands first, then its options; there are table1"),
        (["table1", "--plan", "fig2"], "fig2 stands behind an option: commands come first"),
        (["table1", "compare", "x"], "compare stands first and alone, followed by METHOD"),
        (["new", "thing", "x"], "new takes method|task NAME, not thing x"),
        (["verify", "--sample", "0"], "--sample must be at least 1, not 0"),
        (
            ["fig1", "--tasks", "manifold-2-in-32"],
            "fig1 shows image, text, retrieval tasks; manifold-2-in-32 is one of vector",
        ),
        (["fig1", "--lr", "3"], "--lr has no effect on fig1; ./reproduce.sh fig1 --help tells its options"),
        (["table1", "--ratio", "50", "--tasks", "fashion"], "the classes of fashion are balanced"),
        (["table1", "--n-max", "50"], "--n-max goes with --tasks fashion-lt"),
        (["table2", "--methods", "data-free"], "data-free: it is for image tasks, and movie-5 is one of text"),
        (["table2", "--tasks", "trec-50", "--methods", "pretrained-one-hot"], "trec-50 has no pretrained student"),
        (["table1", "--set", "sigma"], "--set: NAME=VALUE is wanted, not 'sigma'"),
        (["table1", "--set", "sigmas=2"], "--set: no method has 'sigmas'; there are alpha"),
        (
            ["list", "--set", "sigma=2"],
            "--set has no effect on list; it goes with table1, table2, table3, fig2, theory, abl",
        ),
    ],
)
def test_bad_words_get_one_line_and_status_two(words, said, tmp_path, capsys):
    assert cli.main([*words, "--results", str(tmp_path / "r")]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("compare distillation --methods one-hot", "rivals are named by --against"),
        ("throughput --budgets 50", "--budgets has no effect on throughput"),
        ("report --seeds 3", "--seeds has no effect on report"),
        ("report --plan", "--plan has no effect on report"),
        ("table1 --no-search", "--no-search has no effect on table1; it goes with compare"),
        ("check --methods one-hot", "--tasks and --methods name files of custom ones, not one-hot"),
        ("tune --tasks amazon-food", "tune: amazon-food takes what movie-5 chose"),
        ("ablation-teacher --teacher same-data", "ablation-teacher sets --teacher itself"),
        ("ablation-sigma --set sigma=1", "--set sigma: the ablation sets it itself"),
        ("ablation-steps --set ascent_steps=1", "--set ascent_steps: the ablation sets it itself"),
        ("ablation-share --methods one-hot", "ablation-share: one-hot has no share to vary"),
        ("table1 --methods one-hot --set sigma=1", "none of these methods can be given 'sigma'"),
        ("table1 --methods tgt-gradient --set explore=isotropic", "none of these methods can be given 'explore'"),
        ("table1 --set sigma=abc", "--set sigma=abc: Input should be a valid number"),
        ("table1 --set ascent_steps=1.5", "--set ascent_steps=1.5: Input should be a valid integer"),
        ("table1 --set sigma=NaN", "should be a finite number"),
        ("table1 --set normalise=a/b", "'a/b' would be a part of a folder's name"),
        ("table2 --methods tgt-random-pool --set pool=10", "renew must lie between 0 and pool"),
        ("table1 --budgets ²", "--budgets takes whole numbers above 0"),
        ("new method json", "there is a module json already"),
    ],
)
def test_what_would_be_passed_over_or_fail_late_is_refused_first(line, said, capsys):
    assert cli.main(line.split()) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("target", ["check", "report", "export"])
def test_a_folder_without_records_is_no_success(target, tmp_path, capsys):
    assert cli.main([target, "--results", str(tmp_path / "none")]) > 0
    assert "holds no records to" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_budget_the_pool_cannot_give_is_refused_before_anything_runs(tmp_path):
    done = call(*GRID, "--budgets", "50000", "--results", str(tmp_path))
    assert (done.returncode, "asks for" in done.stderr, done.stderr.count("\n")) == (1, True, 1)
    assert not lines(tmp_path)


def test_help_and_bad_words_load_no_torch():
    code = "import sys; from benchmarks.commands.main import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    for words in (["--help"], ["table9"]):
        done = subprocess.run(
            [sys.executable, "-c", code + "assert 'torch' not in sys.modules", *words],
            cwd=paths.ROOT,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr


def test_an_unwritable_results_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    done = call(*GRID, "--results", str(tmp_path / "file"))
    assert done.returncode == 2
    assert "is a file, not a folder" in done.stderr
    assert done.stderr.count("\n") == 1


def test_plan_runs_nothing(tmp_path):
    done = call(*GRID, "--plan", "--results", str(tmp_path / "r"))
    assert done.returncode == 0
    assert "6 cells: 0 recorded, 6 missing" in done.stdout
    assert not (tmp_path / "r").exists()


def test_a_plan_without_data_says_what_to_do_first(tmp_path):
    done = call("table1", "--plan", env={"TGT_CACHE": str(tmp_path)})
    assert done.returncode == 3
    assert done.stdout.splitlines()[-1] == "nothing can be planned before the data are there: ./reproduce.sh data"


def test_teachers_plan_tells_of_networks_alone():
    done = call("teachers", "--plan", "--size", "smoke", "--tasks", "fashion-lt", "--teacher", "same-data")
    assert done.returncode == 0
    assert "teacher networks to train; about" in done.stdout.splitlines()[-1]
    assert "recorded" not in done.stdout


def test_a_missing_client_leaves_the_task_unavailable_and_visible(tmp_path):
    """No apt-get, no cached fonts: the other task's table is made, and the absence stands in it."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("dpkg-deb", "git"):
        (tools / tool).symlink_to(subprocess.check_output(["which", tool], text=True).strip())
    cache = tmp_path / "cache" / "data"
    cache.mkdir(parents=True)
    (cache / "fashion-mnist.safetensors").symlink_to(paths.cache() / "data" / "fashion-mnist.safetensors")
    done = call(
        *["table1", "--size", "smoke", "--methods", "one-hot", "--seeds", "1", "--results", str(tmp_path / "r")],
        env={"PATH": str(tools), "TGT_CACHE": str(tmp_path / "cache")},
    )
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "r" / "smoke" / "table1.md").read_text()
    assert "Task glyph-lt is unavailable" in written
    assert "apt-get is not installed" in written
    assert "Fashion-MNIST, long tail" in written


def test_killed_in_the_middle_resumes_to_the_same_table(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert call(*GRID, "--seeds", "3", "--results", str(whole)).returncode == 0
    harness = subprocess.Popen(
        command(*GRID, "--seeds", "3", "--results", str(cut)),
        cwd=paths.ROOT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while len(lines(cut)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(harness.pid, signal.SIGKILL)
    harness.wait()
    finished = len(lines(cut))
    assert 2 <= finished < 9
    done = call(*GRID, "--seeds", "3", "--results", str(cut))
    assert done.returncode == 0
    assert f"/{9 - finished}]" in done.stdout  # only what was missing
    for name in ("table1.csv",):
        assert (cut / "smoke" / name).read_bytes() == (whole / "smoke" / name).read_bytes()
    # Determinism: both folders hold byte-equal metrics under equal keys.
    metrics = [{line["key"]: json.dumps(line["metrics"]) for line in lines(folder)} for folder in (whole, cut)]
    assert metrics[0] == metrics[1]
    assert len(metrics[0]) == len(lines(cut)) == 9
    again = call(*GRID, "--seeds", "3", "--results", str(cut))
    assert "[1/" not in again.stdout
    # From the records alone, the same table.
    table = cut / "smoke" / "table1.csv"
    made = table.read_bytes()
    table.unlink()
    done = call("report", "--size", "smoke", "--results", str(cut))
    assert done.returncode == 0, done.stderr
    assert table.read_bytes() == made
    text = (cut / "smoke" / "report.md").read_text()
    assert text.index("## Your tables") < text.index("Fashion-MNIST, long tail")
    assert "## Claims" not in text  # none of them is asked of this budget


def test_teachers_are_judged_and_the_picture_has_its_data(tmp_path):
    (tmp_path / "smoke").mkdir()
    rows = [("another", "full", 0.25), ("fashion-lt", "full", 0.75)]
    before = pd.DataFrame(rows, columns=["task", "teacher", "sigma"])
    before.to_csv(tmp_path / "smoke" / "teachers.csv", index=False)
    done = call("teachers", "fig1", "--size", "smoke", "--tasks", "fashion-lt", "--results", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "the labeler keeps its class on" in done.stdout
    judged = pd.read_csv(tmp_path / "smoke" / "teachers.csv")
    assert judged.task.tolist() == ["another"] + 5 * ["fashion-lt"]  # judged anew, and the other task's row is kept
    judged = judged[1:]
    assert judged.sigma.tolist() == [0, 0.5, 1, 2, 3]
    assert judged.agreement.between(0, 1).all()
    picture = tmp_path / "smoke" / "fig1-fashion-lt"
    assert {path.name.removeprefix(picture.name) for path in picture.parent.glob("fig1-*")} == {
        ".png", ".pdf", ".csv", "-disagreement.csv",
    }  # fmt: skip
    rows = pd.read_csv(picture.with_suffix(".csv"))
    assert set(rows.kind) == {"original", "reconstruction", "random", "gradient"}
    assert (rows.kl >= -1e-6).all()


def test_text_has_its_picture_and_its_curve_files_of_their_own(tmp_path):
    words = ("--size", "smoke", "--tasks", "movie-5", "--results", str(tmp_path))
    done = call("fig1", "fig2", *words, "--methods", "one-hot,distillation", "--seeds", "1")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "smoke"
    rows = pd.read_csv(folder / "fig1-movie-5.csv")
    assert rows["sample"].nunique() == 10
    assert rows.text.str.len().gt(0).mean() > 0.5
    means = pd.read_csv(folder / "fig1-movie-5-disagreement.csv")
    assert means.samples.eq(MEASURED["smoke"]).all()
    assert means[means.kind == "original"].labeler_kept.item() == 1
    assert (folder / "fig1-movie-5.md").read_text().count("| reconstruction |") == 10
    assert (folder / "fig2-movie-5.csv").exists()
    assert not (folder / "fig2.csv").exists()


def test_settings_of_a_persons_own_are_recorded_apart(tmp_path):
    done = call(*GRID, "--seeds", "1", "--set", "sigma=0.5,w_tgt=2", "--results", str(tmp_path))
    assert done.returncode == 0, done.stderr
    records = Store(tmp_path / "smoke").read().values()
    assert {record.spec.settings for record in records} == {"sigma=0.5,w_tgt=2"}
    configs = {record.spec.method: record.identity["config"] for record in records}
    assert (configs["tgt-random"]["sigma"], configs["tgt-random"]["w_tgt"]) == (0.5, 2)
    assert "sigma" not in configs["distillation"]
    assert (tmp_path / "smoke" / "set" / "sigma=0.5,w_tgt=2" / "table1.csv").exists()
    assert not (tmp_path / "smoke" / "table1.csv").exists()
    refused = call(*GRID, "--set", "share=2", "--results", str(tmp_path))
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "--set share=2: it must lie between 0 and 1" in refused.stderr


def test_a_killed_harness_leaves_no_worker_at_work(tmp_path):
    harness = subprocess.Popen(
        command(*GRID, "--seeds", "9", "--results", str(tmp_path)), cwd=paths.ROOT, stdout=subprocess.DEVNULL
    )
    claims = tmp_path / "smoke" / ".claims"
    deadline = time.monotonic() + 120
    while not list(claims.glob("*.status")) and time.monotonic() < deadline:
        time.sleep(0.01)
    workers = [int(path.stem.partition("@")[0]) for path in claims.glob("*.status")]
    assert workers
    harness.kill()
    harness.wait()
    deadline = time.monotonic() + 30
    while any(map(running, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(running, workers))
    assert len(lines(tmp_path)) < 27


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_two_harnesses_on_one_folder_lose_and_repeat_nothing(tmp_path):
    grid = command(*GRID, "--seeds", "3", "--jobs", "1", "--results", str(tmp_path))
    both = [subprocess.Popen(grid, cwd=paths.ROOT, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [harness.wait(timeout=200) for harness in both] == [0, 0]
    keys = [line["key"] for line in lines(tmp_path)]
    assert len(keys) == len(set(keys)) == 9
