"""Statistics over seeds. The seed (split and start together) is the unit of replication, paired across methods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

LEVEL = 0.95
METHOD = "95 % t intervals over seeds"


@dataclass(frozen=True)
class Interval:
    """A mean with its interval; `low` and `high` are nan for fewer than two values."""

    n: int
    mean: float
    low: float
    high: float

    @property
    def half(self) -> float:
        return (self.high - self.low) / 2

    @property
    def excludes_zero(self) -> bool:
        return bool(self.low > 0 or self.high < 0)


def interval(values: np.ndarray | list[float], level: float = LEVEL) -> Interval:
    """Mean and Student-t interval of values, one a seed. Raises ValueError for none."""
    values = np.asarray(values, float)
    if not len(values):
        raise ValueError("no values: an interval needs at least one seed")
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(1, mean, float("nan"), float("nan"))
    half = stats.t.ppf(0.5 + level / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return Interval(len(values), mean, mean - half, mean + half)


@dataclass(frozen=True)
class Difference(Interval):
    """A paired difference, with the two-sided p of the paired t test (nan for fewer than two pairs)."""

    p: float


def paired(ours: dict[int, float], theirs: dict[int, float], level: float = LEVEL) -> Difference | None:
    """Difference ours - theirs over the seeds that both have; None without a common seed."""
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        return None
    differences = np.array([ours[seed] - theirs[seed] for seed in seeds])
    found = interval(differences, level)
    if found.n < 2:
        p = float("nan")
    elif np.ptp(differences) < 1e-12:
        p = float(abs(differences[0]) < 1e-12)  # the t statistic is 0/0 or infinite
    else:
        p = float(stats.ttest_1samp(differences, 0.0).pvalue)
    return Difference(found.n, found.mean, found.low, found.high, p)


def bootstrap(values: list[float], level: float = LEVEL, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over seeds, drawn by `seed`; (nan, nan) for fewer than two values.

    Beside the t interval, for readers who look for it: with a handful of seeds it is too narrow (of 5 values from a
    normal distribution it holds the mean about 83 times in 100, a t interval 95), so that nothing is decided by it.
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    found = stats.bootstrap(
        (values,), np.mean, confidence_level=level, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return float(found.low), float(found.high)


def sign_flip(differences: list[float], seed: int = 0) -> float:
    """Two-sided p of the permutation test that flips the signs of paired differences; nan for fewer than two.

    Exact up to 13 pairs. Of n pairs it can be no smaller than 2^(1 - n): with 5 seeds 0.06, with 6 seeds 0.03.
    """
    if len(differences) < 2:
        return float("nan")
    found = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=9999, rng=np.random.default_rng(seed)
    )
    return float(found.pvalue)


def wilcoxon(differences: list[float]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test of paired differences, ties at zero left out; 1 if all are zero."""
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
    wins = stats.mannwhitneyu(ours, theirs, method="asymptotic").statistic
    return float(wins / (len(ours) * len(theirs)))


def detectable(differences: list[float], level: float = LEVEL, power: float = 0.8) -> float:
    """The smallest true difference that the paired t test finds with probability `power`, at this spread and n.

    nan for fewer than two differences, 0 where they do not vary.
    """
    n = len(differences)
    if n < 2:
        return float("nan")
    error = np.std(differences, ddof=1) / np.sqrt(n)
    critical = stats.t.ppf(0.5 + level / 2, n - 1)

    def missing(shift: float) -> float:  # in the test's power; the other tail's share of it is below 1e-5
        return stats.nct.sf(critical, n - 1, shift) - power

    return float(error * optimize.brentq(missing, 0.0, 4 * critical)) if error > 1e-12 else 0.0


def reproduced(ours: list[float], reference: list[float], level: float = LEVEL) -> bool | None:
    """Whether our values agree with the reference's: the interval of their difference of means holds zero.

    Welch's interval; for a single value of ours, the reference's prediction interval. None for fewer than two of the
    reference's.
    """
    if not ours or len(reference) < 2:
        return None
    if len(ours) == 1:
        spread = np.std(reference, ddof=1) * np.sqrt(1 + 1 / len(reference))
        half = stats.t.ppf(0.5 + level / 2, len(reference) - 1) * spread
        return bool(abs(ours[0] - np.mean(reference)) <= half)
    if np.ptp(ours) < 1e-12 and np.ptp(reference) < 1e-12:
        return bool(abs(ours[0] - reference[0]) < 1e-12)
    found = stats.ttest_ind(ours, reference, equal_var=False).confidence_interval(level)
    return bool(found.low <= 0 <= found.high)


def budget_to_reach(budgets: np.ndarray, scores: np.ndarray, target: float) -> float:
    """The budget at which a curve first reaches `target`, interpolated in log budget; inf where it never does.

    The curve is made non-decreasing first (running maximum), so that noise gives no second crossing. Below its first
    point the budget of that point is returned: a bound, not an extrapolation.
    """
    rising = np.maximum.accumulate(scores)
    if target <= rising[0]:
        return float(budgets[0])
    if target > rising[-1]:
        return float("inf")
    after = int(np.argmax(rising >= target))
    low, high = rising[after - 1], rising[after]
    share = 1.0 if high == low else (target - low) / (high - low)
    return float(np.exp(np.log(budgets[after - 1]) + share * np.log(budgets[after] / budgets[after - 1])))
