"""A method's scores in a cell: one a run, with what each test sample had to do with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from benchmarks.analysis import strata
from benchmarks.records.groups import Seeds, Unit, finished
from benchmarks.records.record import Record, unpack

#: What a run pays that asks a teacher.
OF_TEACHER = ("labeler_queries", "encodes", "decodes")
_hits = lru_cache(maxsize=8192)(unpack)


@dataclass(frozen=True)
class Scores:
    """Scores of some runs, and sums and differences of them, replication by replication.

    Attributes:
        units: replications, see `records.groups.Unit`. values: their scores (R,).
        samples: what each test sample adds to each score's sampling error (R, N): the product of two rows is the
            covariance that sampling the test set gives the two scores. None where records do not tell.
        free: these runs ask no teacher: what they score under one draw of it they score under any.
    """

    units: tuple[Unit, ...]
    values: np.ndarray
    samples: np.ndarray | None = None
    free: bool = False

    def __sub__(self, other: Scores) -> Scores:
        return combine((self, other), lambda one, two: one - two, lambda one, two: (1.0, -1.0))

    def at(self, units: list[Unit]) -> Scores:
        """Of some replications only."""
        rows = [self.units.index(unit) for unit in units]
        samples = None if self.samples is None else self.samples[rows]
        return Scores(tuple(units), self.values[rows], samples, self.free)

    @property
    def draws(self) -> set[int]:
        return {one.draw for one in self.units}

    def under(self, draws: set[int]) -> Scores:
        """The same under further draws of the teacher, of runs that ask none."""
        if not self.free or len(self.draws) != 1 or not draws - self.draws:
            return self
        found = self.at(list(self.units) * len(draws))
        units = tuple(Unit(one.seed, draw) for draw in sorted(draws) for one in self.units)
        return replace(found, units=units)

    @property
    def by_seed(self) -> dict[Unit, float]:
        """Means over the teacher's draws."""
        seeds = np.array([one.seed for one in self.units])
        return {Unit(int(seed)): float(self.values[seeds == seed].mean()) for seed in np.unique(seeds)}

    @property
    def by_unit(self) -> dict[Unit, float]:
        return dict(zip(self.units, map(float, self.values), strict=True))


def combine(several: tuple[Scores, ...], value, slopes) -> Scores:
    """A function of several scores of one replication, over the replications that all have.

    The test samples' part follows by the delta method: to first order in each score.

    Args:
        value: gives the combined score from arrays (R,), one of each. slopes: gives its derivative by each, as arrays
            (R,) or numbers.
    """
    draws = set[int]().union(*(one.draws for one in several))
    several = tuple(one.under(draws) for one in several)
    common = sorted(set.intersection(*(set(one.units) for one in several))) if several else []
    chosen = [one.at(common) for one in several]
    scores = [one.values for one in chosen]
    if not common:
        return Scores((), np.zeros(0))
    samples = None
    widths = {None if one.samples is None else one.samples.shape[1] for one in chosen}
    if None not in widths and len(widths) == 1:
        samples = sum(
            np.reshape(slope, (-1, 1)) * one.samples for slope, one in zip(slopes(*scores), chosen, strict=True)
        )
    return Scores(tuple(common), value(*scores), samples, all(one.free for one in several))


def mean(several: tuple[Scores, ...]) -> Scores:
    """The mean of several scores of one replication, such as of several budgets."""
    share = 1 / len(several)
    return combine(several, lambda *all_: sum(all_) * share, lambda *all_: [share] * len(all_))


def plain(values: dict[Unit, float]) -> Scores:
    """Scores of which nothing is known but their values, by replication."""
    units = tuple(sorted(values))
    return Scores(units, np.array([values[one] for one in units], float))


def of(seeds: Seeds, metric: str) -> Scores:
    """A metric of a method's finished runs."""
    found = {one: record for one, record in finished(seeds).items() if record.metrics.get(metric) is not None}
    free = bool(found) and not any(record.costs.get(name, 0) for record in found.values() for name in OF_TEACHER)
    known = {one: float(record.metrics[metric]) for one, record in found.items()}  # type: ignore[arg-type]
    scores = replace(plain(known), free=free)
    rows = [row for one in scores.units if (row := _row(found[one], metric)) is not None]
    if not rows or len(rows) < len(scores.units) or len(set(map(len, rows))) > 1:
        return scores
    return replace(scores, samples=np.stack(rows))


def _row(record: Record, metric: str) -> np.ndarray | None:
    """A run's row of `Scores.samples`; None where its hits do not give back the metric that it recorded.

    Of a mean over samples, or over classes of means within them (strata): each sample's distance from the mean of its
    stratum, so scaled that its square, summed up, is the estimated variance.
    """
    if (hits := _hits(record.hits)) is None:
        return None
    of_sample = strata.of(record.spec, metric, len(hits))
    if of_sample is None:
        return None
    counted = of_sample >= 0
    of_sample, right = of_sample[counted], hits[counted]
    size = np.bincount(of_sample)
    means = np.bincount(of_sample, right) / np.maximum(size, 1)
    if abs(means[size > 0].mean() - record.metrics[metric]) > 1e-6:  # type: ignore[operator]
        return None
    scale = np.where(size > 1, 1 / np.sqrt(np.maximum(size * (size - 1), 1)), 0) / (size > 0).sum()
    row = np.zeros(len(hits))
    row[counted] = (right - means[of_sample]) * scale[of_sample]
    return row
