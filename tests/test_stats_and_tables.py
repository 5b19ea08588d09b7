"""Statistics against scipy and by hand; tables from hand-made records; metrics against scikit-learn."""

from __future__ import annotations

import io
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats as scipy_stats
from sklearn import metrics as sk

from benchmarks.analysis import crossed, multipliers, scores, stats, summary
from benchmarks.metrics.classification import classification, classify
from benchmarks.records.groups import Unit, grouped
from benchmarks.records.record import Record, Spec, key_of
from benchmarks.report import figures, style, tables, throughput
from benchmarks.report.grid import Cell, Grid, to_csv


def record(method, seed, value, task="fashion-lt", budget=2478, status="ok", teacher="a", **metrics):
    spec = Spec(task=task, size="small", teacher="full", budget=budget, seed=seed, method=method)
    identity = {**spec.model_dump(), "teacher_sha256": teacher}
    return Record(
        key=key_of(identity),
        status=status,
        reason="" if status == "ok" else "Diverged: the loss is nan at step 25",
        spec=spec,
        metrics={"balanced_accuracy": value, "accuracy": value, "few_shot": None, **metrics} if status == "ok" else {},
        costs={"seconds": 6.0, "labeler_queries": 100, "student_parameters": 10, "student_macs": 20},
        identity=identity,
        environment={},
    )


def pairs(*records):
    return [(r.spec, r) for r in records]


def grid_of(*records):
    groups = grouped(pairs(*records))
    ((name, group),) = groups.items()
    return tables.grid(name, group)


def paired(ours, theirs):
    """Of values by seed."""
    both = ({Unit(seed): value for seed, value in one.items()} for one in (ours, theirs))
    return crossed.paired(*map(scores.plain, both))


def test_paired_uses_common_seeds_only():
    found = paired({0: 0.5, 1: 0.7, 2: 0.9}, {1: 0.6, 2: 0.7, 3: 0.0})
    assert found is not None
    assert (found.n, found.mean) == (2, pytest.approx(0.15))
    assert found.p == pytest.approx(scipy_stats.ttest_rel([0.7, 0.9], [0.6, 0.7]).pvalue)
    assert paired({0: 1.0}, {1: 1.0}) is None


def test_equal_differences_give_no_warning_and_a_clear_p():
    assert paired({0: 0.5, 1: 0.6, 2: 0.7}, {0: 0.4, 1: 0.5, 2: 0.6}).p == 0
    assert math.isnan(paired({0: 0.5, 1: 0.6}, {0: 0.4, 1: 0.5}).p)  # two that are equal by chance tell no spread
    assert paired({0: 0.5, 1: 0.6}, {0: 0.5, 1: 0.6}).p == 1


def test_budget_to_reach():
    budgets, scores = np.array([10, 100, 1000]), np.array([0.2, 0.4, 0.6])
    assert stats.budget_to_reach(budgets, scores, 0.5) == pytest.approx(10**2.5)
    assert stats.budget_to_reach(budgets, scores, 0.1) == 10
    assert stats.budget_to_reach(budgets, scores, 0.7) == math.inf
    assert stats.budget_to_reach(budgets, np.array([0.2, 0.5, 0.4]), 0.45) < 100  # noise gives no second crossing


def test_reproduced():
    reference = [0.70, 0.71, 0.72, 0.69, 0.71]
    assert stats.reproduced([0.705, 0.715], reference)
    assert stats.reproduced([0.80, 0.81, 0.80], reference) is False
    assert stats.reproduced([0.71], reference)
    assert stats.reproduced([0.9], reference) is False
    assert stats.reproduced([0.7], [0.7]) is None


@given(st.integers(2, 6), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=80))
def test_metrics_equal_scikit_learn(classes, drawn):
    labels = np.array([a % classes for a, _ in drawn])
    predicted = np.array([b % classes for _, b in drawn])
    found = classification(predicted, labels, classes, np.full(classes, 50))
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(labels, predicted))
    recalls = [(predicted[labels == c] == c).mean() for c in np.unique(labels)]
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(labels, predicted, average="macro", zero_division=0))


