"""What a search says of the rows of a table: orders that it decides, and values at an end of their axes.

Read from the files that a search leaves beside its records; see `search_value` for how they come about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.core.paths import REFERENCE
from benchmarks.registry import tasks
from benchmarks.registry.hyperparameters import Place, Tuned, place_of, read_tuned, searched, searched_as
from benchmarks.registry.methods import fact
from benchmarks.task import SIZES

FILE = "search-order.csv"
#: A pair of rows whose order another search would turn round more often than this is decided by the search.
DECIDED = 0.05


@dataclass(frozen=True)
class Orders:
    """The searches behind a results folder.

    Attributes:
        size: of the runs; "" where the folder's name tells none. turned: the probability that another search would put
            the second row before the first, by place and rows. tuned: what was chosen.
    """

    size: str
    turned: dict[tuple[Place, str, str], float] = field(default_factory=dict)
    tuned: Tuned = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> Orders:
        """Those of a folder of records of one size, before the committed ones."""
        size = folder.name.partition("-")[0]  # small-cuda is of size small
        found = cls(size if size in SIZES else "")
        for one in (REFERENCE / size, REFERENCE / folder.name, folder):
            if (one / FILE).exists():
                for row in pd.read_csv(one / FILE).to_dict("records"):
                    place = Place(row["task"], row["teacher"], row["budget"])
                    found.turned[place, row["ahead"], row["behind"]] = row["turned"]
            for name, rows in read_tuned(one / "tuned.json").items():
                found.tuned.setdefault(name, {}).update(rows)
        return found

    def chance(self, ahead: str, behind: str, task: str, teacher: str, budget: int) -> float | None:
        """Probability that another search would put `behind` before `ahead`.

        None where nothing tells it, as of rows with more steps than the runs of their search had.
        """
        if not self.size:
            return None
        place = place_of(tasks.get(task), self.size, teacher, budget)
        first, second = searched_as(ahead), searched_as(behind)
        if any(fact(row).schedule != fact(own).schedule for row, own in ((ahead, first), (behind, second))):
            return None  # the search was of runs of another length
        if (found := self.turned.get((place, first, second))) is not None:
            return found
        found = self.turned.get((place, second, first))
        return None if found is None else 1 - found

    def outdated(self, method: str, task: str, teacher: str, budget: int) -> bool:
        """Whether the hyper-parameters come from an earlier version of the search."""
        return bool(self._found(method, task, teacher, budget)) and not self.searched(method, task, teacher, budget)

    def searched(self, method: str, task: str, teacher: str, budget: int) -> bool:
        """Whether the hyper-parameters come from this version of the search; others are not tuned alike."""
        return bool(self.size) and searched(method, place_of(tasks.get(task), self.size, teacher, budget), self.tuned)

    def edges(self, method: str, task: str, teacher: str, budget: int) -> list[str]:
        """Hyper-parameters whose chosen value stands at an end of its axis."""
        return self._found(method, task, teacher, budget).get("edges", [])

    def _found(self, method: str, task: str, teacher: str, budget: int) -> dict[str, Any]:
        """What a search, of any version, found for a row; empty of none."""
        if not self.size:
            return {}
        place = place_of(tasks.get(task), self.size, teacher, budget)
        return self.tuned.get(str(place), {}).get(searched_as(method), {})
