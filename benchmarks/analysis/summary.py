"""The tables' numbers: means, paired differences from distillation and from the best rival, and their errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatch

import pandas as pd

from benchmarks.analysis import crossed
from benchmarks.analysis import scores as scoring
from benchmarks.analysis.crossed import Estimate
from benchmarks.analysis.scores import Scores
from benchmarks.analysis.stats import LEVEL
from benchmarks.records.groups import Cells, Groups, Seeds, Unit, finished, first_finished
from benchmarks.registry import tasks
from benchmarks.registry.experiments import BASELINE
from benchmarks.registry.methods import fact
from benchmarks.task import Task

METRICS = (
    "accuracy", "balanced_accuracy", "macro_f1", "coarse_accuracy", "many_shot", "medium_shot", "few_shot",
    "corrupted_accuracy",
    "success_1", "success_20", "success_100", "recall_20", "mrr_10", "ndcg_10", "trivia_success_20",
)  # fmt: skip
#: Standard errors by where they come from, see `crossed.Parts`; empty where unknown.
ERRORS = ("seed", "draw", "seed_draw", "test")
COLUMNS = [
    "task", "teacher", "budget", "method", "metric", "n_seeds", "mean", "low", "high",
    "diff", "diff_low", "diff_high", "p",
    "rival", "rival_diff", "rival_diff_low", "rival_diff_high", "rival_p", "match", "n_draws", "contenders",
    *(f"{of}se_{part}" for of in ("", "diff_", "rival_diff_") for part in ERRORS),
]  # fmt: skip


def frame(groups: Groups, metrics: Iterable[str] = METRICS) -> pd.DataFrame:
    """Long table, one row a (group, method, metric), in fractions, with the columns `COLUMNS`."""
    rows = []
    for group, cells in groups.items():
        same = group._asdict()
        for metric in metrics:
            found = scores(cells, metric)
            of_steps = {steps: contenders(cells, metric, steps) for steps in schedules(cells)}
            for method, ours in found.items():
                rivals = of_steps[fact(method).schedule]
                mean = crossed.estimate(ours)
                assert mean is not None
                row = {"method": method, "metric": metric, "n_seeds": mean.n, "n_draws": mean.parts.draws}
                row |= {"mean": mean.mean, "low": mean.low, "high": mean.high, **_errors(mean, "")}
                if method != BASELINE and BASELINE in found:
                    row |= _difference(crossed.paired(ours, found[BASELINE]), "diff", "p")
                if rivals and method != rivals[0]:
                    row |= _difference(over_best(found, method, rivals), "rival_diff", "rival_p")
                    row |= {"rival": rivals[0], "contenders": len(rivals)}
                rows.append(same | row)
            for name, judged in references(tasks.get(group.task), cells).items():
                if (value := judged.get(metric)) is not None:
                    rows.append({**same, "method": name, "metric": metric, "n_seeds": 0, "mean": value})
    return pd.DataFrame(rows, columns=COLUMNS)


def _difference(found: Estimate | None, name: str, p: str) -> dict[str, float]:
    if found is None:
        return {}
    told = {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high, p: found.p}
    return told | _errors(found, f"{name}_")


def _errors(found: Estimate, prefix: str) -> dict[str, float]:
    return {f"{prefix}se_{part}": error for part, error in found.parts.errors.items()}


def scores(cells: Cells, metric: str) -> dict[str, Scores]:
    """A metric by method, of the methods that have any."""
    return {method: found for method, seeds in cells.items() if (found := scoring.of(seeds, metric)).units}


def references(task: Task, cells: Cells) -> dict[str, dict[str, float | None]]:
    """Metrics of what needs no student (the teacher itself, searches by words), by the name of their row."""
    return {row: of_labeler(cells, key) for row, key in task.references.items()} if first_finished(cells) else {}


def of_labeler(cells: Cells, key: str = "test") -> dict[str, float | None]:
    """What was measured with a group's labeler, means over the teacher's draws; of a group with a finished run.

    Args:
        key: of what: "test" is the labeler itself, a task's `references` name further ones.
    """
    by_draw = {record.spec.draw: record for seeds in cells.values() for record in finished(seeds).values()}
    judged = [record.teachers["labeler"]["metrics"][key] for record in by_draw.values()]
    return {
        metric: None if None in (told := [one[metric] for one in judged]) else sum(told) / len(told)
        for metric in judged[0]
    }


def validation(seeds: Seeds, metric: str) -> Scores:
    """A metric on the validation samples after the last step, of the finished runs whose budget left any."""
    last = {one: record.curve[-1].validation for one, record in finished(seeds).items() if record.curve}
    known = {one: value for one, judged in last.items() if judged and (value := judged.get(metric)) is not None}
    return scoring.plain(known)


def is_rival(method: str) -> bool:
    """Whether a row may be called a rival: an oracle sees more, another student is no peer, one's own is no rival."""
    row = fact(method)
    own = row.packages or not row.target  # from outside the repository
    return row.role == "rival" and not row.other_student and not own


