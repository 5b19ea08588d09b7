"""The ledger of claims: its form, and its verdicts on hand-made records, each against scipy or by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats as scipy_stats
from test_stats_and_tables import record

from benchmarks.analysis import claims, ledger, scores
from benchmarks.analysis.search_orders import Orders
from benchmarks.core import paths
from benchmarks.records import Results
from benchmarks.records.groups import Unit, grouped
from benchmarks.registry import tasks
from benchmarks.registry.methods import METHODS

#: What every claim here has besides its checks.
CLAIM = {"id": "C0", "claim": "order", "where": "here", "trust": "unknown", "rule": "Supported if above."}
CHECK = {"task": "fashion-lt", "budget": 2478, "metric": "balanced_accuracy", "better": "tgt-random"}
CHECK |= {"worse": "distillation"}


def groups_of(*records):
    return grouped((found.spec, found) for found in records)


def runs(method, values, task="fashion-lt", budget=2478, **more):
    return [record(method, seed, value, task=task, budget=budget, **more) for seed, value in enumerate(values)]


def judge(groups, *secondary, chance=lambda *place: None, outdated=lambda *cell: False, **primary):
    claim = ledger.Claim(**CLAIM, primary={**CHECK, **primary}, secondary=list(secondary))
    return claims.judge(claim, groups, SimpleNamespace(chance=chance, outdated=outdated))


def test_the_primary_check_alone_decides_a_claim():
    rng = np.random.default_rng(0)
    base = 0.5 + 0.01 * rng.normal(size=5)
    gains = 0.02 + 0.005 * rng.normal(size=5)
    groups = groups_of(*runs("distillation", base), *runs("tgt-random", base + gains), *runs("one-hot", base + 0.1))
    found = judge(groups, {**CHECK, "worse": "one-hot"})
    t = scipy_stats.ttest_1samp(gains, 0)
    low, high = t.confidence_interval()
    assert found.outcome == "supported"
    assert found.primary.p == pytest.approx(t.pvalue)
    assert f"[{100 * low:+.1f}, {100 * high:+.1f}], 5 seeds, p = {t.pvalue:.2g}" in found.primary.numbers
    assert [one.outcome for one in found.secondary] == ["contradicted"]
    assert "secondary: 1 contradicted" in found.told
    assert judge(groups, better="distillation", worse="tgt-random").outcome == "contradicted"
    assert judge(groups_of(*runs("distillation", [0.5]), *runs("tgt-random", [0.6]))).outcome == "undecided"
    assert judge(groups_of(*runs("distillation", [0.5, 0.6]))).outcome == "not recorded"


def test_rows_of_an_earlier_search_decide_nothing():
    groups = groups_of(*runs("distillation", [0.5, 0.51, 0.5]), *runs("tgt-random", [0.6, 0.62, 0.6]))
    assert judge(groups).outcome == "supported"
    asked = []
    found = judge(groups, outdated=lambda *cell: asked.append(cell) or cell[0] == "distillation")
    assert found.outcome == "undecided"
    assert "; tuned by an earlier version of the search" in found.told
    assert [cell[0] for cell in asked] == ["tgt-random", "distillation"]


def test_secondary_checks_are_held_against_holms_p():
    """A check with p = 0.03 by itself is contradicted alone, and undecided among many."""
    differences = (-0.01, -0.02, -0.035, -0.005, -0.03)
    records = runs("distillation", [0.5] * 5) + runs("tgt-random", [0.5 + one for one in differences])
    records += runs("tgt-gradient", [0.5 + 0.04 * (-1) ** seed + 0.01 * seed for seed in range(5)])
    groups = groups_of(*records)
    alone = judge(groups, CHECK)
    assert (alone.outcome, alone.secondary[0].outcome) == ("contradicted", "contradicted")
    many = judge(groups, *[{**CHECK, "better": ["tgt-random", "tgt-gradient"]}] * 5)
    assert many.outcome == "contradicted"
    assert len(many.secondary) == 10
    assert {one.outcome for one in many.secondary} == {"undecided"}
    assert many.secondary[0].corrected == pytest.approx(10 * many.secondary[0].p)


@pytest.mark.parametrize(("chance", "outcome"), [(None, "supported"), (0.05, "supported"), (0.051, "undecided")])
def test_a_claim_whose_order_another_search_would_turn_is_undecided(chance, outcome):
    groups = groups_of(*runs("distillation", [0.5, 0.51, 0.52]), *runs("tgt-random", [0.6, 0.612, 0.62]))
    seen = []

    def turns(*place):
        seen.append(place)
        return chance

    found = judge(groups, chance=turns)
    assert found.outcome == outcome
    assert found.primary.search == chance
    ahead_first = [("tgt-random", "distillation", "fashion-lt", "full", 2478)]
    assert seen == ahead_first
    judge(groups, chance=turns, better="distillation", worse="tgt-random")
    assert seen == ahead_first * 2
    assert ("the search decides" in found.told) == (outcome == "undecided")


def test_the_search_is_asked_wherever_a_check_looks():
    """Of a mean over budgets the budget that is least sure decides; of a second gain its place as well."""
    records = [
        one
        for budget in (500, 1500)
        for method, level in (("distillation", 0.5), ("tgt-random", 0.6))
        for one in runs(method, [level, level + 0.011, level + 0.02 + budget / 1e6], budget=budget)
    ]
    chances = {500: 0.01, 1500: 0.3}
    found = judge(groups_of(*records), chance=lambda *place: chances[place[-1]], budget=[500, 1500])
    assert (found.outcome, found.primary.search) == ("undecided", 0.3)
    than = judge(groups_of(*records), chance=lambda *place: chances[place[-1]], budget=500, than={"budget": 1500})
    assert than.primary.search == 0.3
    apart = judge(groups_of(*records), chance=lambda *place: 1.0, budget=500, worse_budget=1500)
    assert apart.primary.search is None  # rows of two budgets have searches apart


def test_equivalence_is_two_one_sided_tests_and_no_worse_is_one_against_a_margin():
    theirs, gains = np.array([0.5, 0.52, 0.51, 0.53]), np.array([0.004, -0.006, 0.002, -0.004])
    groups = groups_of(*runs("distillation", theirs), *runs("tgt-random", theirs + gains))
    one_sided = [
        scipy_stats.ttest_1samp(gains + shift, 0, alternative=side).pvalue
        for shift, side in ((0.02, "greater"), (-0.02, "less"))
    ]
    within = judge(groups, within=2)
    assert within.outcome == "supported"
    assert within.primary.p == pytest.approx(2 * max(one_sided))
    assert "within 2 points of distillation" in claims.asked(within.primary.check)
    assert judge(groups, within=0.5).outcome == "undecided"
    below = judge(groups, not_below=2)
    assert below.outcome == "supported"
    assert below.primary.p == pytest.approx(scipy_stats.ttest_1samp(gains, -0.02).pvalue)
    assert judge(groups).outcome == "undecided"
    far = groups_of(*runs("distillation", theirs), *runs("tgt-random", theirs - 0.05 + gains))
    assert [judge(far, **asked).outcome for asked in ({"within": 2}, {"not_below": 2})] == ["contradicted"] * 2


def test_more_data_for_the_rival_the_best_of_several_and_another_teacher():
    records = runs("tgt-random", [0.70, 0.71, 0.72], budget=500)
    records += runs("distillation", [0.65, 0.662, 0.674], budget=1500)
    records += runs("distillation-mixup", [0.6, 0.61, 0.63], budget=1500)
    for one in runs("pretrained-one-hot", [0.6, 0.63, 0.61], budget=500):
        one.spec = one.spec.model_copy(update={"teacher": "same-data"})
        records.append(one)
    groups = groups_of(*records)
    more = judge(groups, budget=500, worse_budget=1500)
    assert more.outcome == "supported"
    assert "above distillation with 1,500 samples" in claims.asked(more.primary.check)
    # No run was validated: the first by name stands for all.
    best = judge(groups, budget=500, worse="distillation*", worse_budget=1500)
    assert best.primary.difference.p == more.primary.difference.p
    assert "distillation* is distillation" in best.primary.numbers
    other = judge(groups, budget=500, worse="pretrained-one-hot", worse_teacher="same-data")
    assert other.primary.difference.mean == pytest.approx(0.71 - (0.6 + 0.63 + 0.61) / 3)


def test_budgets_are_averaged_seed_by_seed():
    rng = np.random.default_rng(1)
    scored = {(m, b): 0.5 + 0.02 * rng.normal(size=4) for m in ("tgt-random", "distillation") for b in (500, 1500)}
    groups = groups_of(*(one for (method, b), values in scored.items() for one in runs(method, values, budget=b)))
    found = judge(groups, budget=[500, 1500])
    each = sum(scored["tgt-random", b] - scored["distillation", b] for b in (500, 1500)) / 2
    assert found.primary.p == pytest.approx(scipy_stats.ttest_1samp(each, 0).pvalue)
    assert "500, 1,500 samples, their mean" in claims.asked(found.primary.check)
    spread = ledger.Claim(**CLAIM, primary=CHECK, secondary=[{**CHECK, "budget": [500, 1500]}])
    assert [check.budget for check in spread.secondary] == [(500,), (1500,)]
    assert judge(groups, budget=[500, 1500, 5000]).outcome == "not recorded"


def test_gains_are_compared_within_a_task_and_between_two():
    few, many = np.array([0.10, 0.13, 0.09, 0.12]), np.array([0.01, 0.02, 0.0, 0.02])
    records = runs("distillation", [0.5] * 4, few_shot=0.2, medium_shot=0.4, many_shot=0.8)
    for seed, one in enumerate(runs("tgt-random", [0.6] * 4)):
        one.metrics |= {"few_shot": 0.2 + few[seed], "medium_shot": 0.4, "many_shot": 0.8 + many[seed]}
        records.append(one)
    asked = []
    found = judge(
        groups_of(*records),
        chance=lambda *rows: asked.append(rows[:2]),
        metric="few_shot + medium_shot",
        than={"metric": "many_shot"},
    )
    assert asked == [("tgt-random", "distillation")]  # no search looks at the many-shot classes
    assert found.primary.p == pytest.approx(scipy_stats.ttest_rel(few / 2, many).pvalue)
    assert "in few-shot accuracy and medium-shot accuracy" in found.primary.numbers

    gained = {"manifold-2-in-32": (0.1, 0.1, 0.101), "manifold-2-in-512": (0.13, 0.132, 0.13)}
    records = [
        one
        for task, gains in gained.items()
        for method, values in (("distillation", [0.5] * 3), ("tgt-random", [0.5 + gain for gain in gains]))
        for one in runs(method, values, task=task, budget=128)
    ]
    place = {"task": "manifold-2-in-512", "budget": 128, "metric": "accuracy", "than": {"task": "manifold-2-in-32"}}
    above = judge(groups_of(*records), **place)
    welch = scipy_stats.ttest_ind(*(gained[task] for task in reversed(gained)), equal_var=False)
    assert above.primary.p == pytest.approx(welch.pvalue)
    # The interval is 2.9 to 3.1: inside a margin of 5, across one of 3.05, beyond one of 1.
    told = [judge(groups_of(*records), **place, within=margin).outcome for margin in (5, 3.05, 1)]
    assert told == ["supported", "undecided", "contradicted"]


def test_a_relative_gain_is_the_share_of_the_error_that_is_taken_away():
    """Its test samples' part against the delta method's by simulation: the same students, test sets drawn anew."""
    theirs, ours = [0.6, 0.62, 0.61], [0.8, 0.82, 0.84]
    groups = groups_of(*runs("distillation", theirs), *runs("tgt-random", ours))
    shares = [(a - b) / (1 - b) for a, b in zip(ours, theirs, strict=True)]
    found = judge(groups, relative=True)
    assert found.primary.difference.mean == pytest.approx(np.mean(shares))
    assert "per cent of the error in balanced accuracy" in found.primary.numbers

    rng = np.random.default_rng(2)
    chance, draws, size = rng.random((2, 400)) * 0.5 + np.array([[0.4], [0.2]]), 4000, 400
    right = rng.random((2, 400)) < chance  # of two students, on a population of 400 kinds of samples
    found_shares = []
    for _ in range(draws):
        a, b = right[:, rng.integers(400, size=size)].mean(1)
        found_shares.append((a - b) / (1 - b))
    rows = (right - right.mean(1, keepdims=True)) / math.sqrt(size * (size - 1))
    both = [scores.Scores((Unit(0),), right[i].mean(keepdims=True), rows[i : i + 1]) for i in range(2)]
    linear = claims._share(*both)
    assert math.sqrt((linear.samples**2).sum()) == pytest.approx(np.std(found_shares), rel=0.05)


def test_what_is_no_valid_ledger_is_refused(tmp_path):
    whole = {**CLAIM, "primary": CHECK}
    with pytest.raises(ValueError, match="tells why it cannot run"):
        ledger.Claim(**CLAIM)
    with pytest.raises(ValueError, match="primary check with its rule"):
        ledger.Claim(**{**whole, "rule": ""})
    with pytest.raises(ValueError, match="exclude each other"):
        ledger.Check(**CHECK, within=1, not_below=1)
    with pytest.raises(ValueError, match="one budget for each"):
        ledger.Check(**{**CHECK, "budget": [1, 2]}, worse_budget=3)


def test_a_published_number_needs_a_source_and_is_printed_once_confirmed(tmp_path):
    entry = (
        "- {{table: Table 1, column: ImageNet-LT, row: one-hot, task: fashion-lt, metric: accuracy, budget: 5, {}}}\n"
    )
    (tmp_path / "numbers.yaml").write_text(entry.format("value: 41.5"))
    with pytest.raises(ValueError, match="a value needs its source"):
        ledger.numbers(tmp_path)
    (tmp_path / "numbers.yaml").write_text(entry.format("value: 41.5, source: somewhere, trust: recalled"))
    assert ledger.numbers(tmp_path)[0].printed == "not available"
    (tmp_path / "numbers.yaml").write_text(entry.format("value: 41.5, source: arXiv v1, trust: confirmed"))
    assert ledger.numbers(tmp_path)[0].printed == "41.5"
    (tmp_path / "numbers.yaml").write_text(entry.format("trust: sure"))
    with pytest.raises(ValueError, match=r"numbers.yaml is not a valid ledger: trust"):
        ledger.numbers(tmp_path)


def test_every_published_number_names_a_row_and_a_task_there_are():
    found = ledger.numbers()
    assert {number.table for number in found} == {"Table 1", "Table 2", "Table 3"}
    assert all(number.row in METHODS and tasks.known(number.task) for number in found)
    assert all(number.printed == "not available" for number in found if number.trust != "confirmed")


def checks_of(claim):
    return [check for check in (claim.primary, *claim.secondary) if check is not None]


def test_every_claim_of_the_ledger_has_a_rule_with_its_margin_and_names_rows_there_are():
    found = {claim.id: claim for claim in ledger.load()}
    assert {f"C{n}" for n in range(1, 9)} <= set(found)
    for claim in found.values():
        for check in checks_of(claim):
            assert all(name in METHODS or "*" in name for name in (check.better, check.worse)), (claim.id, check)
        if claim.primary is not None:
            margin = claim.primary.within or claim.primary.not_below
            assert margin is None or f"{margin:g} point" in " ".join(claim.rule.split())
            assert claim.primary.task.split("-in-")[0].removeprefix("manifold-") in claim.rule
            assert claim.primary.better in claim.rule


def test_every_check_of_the_ledger_is_of_runs_that_the_reference_holds():
    groups = Results.load(paths.REFERENCE / "small").groups()
    recorded = {group.task for group in groups}
    for claim in ledger.load():
        judged = claims.judge(claim, groups, Orders(""))
        every = [one for one in (judged.primary, *judged.secondary) if one is not None]
        assert [one.check for one in every if one.outcome == "not recorded" and one.check.task in recorded] == []