def test_calibration_error_is_the_gap_of_confidence_and_accuracy():
    logits = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 50.0], [0.0, 50.0]])
    found = classify(logits, np.array([0, 1, 1, 0]), 2, np.array([50, 50]))
    assert found["accuracy"] == 0.5
    # Half of the samples are believed at 1/2 and right as often, half at 1 and right half of the time.
    assert found["calibration_error"] == pytest.approx(0.25)
    assert classify(logits / 0, np.array([0, 1, 1, 0]), 2, np.array([50, 50]))["calibration_error"] is None


def test_shot_boundaries_and_empty_groups():
    labels = predicted = np.arange(4)
    found = classification(predicted, labels, 4, np.array([101, 100, 20, 19]))
    assert (found["many_shot"], found["medium_shot"], found["few_shot"]) == (1.0, 1.0, 1.0)
    found = classification(np.array([0, 0, 0, 0]), labels, 4, np.array([101, 100, 20, 20]))
    assert (found["many_shot"], found["medium_shot"], found["few_shot"]) == (1.0, 0.0, None)


def test_table_says_what_failed_what_is_missing_and_who_wins():
    rows = [record("distillation", s, 0.70 + s / 100) for s in range(3)]
    rows += [record("one-hot", s, 0.60 + s / 90) for s in range(3)]
    rows += [record("tgt-random", s, 0.75 + s / 95) for s in range(2)] + [record("tgt-random", 2, 0, status="failed")]
    groups = grouped([*pairs(*rows), (rows[0].spec.model_copy(update={"method": "data-free"}), None)])
    ((name, group),) = groups.items()
    found = tables.grid(name, group)
    text = {row[0].text: [cell.text for cell in row] for row in found.rows}
    assert text["tgt-random"][-1] == "2/3, 1 FAILED"
    assert text["data-free"][1] == "not run"
    assert text["distillation *"][1] == "71.0 ± 2.5"
    assert text["tgt-random"][5].startswith("+5.0 [")
    assert [row[0].text for row in found.rows if row[1].bold] == ["tgt-random"]
    assert "**" in found.markdown()
    assert r"\toprule" in found.latex()
    assert r"\textbf{" in found.latex()


def test_no_bold_where_the_interval_holds_zero():
    rows = [record("distillation", s, v) for s, v in enumerate([0.7, 0.5, 0.6])]
    rows += [record("one-hot", s, v) for s, v in enumerate([0.5, 0.7, 0.63])]
    assert not any(cell.bold for row in grid_of(*rows).rows for cell in row)


def test_a_cell_that_failed_for_all_seeds_shows_its_reason():
    found = grid_of(record("distillation", 0, 0.7), record("one-hot", 0, 0, status="failed"))
    assert found.rows[1][1].text == "FAILED: Diverged: the loss is nan at step 25"


def test_records_of_two_teachers_never_meet():
    with pytest.raises(ValueError, match="different teachers"):
        grouped(pairs(record("one-hot", 0, 0.5, teacher="a"), record("one-hot", 1, 0.5, teacher="b")))


def test_summary_has_the_promised_columns():
    frame = summary.frame(
        grouped(pairs(*[record(m, s, 0.5 + s / 10) for m in ("one-hot", "distillation") for s in (0, 1)]))
    )
    first = ["task", "teacher", "budget", "method", "metric", "n_seeds", "mean", "low", "high", "diff", "diff_low"]
    assert list(frame.columns[:11]) == first
    assert set(frame.metric) == {"balanced_accuracy", "accuracy"}  # few_shot is n/a, and so has no row


