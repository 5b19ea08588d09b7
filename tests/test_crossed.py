"""Variance components against known parts, an analysis of variance by hand, and their error rates in simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats
from test_stats_and_tables import record

from benchmarks.analysis import crossed, scores, stats, strata, summary
from benchmarks.analysis.scores import Scores
from benchmarks.core.paths import REFERENCE
from benchmarks.data import splits
from benchmarks.records import Results
from benchmarks.records.groups import Unit, grouped
from benchmarks.records.record import pack
from benchmarks.registry import tasks
from benchmarks.report import tables

#: Variances of a sample's effects: seed, draw, both, test, and the crossings of these with the test sample.
PARTS = {"s": 4e-4, "d": 2e-4, "sd": 1e-4, "t": 0.6, "st": 0.2, "dt": 0.1, "sdt": 0.3}


def effects(rng, seeds, draws, samples, parts, axes="sdt"):
    """Random effects (S, D, N) with these variances, their mean 0."""
    sizes = dict(zip(axes, (seeds, draws, samples), strict=True))
    total = np.zeros((seeds, draws, samples))
    for name, variance in parts.items():
        shape = [size if axis in name else 1 for axis, size in sizes.items()]
        total = total + math.sqrt(variance) * rng.standard_normal(shape)
    return total


def of_seeds(values):
    return scores.plain({Unit(seed): value for seed, value in enumerate(values)})


def scores_of(found, cells=None):
    """Scores of what each run has for each sample (S, D, N); cells: the runs there are, of all."""
    seeds, draws, samples = found.shape
    cells = cells or [(s, d) for d in range(draws) for s in range(seeds)]
    rows = np.stack([found[s, d] for s, d in cells])
    values = rows.mean(1)
    return Scores(
        tuple(Unit(s, d) for s, d in cells), values, (rows - values[:, None]) / math.sqrt(samples * (samples - 1))
    )


def test_equal_cells_give_the_mean_squares_of_an_analysis_of_variance():
    """The variance of a mean by the three-way mean squares (Brennan 2001, section 3.4), written out."""
    rng = np.random.default_rng(0)
    x = effects(rng, 6, 4, 300, {**PARTS, "s": 0.01, "d": 0.01, "sd": 0.005})
    S, D, N = x.shape
    m = {axes: x.mean(axes, keepdims=True) for axes in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))}
    s, d, t, g = m[1, 2], m[0, 2], m[0, 1], m[0, 1, 2]
    ms = {
        "s": D * N * ((s - g) ** 2).sum() / (S - 1),
        "d": S * N * ((d - g) ** 2).sum() / (D - 1),
        "t": S * D * ((t - g) ** 2).sum() / (N - 1),
        "sd": N * ((m[2,] - s - d + g) ** 2).sum() / ((S - 1) * (D - 1)),
        "st": D * ((m[1,] - s - t + g) ** 2).sum() / ((S - 1) * (N - 1)),
        "dt": S * ((m[0,] - d - t + g) ** 2).sum() / ((D - 1) * (N - 1)),
    }
    rest = x - m[2,] - m[1,] - m[0,] + s + d + t - g
    ms["sdt"] = (rest**2).sum() / ((S - 1) * (D - 1) * (N - 1))
    total = sum(ms[name] for name in ("s", "d", "t", "sdt")) - sum(ms[name] for name in ("sd", "st", "dt"))
    found = crossed.parts_of(scores_of(x))
    assert found.known == pytest.approx(total / (S * D * N))
    assert found.seed == pytest.approx((ms["s"] - ms["sd"]) / (S * D * N))
    assert found.draw == pytest.approx((ms["d"] - ms["sd"]) / (S * D * N))
    assert found.both == pytest.approx(ms["sd"] / (S * D * N))
    assert found.test == pytest.approx((ms["t"] - ms["st"] - ms["dt"] + ms["sdt"]) / (S * D * N))


@pytest.mark.parametrize("unequal", [False, True])
def test_known_parts_are_found_and_intervals_hold_the_mean_as_often_as_said(unequal):
    """300 tables of 10 seeds x 3 draws x 2,000 test samples; unequal: further draws have the first 5 seeds only."""
    rng = np.random.default_rng(1)
    S, D, N, tables = 10, 3, 2000, 300
    cells = [(s, d) for d in range(D) for s in range(S) if not unequal or d == 0 or s < 5]
    found = [crossed.estimate(scores_of(effects(rng, S, D, N, PARTS), cells)) for _ in range(tables)]
    held = np.mean([one.low <= 0 <= one.high for one in found])
    assert held == pytest.approx(0.95, abs=3 * math.sqrt(0.05 * 0.95 / tables))
    of_seed, of_draw = (np.unique(part, return_counts=True)[1] / len(cells) for part in np.array(cells).T)
    true = {
        "seed": (PARTS["s"] + PARTS["st"] / N) * (of_seed**2).sum(),
        "draw": (PARTS["d"] + PARTS["dt"] / N) * (of_draw**2).sum(),
        "both": (PARTS["sd"] + PARTS["sdt"] / N) / len(cells),
        "test": PARTS["t"] / N,
    }
    for name, value in true.items():
        assert np.mean([getattr(one.parts, name) for one in found]) == pytest.approx(value, rel=0.15), name
    assert np.var([one.mean for one in found]) == pytest.approx(sum(true.values()), rel=0.3)


def test_over_seeds_alone_an_interval_holds_far_less_often():
    """What it costs to forget the draws and the test samples: the same tables, t over the 10 seeds' means."""
    rng = np.random.default_rng(2)
    means = [effects(rng, 10, 3, 2000, PARTS).mean((1, 2)) for _ in range(300)]
    held = [scipy_stats.ttest_1samp(one, 0).pvalue > 0.05 for one in means]
    assert np.mean(held) < 0.75


