"""Group-sequential looks: published bounds, error rates in simulation, and what `--seeds auto` makes of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from benchmarks.analysis import sequential
from benchmarks.analysis.sequential import LOOKS, Watch

SHARES = tuple(n / LOOKS[-1] for n in LOOKS)


def p_of(drawn: np.ndarray, looks=LOOKS) -> np.ndarray:
    """p of the t test at each look (L, ...), of values one a seed (..., S)."""
    return np.array([scipy_stats.ttest_1samp(drawn[..., :n], 0.0, axis=-1).pvalue for n in looks])


@pytest.mark.parametrize(
    ("shares", "alpha", "published"),
    [
        # Five equal looks, two-sided 0.05, O'Brien-Fleming-type spending (Lan & DeMets): in any table of them.
        ((0.2, 0.4, 0.6, 0.8, 1.0), 0.05, (4.877, 3.357, 2.680, 2.290, 2.031)),
        ((0.5, 1.0), 0.05, (2.963, 1.969)),
        ((1.0,), 0.05, (1.960,)),
    ],
)
def test_bounds_are_the_published_ones(shares, alpha, published):
    assert sequential.bounds(shares, alpha) == pytest.approx(published, abs=1e-3)


def test_bounds_are_those_of_the_multivariate_normal():
    """An independent way: scipy's integral of the joint normal distribution over the region inside all bounds."""
    found = np.array(sequential.bounds(SHARES, 0.2))
    times = np.array(SHARES)
    covariance = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    for k in range(1, len(found) + 1):
        joint = scipy_stats.multivariate_normal(np.zeros(k), covariance[:k, :k])
        inside = joint.cdf(found[:k], lower_limit=-found[:k], rng=np.random.default_rng(0))
        assert 1 - inside == pytest.approx(2 * sequential.spent(SHARES[k - 1], 0.2), abs=1e-4)


def test_looking_again_with_more_seeds_finds_nothing_more_often():
    """t tests at 3 to 20 seeds of normal values, held against the normal bounds by their p."""
    p = p_of(np.random.default_rng(1).normal(size=(40000, LOOKS[-1])))
    levels = 2 * scipy_stats.norm.sf(sequential.bounds(SHARES, 0.05))
    assert (p < levels[:, None]).any(0).mean() == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / 40000) + 0.002)
    assert (p < 0.05).any(0).mean() > 0.1  # what uncorrected looking would have found


def test_a_p_over_all_looks_is_the_level_whose_bound_is_met():
    for look, p in ((1, 1e-5), (2, 1e-3), (4, 0.03)):
        level = sequential.overall(p, look)
        assert 2 * scipy_stats.norm.sf(sequential.bounds(SHARES, level)[look]) == pytest.approx(p, rel=1e-3)
    assert sequential.overall(0.03, 0, (5,)) == 0.03
    assert math.isnan(sequential.overall(math.nan, 1))
    assert sequential.overall(0.9, 0) == 1


def test_conditional_power_is_what_a_simulation_says():
    """Brownian motion with drift as seen, from the third look to the last."""
    rng = np.random.default_rng(2)
    p, look = 0.2, 2
    z, share = scipy_stats.norm.isf(p / 2), SHARES[look]
    ends = z * math.sqrt(share) + z / math.sqrt(share) * (1 - share) + math.sqrt(1 - share) * rng.normal(size=200000)
    seen = np.mean(np.abs(ends) > sequential.bounds(SHARES, 0.05)[-1])
    assert sequential.conditional_power(p, look, 0.05) == pytest.approx(seen, abs=0.005)


def follow(drawn: np.ndarray) -> tuple[set[int], dict[int, int]]:
    """What `Watch` rejects of hypotheses (H, S), and the look at which each was left alone."""
    watch, going, left = Watch[int](), set(range(len(drawn))), {}
    for look, p in enumerate(p_of(drawn)):
        still = watch.see(look, {i: float(p[i]) for i in going})
        left |= dict.fromkeys(going - still, look)
        going = still
    corrected = dict(zip(watch.overall, sequential.stats.holm(list(watch.overall.values())), strict=True))
    return {i for i, one in corrected.items() if one < 0.05}, left


def test_a_family_of_six_is_wrong_at_most_as_often_as_said_and_stops_early():
    rng = np.random.default_rng(3)
    found = [follow(rng.normal(size=(6, LOOKS[-1])) + rng.normal(size=LOOKS[-1])) for _ in range(300)]  # one common row
    assert np.mean([bool(rejected) for rejected, _ in found]) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)
    assert np.mean([len(left) > 0 for _, left in found]) > 0.5
    sure, left = follow(rng.normal(size=(3, LOOKS[-1])) + 8)
    assert sure == {0, 1, 2}
    assert all(look < len(LOOKS) - 1 for look in left.values())


def test_giving_up_costs_little_power():
    rng = np.random.default_rng(4)
    drift = scipy_stats.norm.ppf(0.8) + sequential.bounds(SHARES, 0.05)[-1]
    drawn = rng.normal(drift / math.sqrt(LOOKS[-1]), 1, (400, 1, LOOKS[-1]))
    kept = np.mean([bool(follow(one)[0]) for one in drawn])
    levels = 2 * scipy_stats.norm.sf(sequential.bounds(SHARES, 0.05))
    never = (p_of(drawn[:, 0]) < levels[:, None]).any(0).mean()
    assert never - 0.06 < kept <= never + 0.01
