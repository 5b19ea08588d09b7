"""Variance components of a mean over runs: student seeds x the teacher's draws, crossed with the test samples.

The model of a test sample i under seed s and draw d is a linear one with random effects of all three and of all their
crossings (Searle, Casella & McCulloch 1992, chapter 5; Brennan 2001). Its parts are estimated by the method of moments
from pairs of runs that share a seed, a draw, or neither, which needs no equal numbers in the cells (Gao & Owen 2017).
The mean's degrees of freedom are Satterthwaite's (1946). Of few seeds or draws their own mean square may be small by
chance, and Satterthwaite's number large for it: an interval is therefore never narrower than the t interval over the
seeds' means, or over the draws' means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.analysis import stats
from benchmarks.analysis.scores import Scores
from benchmarks.analysis.stats import LEVEL
from benchmarks.records.groups import Unit

METHOD = "95 % interval over seeds, teacher draws and test samples (crossed random effects)"


@dataclass(frozen=True)
class Parts:
    """A mean's variance by where it comes from; nan: unknown.

    Attributes:
        seed: student seeds, each with its split. draw: the teacher's draws, nan for one, 0 of runs that ask no teacher.
            both: what a seed does under one draw and not under another; for one draw it is within `seed`. test: the
            finite test set, nan of records without hits. Of the first three the crossing with the test samples is part.
        seeds, draws: how many there were. freedom: Satterthwaite's, of the sum.
    """

    seed: float
    draw: float
    both: float
    test: float
    seeds: int
    draws: int
    freedom: float

    @property
    def known(self) -> float:
        """The variance of the mean, of the parts that are known; nan for one seed, whose part cannot be told."""
        return self.seed + _sum(self.draw, self.both, self.test)

    @property
    def bases(self) -> list[tuple[float, float]]:
        """Variances that an interval may rest on, with degrees of freedom: all parts, the seeds' alone, the draws'."""
        both = [(self.known, self.freedom), (_sum(self.seed, self.both), self.seeds - 1)]
        return both + [(_sum(self.draw, self.both), self.draws - 1)] * (self.draws > 1)

    @property
    def errors(self) -> dict[str, float]:
        """Standard errors, by name."""
        named = {"seed": self.seed, "draw": self.draw, "seed_draw": self.both, "test": self.test}
        return {name: math.sqrt(part) for name, part in named.items()}


@dataclass(frozen=True)
class Estimate(stats.Difference):
    """A mean, or a difference of means, with what its interval is made of.

    Attributes:
        n: seeds. p: of zero by the basis of `Parts` that says least. freedom: of the basis that the interval rests on.
    """

    parts: Parts


def estimate(scores: Scores, level: float = LEVEL) -> Estimate | None:
    """Mean over runs with an interval of all known parts; None of no runs.

    No interval for a single seed; p is that of the mean being zero.
    """
    if not scores.units:
        return None
    parts = parts_of(scores)
    n, mean = parts.seeds, float(scores.values.mean())
    error = math.sqrt(parts.known) if n > 1 else math.nan
    if n < 2 or (error < 1e-12 and n == 2 and abs(mean) > 1e-12):  # two that are equal tell no spread
        return Estimate(n, mean, math.nan, math.nan, math.nan, math.nan, parts)
    half, freedom = max((stats.quantile(free, level) * math.sqrt(part), free) for part, free in parts.bases)
    p = float(abs(mean) < 1e-12)
    if error >= 1e-12:
        p = max(stats.two_sided(mean / math.sqrt(part), free) for part, free in parts.bases if part > 0)
    return Estimate(n, mean, mean - half, mean + half, p, freedom, parts)


def paired(ours: Scores, theirs: Scores, level: float = LEVEL) -> Estimate | None:
    """Ours less theirs, over the replications that both have, on the same test samples; None without a common one."""
    return estimate(ours - theirs, level)


def apart(ours: Scores, theirs: Scores) -> stats.Difference | None:
    """Ours less theirs of two tasks, which share neither runs nor test samples: variances add up (Welch 1947)."""
    one, other = estimate(ours), estimate(theirs)
    if one is None or other is None:
        return None
    n, mean = min(one.n, other.n), one.mean - other.mean
    variances = [(found.half / stats.quantile(found.freedom, LEVEL)) ** 2 for found in (one, other)]
    total = sum(variances)
    if not total > 1e-24:
        return stats.Difference(n, mean, math.nan, math.nan, math.nan, math.nan)
    shares = zip(variances, (one, other), strict=True)
    freedom = total**2 / sum(part**2 / found.freedom for part, found in shares)
    half = stats.quantile(freedom, LEVEL) * math.sqrt(total)
    return stats.Difference(
        n, mean, mean - half, mean + half, stats.two_sided(mean / math.sqrt(total), freedom), freedom
    )


def parts_of(scores: Scores) -> Parts:
    """The parts of the variance of a mean over runs, each at least zero.

    With g(r, r') half the squared gap of two runs' scores, its mean over pairs of other seeds under one draw estimates
    seed + both, over pairs of one seed under other draws draw + both, over pairs that share neither seed + draw + both.
    The covariance over test samples of two runs that share neither estimates the test samples' part.
    """
    seeds, draws = np.array(scores.units).T
    n_seeds, n_draws, runs = len(set(seeds)), len(set(draws)), len(seeds)
    other_seed, other_draw = seeds[:, None] != seeds, draws[:, None] != draws
    gaps = (scores.values[:, None] - scores.values) ** 2 / 2
    seed_both, draw_both = _mean(gaps, other_seed & ~other_draw), _mean(gaps, ~other_seed & other_draw)
    every = _mean(gaps, other_seed & other_draw)
    both = math.nan
    if n_draws == 1 or n_seeds == 1:
        seed, draw = seed_both, 0.0 if scores.free else draw_both
    elif math.isnan(draw_both):  # each draw has seeds of its own
        seed, draw = (every, math.nan) if math.isnan(seed_both) else (seed_both, every - seed_both)
    elif math.isnan(seed_both):  # each seed has draws of its own
        seed, draw = every - draw_both, draw_both
    else:
        seed, draw, both = every - draw_both, every - seed_both, seed_both + draw_both - every
    seed, draw, both = (value if math.isnan(value) else max(value, 0.0) for value in (seed, draw, both))
    seed *= float((np.unique(seeds, return_counts=True)[1] ** 2).sum()) / runs**2
    draw *= float((np.unique(draws, return_counts=True)[1] ** 2).sum()) / runs**2
    both /= runs
    test, sampled = _of_test(scores, other_seed, other_draw)
    # Mean squares of seeds and of draws hold that of their crossing as well, which is therefore subtracted once.
    squares = [(_sum(seed, both), n_seeds - 1), (both, runs - n_seeds - n_draws + 1), (test, sampled)]
    squares += [(_sum(draw, both), n_draws - 1)] if n_draws > 1 else []
    spread = _sum(*(part**2 / max(freedom, 1) for part, freedom in squares))
    freedom = max(_sum(seed, draw, both, test) ** 2 / spread, 1.0) if spread > 0 else float(max(n_seeds - 1, 1))
    return Parts(seed, draw, both, test, n_seeds, n_draws, freedom)


def _sum(*known: float) -> float:
    """Of those that are no nan."""
    return sum(one for one in known if not math.isnan(one))


def _mean(matrix: np.ndarray, chosen: np.ndarray) -> float:
    return float(matrix[chosen].mean()) if chosen.any() else math.nan


def _of_test(scores: Scores, other_seed: np.ndarray, other_draw: np.ndarray) -> tuple[float, int]:
    """The test samples' part and its degrees of freedom; runs that share nothing tell it without that of the runs."""
    if scores.samples is None:
        return math.nan, 0
    shared = scores.samples @ scores.samples.T
    several = (other_seed & other_draw, other_seed, other_draw, np.ones_like(other_seed))
    chosen = next(one for one in several if one.any())
    return max(_mean(shared, chosen), 0.0), max(int(scores.samples.any(0).sum()) - 1, 1)


def resample(units: tuple[Unit, ...], draws: int, rng: np.random.Generator) -> np.ndarray:
    """Weights (draws, runs) of the pigeonhole bootstrap, that resamples seeds and teacher draws apart (Owen 2007)."""
    seeds, teachers = (np.unique(part, return_inverse=True)[1] for part in zip(*units, strict=True))
    weights = np.ones((draws, len(units)))
    for part in (seeds, teachers):
        if (count := part.max() + 1) > 1:
            weights *= rng.multinomial(count, np.full(count, 1 / count), draws)[:, part]
    total = weights.sum(1, keepdims=True)
    return np.divide(weights, total, where=total > 0, out=np.full(weights.shape, 1 / len(units)))
