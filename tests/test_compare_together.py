"""`compare` of several tasks: one correction over all, and seeds added task by task. Training alone is stood in for."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats as scipy_stats

from benchmarks.analysis import sequential, stats
from benchmarks.commands import compare
from benchmarks.records.groups import TRIAL_SIZES
from benchmarks.records.record import Checkpoint, Record, pack
from benchmarks.runs import fill

#: How far distillation is above one-hot in these made-up runs, in standard deviations of a paired difference.
GAINS = {"fashion-lt": 40.0, "movie-5": 0.7}


def made(run) -> Record:
    spec, task = run.spec, run.task
    labels = task.examples().test_labels[: task.size.test_limit]
    rng = np.random.default_rng([spec.seed, sum(map(ord, spec.task)), spec.method == "distillation"])
    gain = GAINS[spec.task] if spec.method == "distillation" else 0.0
    score = {task.metric: float(0.4 + 0.005 * gain + 0.005 * rng.normal() / np.sqrt(2))}
    last = Checkpoint(step=1, seconds=1.0, labeler_queries=0, validation=score, test=score)
    return Record(
        key=f"{spec.method}-{spec.seed}",
        status="ok",
        spec=spec,
        metrics=score,
        hits=pack(rng.random(len(labels)) < 0.4),
        curve=[last],
        costs={"seconds": 1.0, "labeler_queries": 1.0, "student_parameters": 10.0, "student_macs": 20.0},
        teachers={"labeler": {"metrics": {"test": {task.metric: 0.9}}}},
        identity={"teacher_sha256": "a"},
        environment={},
    )


@pytest.fixture
def asked(monkeypatch):
    """The seeds that were asked for, by task, look by look."""
    seen: list[tuple[str, int]] = []

    def filled(runs, folder, options, console):
        seen.append((runs[0].spec.task, 1 + max(run.spec.seed for run in runs)))
        return SimpleNamespace(runs=runs, record=made, lent=frozenset()), 0

    monkeypatch.setattr(fill, "fill", filled)
    return seen


@pytest.fixture
def judged(monkeypatch):
    """The small runs of the smoke size count as results."""
    monkeypatch.delitem(TRIAL_SIZES, "smoke")


def run(tmp_path, **options):
    words = compare.Options(
        tasks=",".join(GAINS), size="smoke", results=tmp_path, against="one-hot", search=False, **options
    )
    assert compare.run("compare", ["distillation"], words, Console(file=io.StringIO())) == 0
    found = [pd.read_csv(tmp_path / "smoke" / f"compare-distillation-{task}.csv") for task in GAINS]
    return pd.concat(found, ignore_index=True)


def test_all_tasks_are_corrected_together(asked, judged, tmp_path):
    frame = run(tmp_path, seeds=5)
    assert asked == [(task, 5) for task in GAINS]
    assert frame.task.tolist() == list(GAINS)
    assert frame.p_holm.tolist() == pytest.approx(stats.holm(frame.p.tolist()), rel=1e-3)
    assert frame.p_overall.tolist() == pytest.approx(frame.p.tolist())
    text = (tmp_path / "smoke" / "compare-distillation-movie-5.md").read_text()
    assert "over all 2 differences of this comparison, in 2 groups" in text


def test_a_task_that_is_decided_gets_no_more_seeds(asked, judged, tmp_path):
    """t of some 90 at 5 seeds is beyond the bound of the second look; 0.7 deviations need the last."""
    frame = run(tmp_path, seeds="auto").set_index("task")
    looked = {task: [seeds for name, seeds in asked if name == task] for task in GAINS}
    assert looked == {"fashion-lt": [3, 5], "movie-5": list(sequential.LOOKS)}
    assert frame.n_seeds.to_dict() == {"fashion-lt": 5, "movie-5": 20}
    assert (frame.p_holm < 0.05).all()
    bound = 2 * scipy_stats.norm.sf(sequential.bounds(tuple(n / 20 for n in sequential.LOOKS), 0.05)[-1])
    assert frame.p["movie-5"] < bound
    assert "looked at 3, 5 seeds" in (tmp_path / "smoke" / "compare-distillation-fashion-lt.md").read_text()


def test_a_size_that_gives_no_results_has_no_tests_of_them(asked, tmp_path):
    frame = run(tmp_path, seeds="auto")
    assert frame[["p", "p_overall", "p_holm", "p_sign_flip", "p_wilcoxon", "detectable"]].isna().all(axis=None)
    assert frame[["diff", "low", "high"]].notna().all(axis=None)
    for file in ("md", "html"):
        text = (tmp_path / "smoke" / f"compare-distillation-movie-5.{file}").read_text()
        assert "(size smoke: no result)" in text
        assert not re.search("Holm|significant|O'Brien|[^a-z]p = ", text)
