"""What a search is worth: how its best score grows with its size, and whether another one would turn an order round.

Reads the records of a search. Its settings are taken as a sample of all that could have been drawn: another search of
the same size is drawn from them with replacement, and halved as the search was. As a search tries the same points for
all rows, so does a resample.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.core.fingerprint import seed_of
from benchmarks.records.record import Record, Store
from benchmarks.registry import tasks
from benchmarks.registry.hyperparameters import Place
from benchmarks.runs.search import FINAL, SEEDS, WHOLE

RESAMPLES = 2000
#: A pair of rows whose order another search would turn round more often than this is decided by the search.
DECIDED = 0.05


@dataclass
class Tried:
    """A setting's validation scores: after a short run, and after whole runs by seed."""

    trial: int
    short: float | None = None
    whole: dict[int, float] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.whole.values())))


@dataclass(frozen=True)
class SearchedRow:
    """The settings that a search tried for one row at one place."""

    place: Place
    method: str
    tried: tuple[Tried, ...]

    @cached_property
    def drawn(self) -> tuple[Tried, ...]:
        """Those with a short run, by trial: the others were added beyond the ends of axes."""
        return tuple(sorted((t for t in self.tried if t.short is not None), key=lambda t: t.trial))

    def expected_best(self) -> list[float]:
        """Expected highest score of the short runs after 1, 2, ... trials (Dodge et al. 2019, equation 1)."""
        scores = np.sort([t.short for t in self.drawn])  # type: ignore[type-var]
        share = np.arange(len(scores) + 1) / len(scores)
        return [float(np.diff(share**k) @ scores) for k in range(1, len(scores) + 1)]

    def resampled(self, count: int = RESAMPLES, seed: int = 0) -> np.ndarray:
        """Scores (count,) of what other searches of the same size would have chosen.

        A setting that had no whole run cannot win; the one that did win brings what was found beyond its axes' ends.
        """
        drawn, size = self.drawn, len(self.drawn)
        rank = np.argsort(np.argsort([-(t.short or 0.0) for t in drawn], kind="stable"))
        promoted = np.array([bool(t.whole) for t in drawn])
        first = np.array([t.whole.get(SEEDS[0], -np.inf) for t in drawn])
        final = np.array([t.mean if t.whole else -np.inf for t in drawn])
        finalists = [i for i, t in enumerate(drawn) if len(t.whole) > 1]
        if finalists:
            final[max(finalists, key=lambda i: final[i])] = max(t.mean for t in self.tried if len(t.whole) > 1)
        rng = np.random.default_rng(seed_of("search-value", *self.place, seed))
        found = np.full(count, np.nan)
        for number in range(count):
            there = np.unique(rng.integers(size, size=size))
            there = there[np.argsort(rank[there])][: max(size // WHOLE, 1)]
            there = there[promoted[there]]
            if len(there):
                best = there[np.argsort(-first[there], kind="stable")[: max(size // FINAL, 1)]]
                found[number] = final[best].max()
        return found[~np.isnan(found)]


class SearchValue:
    """All rows that a results folder's searches have records of."""

    def __init__(self, records: Iterable[Record]) -> None:
        found: dict[tuple[Place, str], dict[str, Tried]] = {}
        for record in records:
            spec, metric = record.spec, tasks.get(record.spec.task).metric
            score = (record.curve[-1].validation or {}).get(metric) if record.curve else None
            if record.status != "ok" or spec.trial is None or score is None:
                continue
            row = found.setdefault((Place(spec.task, spec.teacher, spec.budget), spec.method), {})
            setting = row.setdefault(json.dumps(record.identity["config"], sort_keys=True), Tried(spec.trial))
            if spec.steps is None:
                setting.whole[spec.seed] = score
            else:
                setting.short = score
        self.rows = {key: SearchedRow(*key, tuple(row.values())) for key, row in found.items()}
        self._resampled: dict[tuple[Place, str], np.ndarray] = {}

    @classmethod
    def load(cls, folder: Path) -> SearchValue:
        """The searches of a results folder; without rows where there were none."""
        known = (record for record in Store(folder / "tuning").read().values() if tasks.known(record.spec.task))
        return cls(known)

    def turned(self, place: Place, ahead: str, behind: str) -> float | None:
        """Probability that another search would put `behind` before `ahead`; None where one was not searched."""
        pair = [self._scores(place, method) for method in (ahead, behind)]
        if any(scores is None or not len(scores) for scores in pair):
            return None
        first, second = pair
        count = min(len(first), len(second))  # type: ignore[arg-type]
        return float(np.mean(second[:count] > first[:count]))  # type: ignore[index]

    def _scores(self, place: Place, method: str) -> np.ndarray | None:
        key = place, method
        if key not in self._resampled and key in self.rows:
            self._resampled[key] = self.rows[key].resampled()
        return self._resampled.get(key)