def test_equal_methods_differ_as_seldom_as_said():
    """Hits of two methods on the same samples, seeds and draws, right with equal probability: 5 % are called apart."""
    rng = np.random.default_rng(3)
    S, D, N, tables = 5, 3, 1000, 400
    parts = {name: PARTS[name] / 8 for name in ("t", "st", "sdt")} | {"s": 1e-4, "d": 1e-4}
    found = []
    for _ in range(tables):
        common = effects(rng, S, D, N, {"t": 0.03, "s": 1e-3})
        both = [rng.random((S, D, N)) < np.clip(0.6 + common + effects(rng, S, D, N, parts), 0, 1) for _ in range(2)]
        found.append(crossed.paired(*(scores_of(one.astype(float)) for one in both)).p < 0.05)
    assert np.mean(found) == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / tables))


def test_what_cannot_be_told_is_nan():
    rng = np.random.default_rng(4)
    x = effects(rng, 5, 1, 400, PARTS)
    one_draw = crossed.estimate(scores_of(x))
    assert math.isnan(one_draw.parts.draw)
    runs = x.mean(2)[:, 0]
    assert one_draw.parts.seed == pytest.approx(runs.var(ddof=1) / 5)
    # Over runs that share nothing but the samples, the covariance of what these add: by numpy, of all pairs of runs.
    between = np.cov(x[:, 0])
    assert one_draw.parts.test == pytest.approx(between[~np.eye(5, dtype=bool)].mean() / 400)
    one_seed = crossed.estimate(scores_of(x[:1]))
    assert math.isnan(one_seed.low)
    assert math.isnan(one_seed.parts.seed)
    assert one_seed.parts.test == pytest.approx(x[0, 0].var(ddof=1) / 400)
    without = crossed.estimate(of_seeds([0.1, 0.4, 0.35, 0.8]))
    low, high = scipy_stats.t.interval(0.95, 3, 0.4125, scipy_stats.sem([0.1, 0.4, 0.35, 0.8]))
    assert (without.low, without.high) == (pytest.approx(low), pytest.approx(high))
    assert math.isnan(without.parts.test)
    assert crossed.estimate(scores.plain({})) is None


