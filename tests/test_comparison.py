"""The comparison's statistics: against scipy and by hand, their error rate on null data, and the words made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats
from sklearn.datasets import load_digits

from benchmarks.analysis import crossed, scores, stats, strata, time_to_accuracy
from benchmarks.analysis import pairwise as comparison
from benchmarks.records import checkpoints as selection
from benchmarks.records.groups import Group, Unit, values
from benchmarks.records.record import Checkpoint, Record, Spec, pack, unpack
from benchmarks.report import overviews

GROUP = Group("fashion-lt", "full", 2478, "samples")


def record(method, seed, *curve, queries=100, hits=None, status="ok"):
    """A record whose curve has the (validation, test) pairs, each after 10 more steps and seconds."""
    points = [
        Checkpoint(
            step=10 * n,
            seconds=10.0 * n,
            labeler_queries=queries * n,
            validation={"balanced_accuracy": v},
            test={"balanced_accuracy": t},
        )
        for n, (v, t) in enumerate(curve, 1)
    ]
    return Record(
        key=f"{method}{seed}",
        status=status,
        spec=Spec(task="fashion-lt", size="small", teacher="full", budget=2478, seed=seed, method=method),
        metrics=points[-1].test,
        hits="" if hits is None else pack(np.array(hits, bool)),
        curve=points,
        costs={"seconds": points[-1].seconds, "labeler_queries": points[-1].labeler_queries},
        identity={"teacher_sha256": "a"},
        environment={},
    )


def group(**scores):
    """Cells of methods with one test score a seed; `tgt_random` stands for tgt-random."""
    return {
        name.replace("_", "-"): {
            Unit(seed): record(name.replace("_", "-"), seed, (v, v)) for seed, v in enumerate(values)
        }
        for name, values in scores.items()
    }


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.04: times 3, 2, 1, never falling.
    assert stats.holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert stats.holm([0.6, 0.7]) == [1.0, 1.0]
    corrected = stats.holm([0.01, float("nan"), 0.03])
    assert corrected[0] == pytest.approx(0.02)
    assert math.isnan(corrected[1])
    assert stats.holm([]) == []


def test_sign_flips_are_all_tried():
    differences = [1.0, 2.0, 3.0, 4.0, -0.5]
    means = [
        np.mean([d if bits >> i & 1 else -d for i, d in enumerate(differences)])
        for bits in range(2 ** len(differences))
    ]
    exact = np.mean(np.abs(means) >= abs(np.mean(differences)) - 1e-12)
    assert stats.sign_flip(differences) == pytest.approx(exact)
    assert stats.sign_flip([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2**-4)  # the smallest of five
    assert math.isnan(stats.sign_flip([1.0]))


def test_wilcoxon_and_probability_of_improvement_by_scipy_and_hand():
    differences = [0.3, -0.1, 0.2, 0.5, 0.4]
    assert stats.wilcoxon(differences) == scipy_stats.wilcoxon(differences).pvalue
    assert stats.wilcoxon([0.0, 0.0]) == 1.0
    assert stats.probability_of_improvement([1, 2, 3], [0, 2, 2.5]) == pytest.approx((1 + 1.5 + 3) / 9)
    assert stats.probability_of_improvement([1.0], [1.0]) == 0.5


def test_the_bootstrap_repeats_itself_and_is_too_narrow_for_five_values():
    values = [0.1, 0.4, 0.35, 0.8, 0.2]
    assert stats.bootstrap(values) == stats.bootstrap(values)
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        low, high = stats.bootstrap(rng.normal(size=5).tolist())
        held += low <= 0 <= high
    assert 0.7 < held / 200 < 0.9


def pairs(ours, cells):
    return comparison.family(ours, {GROUP: cells})[GROUP]


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_the_detectable_difference_is_found_four_times_in_five(n):
    rng = np.random.default_rng(n)
    shift = stats.detectable(1 / math.sqrt(n), n - 1)
    drawn = rng.normal(shift, 1.0, (20000, n))
    assert np.mean(scipy_stats.ttest_1samp(drawn, 0.0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.015)


def test_nothing_is_found_where_nothing_is_about_as_often_as_said():
    """Null data: the same method twice with different seeds. A ridge classifier on 60 drawn digits is the method."""
    images, labels = load_digits(return_X_y=True)
    inputs, targets = np.c_[images / 16, np.ones(len(images))], np.eye(10)[labels]
    rng = np.random.default_rng(0)

    def run() -> float:
        order = rng.permutation(len(labels))
        train, test = order[:60], order[60:560]
        weights = np.linalg.solve(inputs[train].T @ inputs[train] + np.eye(65), inputs[train].T @ targets[train])
        return float(np.mean((inputs[test] @ weights).argmax(1) == labels[test]))

    drawn = np.array([run() for _ in range(4000)])
    for seeds in (3, 5, 10):
        blocks = drawn[: len(drawn) // (2 * seeds) * 2 * seeds].reshape(-1, 2, seeds)
        found = []
        for ours, theirs in blocks:
            difference = crossed.paired(
                *(scores.plain({Unit(s): value for s, value in enumerate(one)}) for one in (ours, theirs))
            )
            assert difference is not None
            found.append(difference.p < 0.05)
        error = math.sqrt(0.05 * 0.95 / len(found))
        assert np.mean(found) == pytest.approx(0.05, abs=3 * error), seeds


def test_rows_read_together_are_corrected_together():
    rng = np.random.default_rng(2)
    drawn = rng.normal(size=(2000, 6, 5))
    p = scipy_stats.ttest_1samp(drawn, 0.0, axis=2).pvalue
    assert np.mean([min(stats.holm(row.tolist())) < 0.05 for row in p]) < 0.06
    assert np.mean(p.min(1) < 0.05) > 0.2


def test_rules_of_selection_read_the_curve():
    found = record("one-hot", 0, (0.5, 0.6), (0.7, 0.4), (0.6, 0.5))
    scores = {rule: selection.score(found, "balanced_accuracy", rule) for rule in selection.RULES}
    assert scores == {"last step": 0.5, "best on validation": 0.4, "best on test (oracle)": 0.6}
    assert selection.at_cost(found, "balanced_accuracy", "seconds", 25.0) == 0.4
    assert selection.at_cost(found, "balanced_accuracy", "labeler queries", 300) == 0.5
    assert selection.at_cost(found, "balanced_accuracy", "student updates", 5) is None


def test_equal_costs_compare_what_each_had_reached():
    cells = {
        "mine": {Unit(s): record("mine", s, (0.1, 0.1), (0.2, 0.2 + s / 100), queries=50) for s in (0, 1)},
        "one-hot": {Unit(s): record("one-hot", s, (0.1, 0.15), (0.3, 0.3), queries=100) for s in (0, 1)},
    }
    (pair,) = pairs("mine", cells)
    amount, difference = pair.at_cost["labeler queries"]
    assert amount == 100
    assert difference.mean == pytest.approx(0.205 - 0.15)
    assert pair.at_cost["student updates"][1].mean == pytest.approx(0.205 - 0.3)


def test_hits_come_back_and_give_the_test_samples_error_of_a_difference():
    """Two methods, three seeds, 1,000 samples of two classes: the mean covariance of two seeds' differences in hits."""
    rng = np.random.default_rng(3)
    hits, labels = rng.random((2, 3, 1000)) < 0.3 + 0.5 * rng.random(1000), np.arange(1000) % 2
    assert all((unpack(pack(h)) == h).all() for h in hits[0])
    assert unpack("") is None
    recall = [[np.mean([h[labels == c].mean() for c in (0, 1)]) for h in side] for side in hits]
    ours, theirs = (
        {Unit(s): record("m", s, (0, recall[i][s]), hits=hits[i][s]).model_copy() for s in range(3)} for i in range(2)
    )
    for one in (*ours.values(), *theirs.values()):
        one.spec = one.spec.model_copy(update={"task": "somebodys-own"})  # of which no committed file tells the classes
    assert math.isnan(crossed.paired(*(scores.of(side, "balanced_accuracy") for side in (ours, theirs))).parts.test)
    strata.tell("somebodys-own", "small", labels)
    found = crossed.paired(*(scores.of(side, "balanced_accuracy") for side in (ours, theirs)))
    apart = hits[0].astype(float) - hits[1]
    between = [np.cov(apart[:, labels == c]) / 500 for c in (0, 1)]
    by_hand = sum(between)[~np.eye(3, dtype=bool)].mean() / 4
    assert found.parts.test == pytest.approx(max(by_hand, 0))
    theirs[Unit(1)] = record("m", 1, (0, 0.5))
    without = crossed.paired(*(scores.of(side, "balanced_accuracy") for side in (ours, theirs)))
    assert math.isnan(without.parts.test)


