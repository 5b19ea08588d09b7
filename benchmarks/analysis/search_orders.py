"""What a search says of the rows of a table: orders that it decides, and values at an end of their axes.

Read from the files that a search leaves beside its records; see `search_value` for how they come about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

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
        import pandas as pd

        size = folder.name.partition("-")[0]  # small-cuda is of size small
        folders = (REFERENCE / size, REFERENCE / folder.name, folder)
        turned: dict[tuple[Place, str, str], float] = {}
        tuned: Tuned = {}
        for one in folders:
            if (one / FILE).exists():
                for row in pd.read_csv(one / FILE).to_dict("records"):
                    place = Place(row["task"], row["teacher"], row["budget"])
                    turned[place, row["ahead"], row["behind"]] = row["turned"]
            for name, rows in read_tuned(one / "tuned.json").items():
                tuned[name] = tuned.get(name, {}) | rows
        return cls(size if size in SIZES else "", turned, tuned)

    def __call__(self, ahead: str, behind: str, task: str, teacher: str, budget: int) -> float | None:
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
        if not self.size:
            return False
        found = self.tuned.get(str(place_of(tasks.get(task), self.size, teacher, budget)), {})
        return searched_as(method) in found and not self.searched(method, task, teacher, budget)

    def searched(self, method: str, task: str, teacher: str, budget: int) -> bool:
        """Whether the hyper-parameters come from this version of the search; others are not tuned alike."""
        return bool(self.size) and searched(method, place_of(tasks.get(task), self.size, teacher, budget), self.tuned)

    def edges(self, method: str, task: str, teacher: str, budget: int) -> list[str]:
        """Hyper-parameters whose chosen value stands at an end of its axis."""
        if not self.size:
            return []
        place = place_of(tasks.get(task), self.size, teacher, budget)
        return self.tuned.get(str(place), {}).get(searched_as(method), {}).get("edges", [])
