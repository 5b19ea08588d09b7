"""How many times the data distillation needs to match a method, at each budget that the method was run at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmarks.analysis import crossed, stats, summary
from benchmarks.core.fingerprint import seed_of
from benchmarks.records.groups import Group, Groups, Unit, values
from benchmarks.registry import tasks
from benchmarks.registry.experiments import BASELINE
from benchmarks.registry.methods import fact

DRAWS = 2000  # bootstrap draws over seeds
COLUMNS = ["task", "teacher", "method", "rival", "budget", "multiplier", "low", "high", "bound", "n_seeds"]
#: Whom the data are multiplied for: distillation itself, and at each budget the variant of it that validation prefers.
RIVALS = {BASELINE: BASELINE, f"best {BASELINE}": f"{BASELINE}*"}
#: The rival that decodes as TGT does, but without the training points: the multiplier is asked of it too.
DECODED_NOISE = "prior-sampling"


def explores(method: str) -> bool:
    """Whether the multiplier is asked of a method: TGT, and decoded noise."""
    return fact(method).is_tgt or DECODED_NOISE in (method, fact(method).pool_of)


def frame(groups: Groups) -> pd.DataFrame:
    """One row a (task, teacher, method, rival, budget) with the columns `COLUMNS`; none of the largest budget.

    `low` and `high` are a percentile bootstrap over seeds and draws of the teacher, both methods resampled together:
    how the multiplier moves with them, and of a handful of seeds narrower than a 95 % interval. `bound`: the rival does
    not reach the method's score at the largest budget measured, so the multiplier is at least the value given.
    """
    rows: list[tuple] = []
    for task, teacher, match in dict.fromkeys((group.task, group.teacher, group.match) for group in groups):
        budgets = sorted(group.budget for group in groups if group == (task, teacher, group.budget, match))
        if len(budgets) < 2:
            continue
        cells = [groups[Group(task, teacher, budget, match)] for budget in budgets]
        metric = tasks.get(task).metric
        chosen = {name: [summary.best_of(one, rows_of, metric) for one in cells] for name, rows_of in RIVALS.items()}
        if set(chosen[f"best {BASELINE}"]) <= {BASELINE, None}:
            del chosen[f"best {BASELINE}"]  # there is no variant
        for name, variants in chosen.items():
            base = [values(one.get(row or "", {}), metric) for one, row in zip(cells, variants, strict=True)]
            for method in filter(explores, dict.fromkeys(method for one in cells for method in one)):
                ours = [values(one.get(method, {}), metric) for one in cells]
                if units := sorted(set.intersection(*map(set, ours + base))):
                    mine, theirs = (np.array([[found[u] for u in units] for found in one]) for one in (ours, base))
                    rows += _rows(np.array(budgets), mine, theirs, tuple(units), (task, teacher, method, name))
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(
    budgets: np.ndarray, ours: np.ndarray, theirs: np.ndarray, units: tuple[Unit, ...], names: tuple
) -> Iterator[tuple]:
    """One row a budget, of scores (budgets, replications)."""
    weights = crossed.resample(units, DRAWS, np.random.default_rng(seed_of("multiplier", *names)))
    n_seeds = len({unit.seed for unit in units})
    curves = weights @ theirs.T
    for i, budget in enumerate(budgets[:-1]):
        needed = stats.budget_to_reach(budgets, theirs.mean(1), ours[i].mean())
        drawn = stats.budget_to_reach(budgets, curves, weights @ ours[i])
        low, high = np.quantile(drawn, [0.025, 0.975], method="inverted_cdf") / budget
        bound = not np.isfinite(needed)
        at_least = budgets[-1] if bound else needed
        yield (*names, int(budget), float(at_least / budget), low, high, bound, n_seeds)


def lines(found: pd.DataFrame) -> Iterator[str]:
    """The multiplier in words, one line a (method, budget)."""
    for row in found.to_dict("records"):
        more = "more than " if row["bound"] else ""
        low, high = (
            f"{row[end]:.1f}" if np.isfinite(row[end]) else "beyond the largest budget" for end in ("low", "high")
        )
        yield (
            f"{row['task']} {row['method']}, {row['budget']:,} samples: {row['rival']} needs {more}"
            f"{row['multiplier']:.1f} times the data "
            f"({low} to {high} over resamplings of {row['n_seeds']} seeds)"
        )