def test_the_conclusion_says_better_worse_and_not_significant():
    noise = np.array([0.001, -0.001, 0.002, -0.002, 0.0])
    cells = group(
        mine=0.80 + noise,
        distillation=0.70 + noise[::-1],
        tgt_random=0.90 - noise,
        tgt_gradient=0.80 + np.array([0.02, -0.02, 0.01, -0.03, 0.02]),
    )
    found = pairs("mine", cells)
    said = comparison.conclusion("mine", GROUP, cells, found)
    assert "80.0 ± 0.2 %" in said
    verdicts = {"distillation": ("+10.0", "better"), "tgt-random": ("-10.0", "worse"), "tgt-gradient": ("+0.0", "not")}
    for pair in found:
        points, verdict = verdicts[pair.rival]
        assert pair.verdict().startswith(verdict)
        assert f"It is {pair.verdict()} {pair.rival} ({points} points" in said
    assert "No: better than 0 of 2" in said
    assert f"{100 * found[2].detectable:.1f} points 4 times in 5" in said
    grid, *others = overviews.versus(found)
    assert [len(other.rows) for other in others] == [3, 3]
    told, kind = comparison.verdict("mine", GROUP, cells, found)
    assert kind == comparison.WORSE  # than the best of them on validation samples
    assert "worse than tgt-random, its best rival on validation samples: -10.0 points" in told
    assert "; of 3 rivals better than 1, worse than 1." in told
    assert [row[0].text for row in grid.rows] == list(verdicts)
    assert {len(row) for row in grid.rows} == {len(grid.heads)}


