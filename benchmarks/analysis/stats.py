"""Statistics over values that are replications, such as one a seed; `crossed` has those over runs of several draws."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special

LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """A difference of means with its interval, the two-sided p of its t test and that test's degrees of freedom.

    All but n and the mean are nan where nothing is known of the spread: for fewer than two values, and for two that are
    equal.
    """

    n: int
    mean: float
    low: float
    high: float
    p: float
    freedom: float

    @property
    def half(self) -> float:
        return (self.high - self.low) / 2

    @property
    def percent(self) -> str:
        """As tables show a score: in per cent, with half of the interval if there is one."""
        return f"{100 * self.mean:.1f}" + ("" if math.isnan(self.half) else f" ± {100 * self.half:.1f}")

    @property
    def bounds(self) -> str:
        """As tables show a difference's interval: in points."""
        return f"[{100 * self.low:+.1f}, {100 * self.high:+.1f}]"

    @property
    def points(self) -> str:
        """As tables show a difference: in points, with its interval if there is one."""
        return f"{100 * self.mean:+.1f}" + ("" if math.isnan(self.half) else f" {self.bounds}")


@cache
def quantile(freedom: float, level: float) -> float:
    """Of Student's t: what a share `level` of it lies within, on both sides of zero."""
    return float(special.stdtrit(freedom, 0.5 + level / 2))


def two_sided(t: float, freedom: float) -> float:
    """p of Student's t, two-sided."""
    return 2 * float(special.stdtr(freedom, -abs(t)))


def beyond(found: Difference, by: float) -> float:
    """Two-sided p of a difference's mean being on the side of a bound that it is on; nan without an interval.

    Of the bounds of a margin that the mean lies between it is twice the p of two one-sided tests (Schuirmann 1987), so
    that p < 0.05 says that the 95 % interval lies inside.

    Args:
        by: how far beyond the bound the mean is.
    """
    error = found.half / quantile(found.freedom, LEVEL)
    return two_sided(by / error, found.freedom) if error > 0 else math.nan


def bootstrap(values: list[float]) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over seeds; (nan, nan) for fewer than two values.

    Beside the t interval, for readers who look for it: with a handful of seeds it is too narrow (of 5 values from a
    normal distribution it holds the mean about 83 times in 100, a t interval 95), so that nothing is decided by it.
    """
    if len(values) < 2:
        return math.nan, math.nan
    from scipy import stats  # only where it is needed: half a second

    found = stats.bootstrap(
        (values,), np.mean, confidence_level=LEVEL, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return float(found.low), float(found.high)


def sign_flip(differences: list[float]) -> float:
    """Two-sided p of the permutation test that flips the signs of paired differences; nan for fewer than two.

    Exact up to 13 pairs. Of n pairs it can be no smaller than 2^(1 - n): with 5 seeds 0.06, with 6 seeds 0.03.
    """
    if len(differences) < 2:
        return math.nan
    from scipy import stats

    found = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=9999, rng=np.random.default_rng(0)
    )
    return float(found.pvalue)


def wilcoxon(differences: list[float]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test of paired differences, ties at zero left out; 1 if all are zero."""
    from scipy import stats

    nonzero = [difference for difference in differences if difference]
    return float(stats.wilcoxon(nonzero).pvalue) if nonzero else 1.0


def holm(p: list[float]) -> list[float]:
    """Holm's step-down correction: p values of tests that are read together, each fit to be held against the level.

    A nan (no test was possible) stays one and does not count as a test.
    """
    values = np.asarray(p, float)
    order = np.argsort(values)[: int(np.isfinite(values).sum())]  # nan sorts last
    corrected = np.full(len(values), np.nan)
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.maximum.accumulate(np.minimum(factors * values[order], 1.0))
    return corrected.tolist()


def probability_of_improvement(ours: list[float], theirs: list[float]) -> float:
    """P(a run of ours scores above one of theirs), ties counted half (Agarwal et al. 2021, section 4.3)."""
    from scipy import stats

    wins = stats.mannwhitneyu(ours, theirs, method="asymptotic").statistic
    return float(wins / (len(ours) * len(theirs)))


def detectable(error: float, freedom: float, level: float = LEVEL) -> float:
    """The smallest true difference that a t test finds 4 times in 5.

    Args:
        error: standard error of the difference. freedom: of the test.

    Returns:
        nan without an error, 0 where it is none.
    """
    from scipy import optimize, stats

    if not error > 1e-12:
        return error * 0
    critical = quantile(freedom, level)

    def missing(shift: float) -> float:  # in the test's power; the other tail's share of it is below 1e-5
        return stats.nct.sf(critical, freedom, shift) - 0.8

    return float(error * optimize.brentq(missing, 0.0, 4 * critical))


def reproduced(ours: list[float], reference: list[float]) -> bool | None:
    """Whether our values agree with the reference's, by Welch's t test of their means.

    For a single value of ours, by the reference's prediction interval. None for fewer than two of the reference's.
    """
    from scipy import stats

    if not ours or len(reference) < 2:
        return None
    if len(ours) == 1:
        spread = np.std(reference, ddof=1) * np.sqrt(1 + 1 / len(reference))
        half = quantile(len(reference) - 1, LEVEL) * spread
        return bool(abs(ours[0] - np.mean(reference)) <= half)
    if np.ptp(ours) < 1e-12 and np.ptp(reference) < 1e-12:
        return bool(abs(ours[0] - reference[0]) < 1e-12)
    both = [part for one in (ours, reference) for part in (np.mean(one), np.std(one, ddof=1), len(one))]
    return bool(stats.ttest_ind_from_stats(*both, equal_var=False).pvalue >= 1 - LEVEL)


def budget_to_reach(budgets: np.ndarray, scores: np.ndarray, targets: np.ndarray | float) -> np.ndarray:
    """The budget at which each curve first reaches its target, interpolated in log budget; inf where it never does.

    A curve is made non-decreasing first (running maximum), so that noise gives no second crossing. Below its first
    point the budget of that point is returned: a bound, not an extrapolation.

    Args:
        scores: of each curve at each budget (..., B). targets: one for each curve (...).
    """
    rising, targets = np.maximum.accumulate(scores, -1), np.asarray(targets)
    after = np.maximum((rising >= targets[..., None]).argmax(-1), 1)
    low, high = (np.take_along_axis(rising, i[..., None], -1)[..., 0] for i in (after - 1, after))
    share = np.divide(targets - low, high - low, where=high > low, out=np.ones(after.shape))
    found = np.exp(np.log(budgets[after - 1]) + share * np.log(budgets[after] / budgets[after - 1]))
    found = np.where(targets <= rising[..., 0], budgets[0], found)
    return np.where(targets > rising[..., -1], np.inf, found)
