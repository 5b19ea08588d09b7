"""Statistics over seeds. The seed (split and start together) is the unit of replication, paired across methods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

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
