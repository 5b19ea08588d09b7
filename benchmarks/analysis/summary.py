"""The tables' numbers: means over seeds, paired differences from distillation and from the best rival."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from benchmarks.analysis import stats
from benchmarks.records.groups import Cells, Groups, Seeds, Unit, first_finished, values
from benchmarks.registry import tasks
from benchmarks.registry.experiments import BASELINE
from benchmarks.registry.methods import fact
from benchmarks.task import Task

if TYPE_CHECKING:
    import pandas as pd

METRICS = (
    "accuracy", "balanced_accuracy", "macro_f1", "coarse_accuracy", "many_shot", "medium_shot", "few_shot",
    "corrupted_accuracy",
    "success_1", "success_20", "success_100", "recall_20", "mrr_10", "ndcg_10", "trivia_success_20",
)  # fmt: skip
COLUMNS = [
    "task", "teacher", "budget", "method", "metric", "n_seeds", "mean", "low", "high",
    "diff", "diff_low", "diff_high", "p",
    "rival", "rival_diff", "rival_diff_low", "rival_diff_high", "rival_p", "match",
]  # fmt: skip


def frame(groups: Groups, metrics: Iterable[str] = METRICS) -> pd.DataFrame:
    """Long table, one row a (group, method, metric), in fractions, with the columns `COLUMNS`."""
    import pandas as pd

    rows = []
    for group, cells in groups.items():
        same = {"task": group.task, "teacher": group.teacher, "budget": group.budget, "match": group.match}
        for metric in metrics:
            found = scores(cells, metric)
            rival = best_rival(cells, metric)
            for method, ours in found.items():
                mean = stats.interval(list(ours.values()))
                row = {"method": method, "metric": metric, "n_seeds": mean.n}
                row |= {"mean": mean.mean, "low": mean.low, "high": mean.high}
                if method != BASELINE:
                    row |= _difference(stats.paired(ours, found.get(BASELINE, {})), "diff", "p")
                if rival is not None and method != rival:
                    row |= _difference(stats.paired(ours, found[rival]), "rival_diff", "rival_p")
                    row["rival"] = rival
                rows.append(same | row)
            for name, judged in references(tasks.get(group.task), cells).items():
                if (value := judged.get(metric)) is not None:
                    rows.append({**same, "method": name, "metric": metric, "n_seeds": 0, "mean": value})
    return pd.DataFrame(rows, columns=COLUMNS)


def _difference(found: stats.Difference | None, name: str, p: str) -> dict[str, float]:
    if found is None:
        return {}
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high, p: found.p}


def scores(cells: Cells, metric: str) -> dict[str, dict[Unit, float]]:
    """A metric by method and seed, of the methods that have any."""
    return {method: found for method, seeds in cells.items() if (found := values(seeds, metric))}


def references(task: Task, cells: Cells) -> dict[str, dict[str, float | None]]:
    """Metrics of what needs no student (the teacher itself, searches by words), by the name of their row."""
    record = first_finished(cells) if task.references else None
    if record is None:
        return {}
    judged = record.teachers["labeler"]["metrics"]
    return {row: judged[key] for row, key in task.references.items()}


def best_rival(cells: Cells, metric: str) -> str | None:
    """The rival with the highest mean, those that train another student apart; None if none has a value."""
    means = {
        method: sum(found.values()) / len(found)
        for method, found in scores(cells, metric).items()
        if (row := fact(method)).role == "rival" and not row.other_student
    }
    return max(means, key=means.__getitem__) if means else None


def clear_winner(cells: Cells, metric: str) -> str | None:
    """The best method, if its paired interval over the second best excludes zero."""
    found = scores(cells, metric)
    order = sorted(found, key=lambda method: -sum(found[method].values()) / len(found[method]))
    if len(order) < 2:
        return None
    difference = stats.paired(found[order[0]], found[order[1]])
    return order[0] if difference and difference.n > 1 and difference.low > 0 else None


def gap_closed(ours: dict[Unit, float], base: dict[Unit, float], top: float) -> float | None:
    """How much of the lead of `top` over `base` is made up for: mean over seeds of shares; None without a seed."""
    shares = [(ours[seed] - base[seed]) / (top - base[seed]) for seed in ours.keys() & base.keys() if top > base[seed]]
    return sum(shares) / len(shares) if shares else None


def mean_cost(seeds: Seeds, name: str) -> float:
    """Of the finished runs, of which there must be one."""
    paid = [record.costs[name] for record in seeds.values() if record is not None and record.status == "ok"]
    return sum(paid) / len(paid)
