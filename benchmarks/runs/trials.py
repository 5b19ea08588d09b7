"""The settings that a search tries: the same low-discrepancy points for every row."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from benchmarks.core.fingerprint import seed_of
from benchmarks.registry.hyperparameters import config
from benchmarks.registry.methods import METHODS
from benchmarks.task import Task

#: Axes that many rows have: each has its own coordinate of the points, so that trial i of every row has equal values
#: there. A row's other axes follow, in the order of their names.
SHARED = ("lr", "temperature", "w_sup", "w_tgt")
_OWN = 8  # further axes that a row may have
_POINTS = 1024


def trials(method: str, task: Task, count: int, seed: int = 0) -> dict[int, dict[str, Any]]:
    """Up to `count` distinct settings of a row by trial number, 0 being its defaults; fewer only if there are no more.

    Trial i is point i of a scrambled Sobol sequence (Owen 1998) of the task and the search's seed. A point whose
    setting a row has had already is passed over, so that rows may miss some numbers but never differ in a shared axis.

    Raises:
        ValueError: the row has more axes of its own than there are coordinates.
    """
    space = METHODS[method].space(task)
    own = sorted(space.keys() - set(SHARED))
    if len(own) > _OWN:
        raise ValueError(f"{method}: a search has at most {_OWN} axes beside {', '.join(SHARED)}, not {len(own)}")
    columns = {name: place for place, name in enumerate((*SHARED, *own)) if name in space}
    distinct = math.prod(len(values) for values in space.values())
    found: dict[int, dict[str, Any]] = {0: {}}
    seen = {config(method, task, {})}
    for number, point in enumerate(_points(task.name, seed), 1):
        if len(found) == count or len(seen) > distinct:
            break
        setting = {name: space[name][int(point[place] * len(space[name]))] for name, place in columns.items()}
        if (resolved := config(method, task, setting)) not in seen:
            seen.add(resolved)
            found[number] = setting
    return found


@cache
def _points(task: str, seed: int) -> np.ndarray:
    from scipy.stats import qmc  # only here: it takes half a second to import

    rng = np.random.default_rng(seed_of("search", task, seed))
    return qmc.Sobol(len(SHARED) + _OWN, rng=rng).random(_POINTS)


def beyond(values: list[Any], value: Any) -> Any | None:
    """The next value of an axis outside its values, as far as its last two are apart; None where there is no such.

    Only an axis of numbers above zero goes on, by the ratio of its last two values; a bound of 0 is the axis's end.
    """
    numbers = sorted({v for v in values if isinstance(v, int | float) and not isinstance(v, bool)})
    if len(numbers) != len(set(values)) or len(numbers) < 2 or value not in (numbers[0], numbers[-1]):
        return None
    edge, inner = (numbers[0], numbers[1]) if value == numbers[0] else (numbers[-1], numbers[-2])
    if edge <= 0 or inner <= 0:
        return None
    further = edge * edge / inner
    return round(further) if all(isinstance(v, int) for v in numbers) else float(f"{further:.6g}")