def test_one_seed_decides_nothing():
    cells = group(mine=[0.9], distillation=[0.1])
    (pair,) = pairs("mine", cells)
    assert pair.verdict() == comparison.OPEN
    assert "Holm" not in comparison.conclusion("mine", GROUP, cells, [pair])
    assert "n/a" in [cell.text for cell in overviews.versus([pair])[0].rows[0]]


def test_equal_differences_have_no_interval():
    cells = group(mine=[0.5, 0.6], distillation=[0.4, 0.5])
    found = pairs("mine", cells)
    said = [comparison.conclusion("mine", GROUP, cells, found), comparison.verdict("mine", GROUP, cells, found)[0]]
    said += [cell.text for cell in overviews.versus(found)[0].rows[0]]
    assert not any("nan" in text for text in said)
    assert "distillation (+10.0 points; 2 equal differences tell no spread)" in said[0]


def test_a_turn_of_the_order_is_warned_of():
    cells = {
        "mine": {Unit(s): record("mine", s, (0.9, 0.2), (0.1, 0.5)) for s in (0, 1)},
        "one-hot": {Unit(s): record("one-hot", s, (0.9, 0.3), (0.1, 0.4)) for s in (0, 1)},
    }
    (warning,) = comparison.turns(pairs("mine", cells))
    assert "order against one-hot turns" in warning
    assert "+10.0 points at the last step, -10.0 at the best on validation" in warning


def test_a_failed_run_is_no_seed():
    cells = group(mine=[0.5, 0.6, 0.7], distillation=[0.4, 0.5, 0.6])
    cells["mine"][Unit(2)] = record("mine", 2, (0, 0), status="failed")
    (pair,) = pairs("mine", cells)
    assert pair.difference.n == 2
    assert values(cells["mine"], "balanced_accuracy").keys() == {Unit(0), Unit(1)}


def test_time_to_accuracy_by_hand():
    cells = {
        # Ends at 0.5 on validation, whatever it has on the test set: that is the goal.
        "distillation": {Unit(s): record("distillation", s, (0.3, 0.9), (0.5, 0.9), queries=10) for s in (0, 1, 2)},
        # 0.2 -> 0.6 between 100 and 200 queries, 10 and 20 seconds: there at three quarters. One seed never is.
        "tgt-random": {Unit(s): record("tgt-random", s, (0.2, 0), (0.6, 0)) for s in (0, 1)}
        | {Unit(2): record("tgt-random", 2, (0.1, 0), (0.1, 0))},
        "one-hot": {Unit(s): record("one-hot", s, (0.1, 1), (0.2, 1), queries=0) for s in (0, 1, 2)},
    }
    frame = time_to_accuracy.frame({GROUP: cells})
    found = frame.set_index("method")
    assert found.loc["tgt-random", ["seconds", "labeler queries", "reached"]].tolist() == [17.5, 175.0, 2]
    assert found.loc["distillation", ["seconds", "labeler queries", "reached"]].tolist() == [20.0, 20.0, 3]
    assert math.isinf(found.loc["one-hot", "seconds"])
    (grid,) = overviews.prices(frame)
    assert [cell.text for cell in grid.rows[0]] == ["one-hot", "–", "–", "–", "0 of 3"]
    assert "50.0 % balanced accuracy" in grid.title


def test_all_groups_of_a_comparison_are_corrected_together():
    cells = group(mine=[0.5, 0.6, 0.72, 0.61], distillation=[0.4, 0.52, 0.6, 0.5], one_hot=[0.5, 0.5, 0.6, 0.6])
    other = GROUP._replace(budget=500)
    further = group(mine=[0.5, 0.6, 0.72, 0.61], distillation=[0.49, 0.52, 0.6, 0.5])
    found = comparison.family("mine", {GROUP: cells, other: further})
    raw = [pair.difference.p for several in found.values() for pair in several]
    assert len(raw) == 3
    assert [pair.holm for several in found.values() for pair in several] == pytest.approx(stats.holm(raw))
    told = comparison.family("mine", {GROUP: cells}, overall={(GROUP, "distillation"): 0.2, (GROUP, "one-hot"): 0.5})
    assert [pair.holm for pair in told[GROUP]] == pytest.approx([0.4, 0.5])


def test_what_is_detectable_is_held_to_the_corrected_level():
    cells = group(mine=[0.5, 0.6, 0.72, 0.61], distillation=[0.4, 0.52, 0.6, 0.5])
    (alone,) = pairs("mine", cells)
    crowd = cells | group(one_hot=[0.3, 0.4, 0.5, 0.42], uda=[0.3, 0.3, 0.5, 0.41], tgt_random=[0.5, 0.5, 0.6, 0.7])
    among = pairs("mine", crowd)[0]
    assert among.detectable > alone.detectable
    assert math.isfinite(stats.detectable(0.1, 1, 1 - 0.05 / 52))