def test_one_grid_is_shown_alike_everywhere():
    found = Grid.of(
        ("method", "what", "%"), [("a_b", "5 * [x]", Cell("1.5", bold=True))], title="T", notes=("N",), align="lwr"
    )
    assert found.markdown().splitlines() == [
        "### T", "", "| method | what | % |", "|---|---|---:|", "| a_b | 5 \\* \\[x] | **1.5** |", "", "N  ",
    ]  # fmt: skip
    assert r"a\_b & 5 * [x] & \textbf{1.5} \\" in found.latex()
    assert r"\begin{tabular}{llr}" in found.latex()
    terminal = Console(width=80, file=io.StringIO())
    terminal.print(found.rich(80))
    assert all(text in terminal.file.getvalue() for text in ("T", "a_b", "5 * [x]", "1.5", "N"))
    narrow = Console(width=20, file=io.StringIO())
    narrow.print(found.rich(20))
    assert "1.5" not in narrow.file.getvalue()
    assert "%" in narrow.file.getvalue()  # what does not fit is said


def test_tables_and_figures_say_their_size(tmp_path):
    table = Grid.of(("method", "p"), [("mine", "0.1")], title="A table")
    assert table.of_size("small").of_size("small").title == "A table (size small)"
    assert table.of_size("smoke").title == "A table (size smoke: no result)"
    frame = pd.DataFrame({"diff": [0.1], "p": [0.1], "rival_p": [0.1], "p_holm": [0.1], "probability": [0.1]})
    assert to_csv(frame, "smoke").splitlines()[1] == "0.100000,,,,0.100000"
    assert to_csv(frame, "small") == to_csv(frame)
    phases = {f"ms_{phase}": 0.1 for phase in throughput.PHASES}
    steps = pd.DataFrame([{"task": "fashion-lt", "method": f"method {n}", **phases} for n in range(6)])
    for size, told in (("smoke", "is no result"), ("small", "size small")):
        throughput.draw(steps, tmp_path / size, size)
        assert told in (tmp_path / f"{size}.svg").read_text()


def test_budgets_of_many_curves_are_those_of_each():
    rng = np.random.default_rng(0)
    budgets, curves, targets = np.array([10, 100, 1000]), rng.random((50, 3)), rng.random(50)
    alone = [stats.budget_to_reach(budgets, curve, target) for curve, target in zip(curves, targets, strict=True)]
    assert stats.budget_to_reach(budgets, curves, targets).tolist() == alone


def test_a_figure_of_one_method_has_its_colour_and_a_custom_one_another():
    assert style.colour("tgt-random") == style.colour("tgt-random-pool") != style.colour("somebodys-own")
    assert style.width("tgt-random-pool") > style.width("distillation")
    assert style.colour("interpolation") == style.colour("interpolation-pool")  # there is with a pool alone


def test_multiplier_by_hand_and_bound():
    rows = []
    for budget, kd, ours in ((100, 0.4, 0.5), (1000, 0.6, 0.7), (10000, 0.65, 0.8)):
        rows += [record("distillation", s, kd, "fashion", budget) for s in (0, 1)]
        rows += [record("tgt-random", s, ours, "fashion", budget) for s in (0, 1)]
    frame = multipliers.frame(grouped(pairs(*rows)))
    assert frame.multiplier.tolist() == [pytest.approx(10**0.5), pytest.approx(10.0)]
    assert frame.bound.tolist() == [False, True]
    assert any("more than 10.0 times" in line for line in multipliers.lines(frame))


def test_figures_are_byte_stable(tmp_path):
    rows = [
        record(m, s, 0.4 + b / 5000 + s / 50, "fashion", b)
        for m in ("distillation", "tgt-random")
        for s in (0, 1)
        for b in (100, 1000)
    ]
    groups = grouped(pairs(*rows))
    drawn = []
    for name in ("a", "b"):
        figure = figures.budget_curve(summary.frame(groups), multipliers.frame(groups))
        drawn.append([path.read_bytes() for path in style.save(figure, tmp_path / name / "fig2")])
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 3