def test_seeds_of_their_own_under_each_draw_are_told_apart_from_the_draw():
    rng = np.random.default_rng(5)
    estimates = []
    for _ in range(400):
        drawn = rng.normal(0, 0.02, 3)
        values = {Unit(5 * d + s, d): drawn[d] + rng.normal(0, 0.01) for d in range(3) for s in range(5)}
        estimates.append(crossed.parts_of(scores.plain(values)))
    assert np.mean([one.seed for one in estimates]) == pytest.approx(0.01**2 / 15, rel=0.1)
    assert np.mean([one.draw for one in estimates]) == pytest.approx(0.02**2 / 3, rel=0.2)


def test_two_tasks_add_their_variances():
    ours, theirs = [0.70, 0.73, 0.71, 0.72], [0.69, 0.70, 0.695]
    found = crossed.apart(*map(of_seeds, (ours, theirs)))
    welch = scipy_stats.ttest_ind(ours, theirs, equal_var=False)
    assert found.p == pytest.approx(welch.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(welch.confidence_interval(0.95)))


def test_records_give_their_samples_part_where_hits_and_metric_agree():
    rng = np.random.default_rng(6)
    task = tasks.get("fashion-lt")
    labels = task.at("small").examples().test_labels
    hits = rng.random((3, len(labels))) < 0.6 + 0.03 * labels
    balanced = [np.mean([h[labels == c].mean() for c in range(10)]) for h in hits]
    of_few = [np.mean([h[labels == c].mean() for c in (7, 8, 9)]) for h in hits]
    made = {
        Unit(seed): record("one-hot", seed, balanced[seed], few_shot=of_few[seed]).model_copy(update={"hits": pack(h)})
        for seed, h in enumerate(hits)
    }
    counts = splits.exponential(10, 1000, 100)
    assert [c for c in range(10) if counts[c] < 20] == [8, 9]
    found = scores.of(made, "balanced_accuracy")
    variance = sum(hits[0][labels == c].var(ddof=1) / (labels == c).sum() for c in range(10)) / 100
    assert (found.samples[0] ** 2).sum() == pytest.approx(variance)
    assert scores.of(made, "few_shot").samples is None  # recorded of three classes: the file's counts say two
    assert scores.of(made, "macro_f1").units == ()
    two = {
        s: one.model_copy(update={"metrics": {"few_shot": hits[s.seed][labels > 7].mean()}}) for s, one in made.items()
    }
    assert (scores.of(two, "few_shot").samples[:, labels < 8] == 0).all()


@pytest.mark.parametrize("place", sorted(strata._told()))
def test_the_classes_on_file_are_those_of_the_data(place):
    name, size = place.split()
    told, task = strata._told()[place], tasks.get(name).at(size)
    examples = task.examples()
    available = np.bincount(examples.pool_labels, minlength=examples.classes)
    counts = {int(budget): task.profile.counts(available, int(budget)) for budget in told["counts"]}
    assert told == strata.entry(examples.test_labels, counts)


def test_the_references_hits_give_back_its_metrics():
    groups = Results.load(REFERENCE / "small").groups()
    seen = 0
    for group, cells in groups.items():
        shots = ("few_shot", "many_shot", "medium_shot") if group.task in ("fashion-lt", "trec-50") else ()
        for metric in (tasks.get(group.task).metric, *shots):
            for seeds in cells.values():
                found = scores.of(seeds, metric)
                if found.units and all(one.hits for one in seeds.values() if one is not None):
                    assert found.samples is not None, (group, metric)
                    seen += 1
    assert seen > 100


def test_resampling_draws_seeds_and_teachers_apart():
    """The bootstrap's variance of a mean over 8 seeds x 4 draws, against the plug-in of Owen (2007), theorem 3."""
    rng = np.random.default_rng(7)
    units = tuple(Unit(s, d) for d in range(4) for s in range(8))
    values = (rng.normal(0, 1, 8)[None, :] + rng.normal(0, 1, 4)[:, None]).ravel()
    drawn = crossed.resample(units, 20000, rng) @ values
    table = values.reshape(4, 8)
    expected = table.mean(0).var() / 8 + table.mean(1).var() / 4
    assert drawn.var() == pytest.approx(expected, rel=0.05)
    assert crossed.resample((Unit(0), Unit(1), Unit(2)), 50, rng).sum(1) == pytest.approx(1)


