"""How many times the data distillation needs to match a method, at each budget that the method was run at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.analysis import stats
from benchmarks.core.fingerprint import seed_of
from benchmarks.records.groups import Group, Groups, values
from benchmarks.registry import tasks
from benchmarks.registry.experiments import BASELINE
from benchmarks.registry.methods import fact

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 2000  # bootstrap draws over seeds
COLUMNS = ["task", "teacher", "method", "budget", "multiplier", "low", "high", "bound", "n_seeds"]
#: The rival that decodes as TGT does, but without the training points: the multiplier is asked of it too.
DECODED_NOISE = "prior-sampling"


def explores(method: str) -> bool:
    """Whether the multiplier is asked of a method: TGT, and decoded noise."""
    return fact(method).is_tgt or DECODED_NOISE in (method, fact(method).pool_of)


def frame(groups: Groups) -> pd.DataFrame:
    """One row a (task, teacher, method, budget) with the columns `COLUMNS`; none beyond the largest budget but one.

    `low` and `high` are a percentile bootstrap over seeds, both methods resampled together: how the multiplier moves
    with them, and of a handful of seeds narrower than a 95 % interval. `bound`: distillation does not reach the
    method's score at the largest budget measured, so the multiplier is at least the value given.
    """
    import pandas as pd

    rows: list[tuple] = []
    for task, teacher, match in dict.fromkeys((group.task, group.teacher, group.match) for group in groups):
        budgets = sorted(group.budget for group in groups if group == (task, teacher, group.budget, match))
        if len(budgets) < 2:
            continue
        cells = [groups[Group(task, teacher, budget, match)] for budget in budgets]
        metric = tasks.get(task).metric
        base = [values(of_budget.get(BASELINE, {}), metric) for of_budget in cells]
        for method in filter(explores, dict.fromkeys(method for of_budget in cells for method in of_budget)):
            ours = [values(of_budget.get(method, {}), metric) for of_budget in cells]
            if seeds := sorted(set.intersection(*map(set, ours + base))):
                mine, theirs = (np.array([[found[seed] for seed in seeds] for found in one]) for one in (ours, base))
                rows += _rows(np.array(budgets), mine, theirs, (task, teacher, method))
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(budgets: np.ndarray, ours: np.ndarray, theirs: np.ndarray, names: tuple) -> Iterator[tuple]:
    """One row a budget, of scores (budgets, seeds)."""
    rng = np.random.default_rng(seed_of("multiplier", *names))
    draws = rng.integers(ours.shape[1], size=(DRAWS, ours.shape[1]))
    curves = theirs[:, draws].mean(2).T
    for i, budget in enumerate(budgets[:-1]):
        needed = stats.budget_to_reach(budgets, theirs.mean(1), ours[i].mean())
        drawn = stats.budget_to_reach(budgets, curves, ours[i, draws].mean(1))
        low, high = np.quantile(drawn, [0.025, 0.975], method="inverted_cdf") / budget
        bound = not np.isfinite(needed)
        at_least = budgets[-1] if bound else needed
        yield (*names, int(budget), float(at_least / budget), low, high, bound, ours.shape[1])


def lines(found: pd.DataFrame) -> Iterator[str]:
    """The multiplier in words, one line a (method, budget)."""
    for row in found.to_dict("records"):
        more = "more than " if row["bound"] else ""
        low, high = (
            f"{row[end]:.1f}" if np.isfinite(row[end]) else "beyond the largest budget" for end in ("low", "high")
        )
        yield (
            f"{row['task']} {row['method']}, {row['budget']:,} samples: distillation needs {more}"
            f"{row['multiplier']:.1f} times the data "
            f"({low} to {high} over resamplings of {row['n_seeds']} seeds)"
        )