def best_of(cells: Cells, names: str, metric: str) -> str | None:
    """Which of several rows stands for them: the best on validation samples of those of equal information and steps.

    Args:
        names: comma-separated rows, or patterns of them with *; a single row is itself.

    Returns:
        The first by name where no run was validated; None where none is recorded.
    """
    if "," not in names and "*" not in names:
        return names if names in cells else None
    wanted = [name.strip() for name in names.split(",")]
    rows = [row for row in cells if any(fnmatch(row, one) for one in wanted) and _equal(row)]
    rows = sorted(row for row in rows if scoring.of(cells[row], metric).units)
    judged = {row: found.values.mean() for row in rows if (found := validation(cells[row], metric)).units}
    return max(judged, key=judged.__getitem__) if judged else next(iter(rows), None)


def schedules(cells: Cells) -> list[int]:
    """How many times the task's steps the rows have, each number once."""
    return sorted({fact(method).schedule for method in cells})


def contenders(cells: Cells, metric: str, steps: int = 1) -> list[str]:
    """The best rival, by its mean on validation samples, and the rivals that validation does not tell from it.

    Args:
        steps: how many times the task's steps the rows have: those of other schedules are no peers.

    Where no run was validated it is distillation alone, which no result has chosen; empty without any rival.
    """
    rivals = [method for method in scores(cells, metric) if is_rival(method) and fact(method).schedule == steps]
    judged = {method: found for method in rivals if (found := validation(cells[method], metric)).units}
    if not judged:
        return [BASELINE] if BASELINE in rivals else []
    best = max(judged, key=lambda method: judged[method].values.mean())
    behind = {method: crossed.paired(judged[best], found) for method, found in judged.items() if method != best}
    return [best, *(method for method, lead in behind.items() if lead is None or not lead.p < 1 - LEVEL)]


def over_best(found: dict[str, Scores], method: str, rivals: list[str]) -> Estimate | None:
    """A method's difference from the best rival, at a level that is shared out over the contenders (Bonferroni).

    None for the best rival itself, and without a common replication.

    A run's validation and test scores rest on one student. What is best on validation has been lucky on the test set
    as well, and an interval that forgets the choice would call a method worse that equals all its rivals.
    """
    if method == rivals[0]:
        return None
    level = 1 - (1 - LEVEL) / sum(one != method for one in rivals)
    difference = crossed.paired(found[method], found[rivals[0]], level)
    if difference is None:
        return None
    return replace(difference, p=min(1.0, difference.p * (1 - LEVEL) / (1 - level)))


def clear_winner(cells: Cells, metric: str) -> str | None:
    """Of the rows of equal information and steps the best, if its interval over the second best excludes zero."""
    found = {method: one for method, one in scores(cells, metric).items() if _equal(method)}
    order = sorted(found, key=lambda method: -found[method].values.mean())
    if len(order) < 2:
        return None
    difference = crossed.paired(found[order[0]], found[order[1]])
    return order[0] if difference and difference.n > 1 and difference.low > 0 else None


def _equal(method: str) -> bool:
    """Whether a row has the information, the student and the steps that others have."""
    row = fact(method)
    return not row.is_oracle and not row.other_student and row.schedule == 1


def gap_closed(ours: dict[Unit, float], base: dict[Unit, float], top: float) -> float | None:
    """How much of the lead of `top` over `base` is made up for: mean over seeds of shares; None without a seed."""
    shares = [(ours[seed] - base[seed]) / (top - base[seed]) for seed in ours.keys() & base.keys() if top > base[seed]]
    return sum(shares) / len(shares) if shares else None


def mean_cost(seeds: Seeds, name: str) -> float:
    """Of the finished runs, of which there must be one."""
    paid = [record.costs[name] for record in finished(seeds).values()]
    return sum(paid) / len(paid)


def seconds(value: float) -> str:
    """Seconds as people read them: no run takes none."""
    return f"{value:.0f}" if value >= 0.5 else f"{value:.1g}"