def test_runs_that_ask_no_teacher_are_paired_with_those_under_every_draw():
    """One-hot was run under draw 0 alone: its scores under any draw are the same, seed by seed."""
    rng = np.random.default_rng(8)
    scored = 0.7 + rng.normal(0, 0.01, (4, 3)) + rng.normal(0, 0.02, 3)
    plain_, ours = {}, {}
    for s in range(4):
        plain_[Unit(s)] = record("one-hot", s, 0.6 + 0.01 * s).model_copy(update={"costs": {"labeler_queries": 0}})
        ours |= {Unit(s, d): record("tgt-random", s, scored[s, d]) for d in range(3)}
    free, taught = scores.of(plain_, "balanced_accuracy"), scores.of(ours, "balanced_accuracy")
    assert (free.free, taught.free) == (True, False)
    assert crossed.estimate(free).parts.draw == 0
    found = crossed.paired(taught, free)
    assert found.mean == pytest.approx(scored.mean() - 0.615)
    assert found.parts.draws == 3
    assert found.parts.draw == pytest.approx(crossed.estimate(taught).parts.draw)
    one_draw = scores.of({Unit(s): record("distillation", s, 0.6 + 0.01 * s) for s in range(4)}, "balanced_accuracy")
    assert (taught - one_draw).units == tuple(
        map(Unit, range(4))
    )  # what asks a teacher is paired under its own draws alone


def test_a_table_of_several_draws_says_so_and_shows_the_parts():
    rng = np.random.default_rng(9)
    records = [
        one.model_copy(update={"spec": one.spec.model_copy(update={"draw": d}), "identity": {"teacher_sha256": f"{d}"}})
        for d in range(2)
        for s in range(3)
        for one in (record(m, s, 0.7 + 0.01 * rng.normal()) for m in ("distillation", "tgt-random"))
    ]
    ((group, cells),) = grouped((one.spec, one) for one in records).items()
    grid, parts = tables.grid(group, cells), tables.parts(group, cells)
    assert [row[-1].text for row in grid.rows] == ["3 x 2", "3 x 2"]
    assert not any("One draw" in note for note in grid.notes)
    assert any("test samples' error is not in the" in note for note in grid.notes)  # these records hold no hits
    found = crossed.estimate(scores.of(cells["tgt-random"], "balanced_accuracy"))
    told = [cell.text for cell in parts.rows[1][1:5]]
    assert told[:3] == [f"{100 * error:.2f}" for error in list(found.parts.errors.values())[:3]]
    assert told[3] == "–"
    (row,) = summary.frame({group: cells}, ["balanced_accuracy"]).query("method == 'tgt-random'").to_dict("records")
    assert (row["n_seeds"], row["n_draws"]) == (3, 2)
    assert row["se_draw"] == pytest.approx(math.sqrt(found.parts.draw))
    del cells["tgt-random"][Unit(2, 1)]
    assert tables.grid(group, cells).rows[1][-1].text == "3, 2 draws, 5 runs"


@pytest.mark.parametrize(("seeds", "share"), [(2, 0.1), (3, 0.1), (3, 1.0), (5, 0.3)])
def test_few_seeds_are_enough_for_an_interval_that_holds(seeds, share):
    """Of few seeds with test samples that add a little: by Satterthwaite's number alone 87 to 94 of 100 would hold."""
    rng = np.random.default_rng(seeds)
    N, tables = 200, 1500
    held = alone = 0
    for _ in range(tables):
        x = rng.normal(size=(seeds, 1, 1)) + math.sqrt(share / seeds * N) * rng.normal(size=(1, 1, N))
        found = crossed.estimate(scores_of(x))
        parts = found.parts
        held += found.low <= 0 <= found.high
        alone += abs(found.mean) < stats.quantile(parts.freedom, 0.95) * math.sqrt(parts.known)
        over_seeds = scipy_stats.t.interval(0.95, seeds - 1, found.mean, math.sqrt(parts.seed))
        assert found.half >= (over_seeds[1] - over_seeds[0]) / 2 - 1e-9
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high)
    error = math.sqrt(0.05 * 0.95 / tables)
    assert held / tables > 0.95 - 3 * error
    assert alone <= held
    if seeds == 2:
        assert alone / tables < 0.95 - 3 * error
