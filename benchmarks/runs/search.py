"""Choosing hyper-parameters on validation samples: the same search for every row, and no test sample is looked at.

All settings are tried in whole runs with one seed, the best sixth of them with further seeds; the highest mean wins. No
setting is judged by a shortened run: those say little of settings that learn slowly (docs/findings.md). A winner at an
end of an axis is tried beyond it, and what is not behind the winner on the first seed has the further seeds too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock

from benchmarks.core import paths
from benchmarks.core.environment import processes
from benchmarks.records.record import Spec
from benchmarks.registry import tasks
from benchmarks.registry.hyperparameters import SEARCH, Place, Tuned, config, read_tuned
from benchmarks.registry.methods import METHODS
from benchmarks.runs.device import Device
from benchmarks.runs.run import Run
from benchmarks.runs.scheduler import Plan
from benchmarks.runs.trials import beyond, trials
from benchmarks.task import Task

SEEDS = (1000, 1001, 1002)  # of the splits and starts that settings are judged by; no table uses them
FINAL = 6  # one setting in so many is tried with all seeds
FURTHER = 3  # how often a winner is tried beyond the ends of its axes
#: What is told of a plan, which is of the runs that a search begins with.
MORE = "these are of the first seed; the best sixth has two further seeds, and so on: about half as long again"
BEYOND = 10_000  # trial numbers of settings beyond the ends of axes begin here

#: Runs what is missing of a list of runs.
Fill = Callable[[list[Run]], Plan]


class Row(NamedTuple):
    """A method, and where its hyper-parameters are searched."""

    place: Place
    method: str
    device: Device = Device()

    def task(self, size: str) -> Task:
        return tasks.get(self.place.task).at(size)


class Setting(NamedTuple):
    row: Row
    trial: int
    params: tuple[tuple[str, Any], ...]


def first(rows: Iterable[Row], size: str, seed: int = 0) -> list[Run]:
    """The runs that a search begins with.

    Raises:
        ValueError: a budget leaves no validation samples to judge by.
    """
    return [_run(setting, size, SEEDS[0]) for setting in _settings(rows, size, seed)]


def search(rows: Iterable[Row], size: str, fill: Fill, seed: int = 0) -> Tuned:
    """The best setting of each row that has any; a failed run never wins.

    Args:
        seed: of the points that are tried.
    """
    settings = _settings(rows, size, seed)
    counts = {row: sum(s.row == row for s in settings) for row in dict.fromkeys(s.row for s in settings)}
    final = _judge(_best(_judge(settings, size, SEEDS[:1], fill), counts), size, SEEDS, fill)
    values = {row: METHODS[row.method].space(row.task(size)) for row in counts}
    outside: list[Setting] = []
    for _ in range(FURTHER):
        winners = _winners(final)
        tried = [s for row, winner in winners.items() for s in _beyond(row, winner, values[row], outside, size)]
        if not tried:
            break
        outside += tried
        scores = _judge([*winners.values(), *tried], size, SEEDS[:1], fill)
        ahead = [s for s in tried if s in scores and scores[s] >= scores[winners[s.row]]]
        final |= _judge(ahead, size, SEEDS, fill)
    chosen: Tuned = {}
    for row, winner in _winners(final).items():
        metric = tasks.get(row.place.task).metric
        entry = {
            "params": dict(winner.params),
            "validation": {metric: final[winner]},
            "settings": counts[row],
            "beyond": sum(s.row == row for s in outside),
            "edges": sorted(_further(row, winner, values[row], size)),
            "search": SEARCH,
            "seed": seed,
        }
        chosen.setdefault(str(row.place), {})[row.method] = entry
    return chosen


def _settings(rows: Iterable[Row], size: str, seed: int) -> list[Setting]:
    found = []
    for row in rows:
        task = row.task(size)
        tried = trials(row.method, task, task.size.trials, seed)
        found += [Setting(row, trial, tuple(sorted(params.items()))) for trial, params in tried.items()]
    for setting in {setting.row.place: setting for setting in found}.values():
        run, place = _run(setting, size, SEEDS[0]), setting.row.place
        if np.isin(run.task.examples().validation, run.split.indices).any():
            raise ValueError(f"{place.task}: a search on {place.budget} samples leaves none to judge by")
    return found


def _run(setting: Setting, size: str, seed: int) -> Run:
    place, method, device = setting.row
    where: dict[str, Any] = {"device": device.kind, "precision": device.precision, "processes": processes()}
    spec = Spec(**place._asdict(), **where, size=size, seed=seed, method=method, trial=setting.trial)
    return Run(spec, setting.params)


def _judge(settings: list[Setting], size: str, seeds: tuple[int, ...], fill: Fill) -> dict[Setting, float]:
    runs = {setting: [_run(setting, size, seed) for seed in seeds] for setting in settings}
    plan = fill([run for some in runs.values() for run in some])
    found = {}
    for setting, some in runs.items():
        scores = [_score(plan, run) for run in some]
        if None not in scores:
            found[setting] = float(np.mean(scores))  # type: ignore[arg-type]
    return found


def _score(plan: Plan, run: Run) -> float | None:
    record = plan.record(run)
    if record is None or record.status != "ok":
        return None
    return (record.curve[-1].validation or {}).get(run.task.metric)


def _best(scores: dict[Setting, float], counts: dict[Row, int]) -> list[Setting]:
    """The highest of each row, one in `FINAL` of the settings it began with; of equal ones the first trial."""
    found: list[Setting] = []
    for row, count in counts.items():
        own = sorted((s for s in scores if s.row == row), key=lambda s: (-scores[s], s.trial))
        found += own[: max(count // FINAL, 1)]
    return found


def _winners(scores: dict[Setting, float]) -> dict[Row, Setting]:
    return {setting.row: setting for setting in sorted(scores, key=lambda s: (scores[s], -s.trial))}


def _beyond(row: Row, winner: Setting, values: dict[str, list[Any]], tried: list[Setting], size: str) -> list[Setting]:
    """The winner with one value beyond an end of its axis, for each such axis; the axes of `values` grow by it."""
    number = BEYOND + sum(setting.row == row for setting in tried)
    found: list[Setting] = []
    for name, params in _further(row, winner, values, size).items():
        values[name] = [*values[name], params[name]]
        found.append(Setting(row, number + len(found), tuple(sorted(params.items()))))
    return found


def _further(row: Row, winner: Setting, values: dict[str, list[Any]], size: str) -> dict[str, dict[str, Any]]:
    """Of each axis that the winner stands at an end of: its hyper-parameters with the next value there."""
    task, params = row.task(size), dict(winner.params)
    resolved = vars(config(row.method, task, params))
    found = {}
    for name in sorted(values):
        if (value := beyond(values[name], resolved[name])) is not None:
            try:
                config(row.method, task, {**params, name: value})
            except ValueError:
                continue  # the axis ends here
            found[name] = {**params, name: value}
    return found


def write(chosen: Tuned, folder: Path) -> Path:
    """Write or extend tuned.json: places and methods that were not searched this time keep what they had."""
    path = folder / "tuned.json"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".tuned.lock"):  # another search may write what it chose at the same time
        kept = read_tuned(path)
        for place, rows in chosen.items():
            kept.setdefault(place, {}).update(rows)
        with paths.atomic(path) as temporary:
            temporary.write_text(_text(kept))
    return path


def _text(found: Tuned) -> str:
    """JSON with a line a row, so that a change of one is a change of one line."""
    places = {
        place: ",\n".join(f"  {json.dumps(method)}: {json.dumps(rows[method])}" for method in sorted(rows))
        for place, rows in sorted(found.items())
    }
    return "{\n" + ",\n".join(f" {json.dumps(place)}: {{\n{rows}\n }}" for place, rows in places.items()) + "\n}\n"


def lines(chosen: Tuned) -> Iterable[str]:
    for place, rows in chosen.items():
        for method, row in rows.items():
            score = ", ".join(f"{name} {100 * value:.1f} %" for name, value in row["validation"].items())
            told = ", ".join(f"{name} {value}" for name, value in row["params"].items()) or "its defaults"
            edge = f"; at the end of its axis: {', '.join(row['edges'])}" if row["edges"] else ""
            yield f"{place} {method}: {told} ({score} on validation samples, {len(SEEDS)} seeds{edge})"
