"""The ablations `ablation-*`: one hyper-parameter of TGT is varied, the others stay as chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.analysis import crossed, scores
from benchmarks.core import settings as settings_of
from benchmarks.records import Results
from benchmarks.records.groups import Seeds, Unit, finished
from benchmarks.registry import tasks
from benchmarks.registry.experiments import BASELINE, Choice
from benchmarks.registry.methods import fact, rows_of
from benchmarks.task import Task

TASKS = ("fashion-lt", "movie-5")
SEEDS = 3
#: Diagnostics shown beside the score, means over seeds.
SEEN = ("made_few_shot", "made_copies", "class_kept", "disagreement_start", "disagreement_noise", "disagreement_end")
COLUMNS = ["task", "budget", "value", "method", "n_seeds", "mean", "low", "high", *SEEN]


@dataclass(frozen=True)
class Ablation:
    """What is varied, over which values, and of which rows of TGT.

    Attributes:
        name: the hyper-parameter; "teacher": what the teacher was trained on. axis: its name in a figure.
        rows: as images have them; where decoding is expensive, those that keep a pool stand for them.
    """

    name: str
    values: tuple[Any, ...]
    axis: str
    rows: tuple[str, ...] = ("tgt-random", "tgt-gradient")

    def methods(self, task: Task, choice: Choice) -> tuple[str, ...]:
        """The rows that are varied on a task, unless a person names others."""
        own = (name for name in rows_of(task) if name in self.rows or fact(name).pool_of in self.rows)
        return choice.methods or tuple(own)

    def points(self, choice: Choice) -> Iterator[tuple[str, Choice]]:
        """Each value with the choice that its runs are made by: settings as of `--set`, or another teacher."""
        for value in self.values:
            if self.name == "teacher":
                yield value, replace(choice, teachers=(value,))
            else:
                settings = {**settings_of.parse(choice.settings), self.name: value}
                yield str(value), replace(choice, settings=settings_of.of(settings))


ABLATIONS = {
    "ablation-sigma": Ablation("sigma", (0, 0.5, 1, 2, 3, 5), "standard deviation of the noise, latent units"),
    "ablation-steps": Ablation("ascent_steps", (0, 1, 2, 4, 8), "steps of ascent", ("tgt-gradient",)),
    "ablation-share": Ablation("share", (0.25, 0.5, 0.75, 0.9), "share of generated samples in a step"),
    "ablation-start": Ablation("start", ("data", "balanced", "prior"), "where exploration starts"),
    "ablation-teacher": Ablation("teacher", ("full", "same-data"), "what the teacher was trained on"),
}


def frame(target: str, results: Results, choice: Choice) -> pd.DataFrame:
    """One row a (task, budget, value, method) of the records there are, in fractions, with the columns `COLUMNS`.

    Distillation stands beside them under every value, if it learned from the same teacher. All of a task are over the
    seeds that all of them have; what was recorded at one value alone, or by several versions of the training protocol,
    is left out.
    """
    ablation = ABLATIONS[target]
    cells: dict[tuple[str, int], dict[tuple[str, str], Seeds]] = {}  # of a (task, budget): seeds by value and method
    base = results.groups(choice.settings)
    for value, one in ablation.points(choice):
        for group, found in results.groups(one.settings).items():
            wanted = ablation.methods(tasks.get(group.task), choice)
            varied = {method: seeds for method, seeds in found.items() if method in wanted}
            if group.teacher not in one.teachers or group.match != choice.match or not varied:
                continue
            rival = base.get(group, {}).get(BASELINE)
            if rival and _same_teachers(rival, *varied.values()):
                varied[BASELINE] = rival
            cell = cells.setdefault((group.task, group.budget), {})
            cell |= {(value, method): seeds for method, seeds in varied.items()}
    rows = [row for place, cell in sorted(cells.items()) for row in _rows(*place, cell)]  # whatever came first
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(task: str, budget: int, cell: dict[tuple[str, str], Seeds]) -> Iterator[tuple]:
    if len({run.identity.get("protocol") for seeds in cell.values() for run in finished(seeds).values()}) > 1:
        return
    recorded = {place: scores.of(seeds, tasks.get(task).metric) for place, seeds in cell.items()}
    common = sorted(set.intersection(*(set(found.units) for found in recorded.values())))
    if len({value for value, method in cell if method != BASELINE}) < 2 or not common:
        return
    for (value, method), found in recorded.items():
        mean = crossed.estimate(found.at(common))
        assert mean is not None
        seen = [_seen(cell[value, method], common, name) for name in SEEN]
        yield task, budget, value, method, mean.n, mean.mean, mean.low, mean.high, *seen


def _same_teachers(baseline: Seeds, *rows: Seeds) -> bool:
    """Whether every run of the rows has the teacher of the baseline's run of the same seed and draw."""
    known = {unit: record.identity.get("teacher_sha256") for unit, record in finished(baseline).items()}
    runs = [pair for seeds in rows for pair in finished(seeds).items()]
    return all(unit in known and record.identity.get("teacher_sha256") == known[unit] for unit, record in runs)


def _seen(seeds: Seeds, common: list[Unit], name: str) -> float:
    done = finished(seeds)
    found = [done[seed].diagnostics[name] for seed in common if name in done[seed].diagnostics]
    return float(np.mean(found)) if found else float("nan")
