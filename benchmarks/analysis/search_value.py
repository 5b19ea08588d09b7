"""What a search is worth: how its best score grows with its size, and whether another one would turn an order round.

Reads the records of a search. Its settings are taken as a sample of all that could have been drawn: another search of
the same size is drawn from them with replacement, and thinned as the search was. As a search tries the same points for
all rows, so does a resample.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.core.fingerprint import seed_of
from benchmarks.records.record import Record, Store
from benchmarks.registry import tasks
from benchmarks.registry.hyperparameters import Place
from benchmarks.registry.methods import METHODS
from benchmarks.runs.search import BEYOND, FINAL, SEEDS

RESAMPLES = 2000
#: What makes the scores of two trials comparable.
VERSIONS = ("protocol", "task_version", "method_version")


@dataclass
class Tried:
    """A setting's validation scores by seed."""

    trial: int
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
        """Those of the search's points, by trial: the others were added beyond the ends of axes."""
        found = (t for t in self.tried if t.trial < BEYOND and SEEDS[0] in t.whole)
        return tuple(sorted(found, key=lambda t: t.trial))

    @property
    def best(self) -> float:
        """Validation score of what was chosen, over the tuning seeds."""
        return max(t.mean for t in self.tried if len(t.whole) == max(len(other.whole) for other in self.tried))

    def expected_best(self) -> list[float]:
        """Expected highest score on the first seed after 1, 2, ... trials (Dodge et al. 2019, equation 1)."""
        scores = np.sort([t.whole[SEEDS[0]] for t in self.drawn])
        share = np.arange(len(scores) + 1) / len(scores)
        return [float(np.diff(share**k) @ scores) for k in range(1, len(scores) + 1)]

    @cached_property
    def resampled(self) -> np.ndarray:
        """Scores (RESAMPLES,) of what other searches of the same size would have chosen.

        One that had a single seed is taken at its score there; the winner brings what was found beyond its axes' ends.
        """
        drawn, size = self.drawn, len(self.drawn)
        first = np.array([t.whole[SEEDS[0]] for t in drawn])
        final = np.array([t.mean for t in drawn])
        finalists = [i for i, t in enumerate(drawn) if len(t.whole) > 1]
        if finalists:
            final[max(finalists, key=lambda i: final[i])] = self.best
        rng = np.random.default_rng(seed_of("search-value", *self.place, 0))
        there = np.zeros((RESAMPLES, size), bool)
        there[np.arange(RESAMPLES)[:, None], rng.integers(size, size=(RESAMPLES, size))] = True
        order = np.argsort(-first, kind="stable")  # of each search's settings those with the highest scores go on
        there = there[:, order] & (there[:, order].cumsum(1) <= max(size // FINAL, 1))
        return np.where(there, final[order], -np.inf).max(1)


class SearchValue:
    """All rows that a results folder's searches have records of."""

    def __init__(self, records: Iterable[Record]) -> None:
        found: dict[tuple[Place, str], dict[str, Tried]] = {}
        versions: dict[tuple[Place, str], list] = {}
        for record in records:
            spec, metric = record.spec, tasks.get(record.spec.task).metric
            score = (record.curve[-1].validation or {}).get(metric) if record.curve else None
            if record.status != "ok" or spec.trial is None or spec.steps is not None or score is None:
                continue
            key = Place(spec.task, spec.teacher, spec.budget), spec.method
            version = [record.identity.get(name) for name in VERSIONS]
            if versions.setdefault(key, version) != version:  # the later ones are of other runs: nothing to compare
                versions[key], found[key] = version, {}
            row = found.setdefault(key, {})
            setting = row.setdefault(json.dumps(record.identity["config"], sort_keys=True), Tried(spec.trial))
            setting.whole[spec.seed] = score
        rows = [SearchedRow(*key, tuple(row.values())) for key, row in found.items()]
        self.rows = {(row.place, row.method): row for row in rows if row.drawn}

    @classmethod
    def load(cls, *folders: Path) -> SearchValue:
        """The searches of results folders; without rows where there were none."""
        found = (record for folder in folders for record in Store(folder / "tuning").read().values())
        return cls(record for record in found if tasks.known(record.spec.task))

    def turned(self, place: Place, ahead: str, behind: str) -> float | None:
        """Probability that another search would put `behind` before `ahead`; None where one was not searched."""
        first, second = (self.rows.get((place, method)) for method in (ahead, behind))
        return float(np.mean(second.resampled > first.resampled)) if first and second else None

    def by_place(self) -> dict[Place, list[SearchedRow]]:
        """The searched rows of each place, in the order of tables."""
        places = sorted({place for place, _ in self.rows})
        return {place: [self.rows[place, m] for m in METHODS if (place, m) in self.rows] for place in places}

    def expected(self) -> pd.DataFrame:
        """Expected best score on the first seed against the number of trials, a line each."""
        lines = [
            (*place, row.method, trials, best)
            for place, rows in self.by_place().items()
            for row in rows
            for trials, best in enumerate(row.expected_best(), 1)
        ]
        return pd.DataFrame(lines, columns=[*Place._fields, "method", "trials", "expected_best"])

    def orders(self) -> pd.DataFrame:
        """Each pair of rows by what the search chose for them, and how often another search would turn them round."""
        lines = []
        for place, rows in self.by_place().items():
            for ahead, behind in combinations(sorted(rows, key=lambda row: -row.best), 2):
                turned = self.turned(place, ahead.method, behind.method)
                lines.append((*place, ahead.method, behind.method, ahead.best, behind.best, turned))
        names = ["ahead", "behind", "validation_ahead", "validation_behind", "turned"]
        return pd.DataFrame(lines, columns=[*Place._fields, *names])
