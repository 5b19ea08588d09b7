"""Choosing hyper-parameters: on validation samples, once, with the same number of tried settings for every method."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from benchmarks.core import paths
from benchmarks.registry import tasks
from benchmarks.registry.hyperparameters import read_tuned
from benchmarks.registry.methods import METHODS
from benchmarks.runs.scheduler import Plan


def choose(plan: Plan) -> dict[str, dict]:
    """The best setting of each (task, method) whose every trial is recorded; a failed trial never wins."""
    chosen: dict[str, dict] = {}
    groups: dict[tuple[str, str], list] = {}
    for run in plan.runs:
        groups.setdefault((run.spec.task, run.spec.method), []).append((run, plan.record(run)))
    for (task, method), trials in groups.items():
        if any(record is None for _, record in trials):
            continue
        metric = tasks.get(task).metric
        scored = [
            (record.curve[-1].validation[metric], -run.spec.trial, dict(run.overrides), run.spec.seed)
            for run, record in trials
            if record.status == "ok"
        ]
        if not scored:
            continue
        score, trial, params, seed = max(scored, key=lambda item: item[:2])
        space = METHODS[method].space(tasks.get(task))
        chosen.setdefault(task, {})[method] = {
            "params": params,
            "validation": {metric: score, "defaults": scored[0][0]},
            "chosen": f"trial {-trial} of {len(trials)}, validation samples, teacher full, seed {seed}",
            "space": space,
        }
    return chosen


def read(folder: Path) -> dict[str, dict]:
    """What a search left in a results folder; empty where there was none."""
    return read_tuned(folder / "tuned.json")


def write(chosen: dict[str, dict], folder: Path) -> Path:
    """Write or extend tuned.json: tasks and methods that were not searched this time keep what they had."""
    path = folder / "tuned.json"
    kept = read(folder)
    for task, rows in chosen.items():
        kept.setdefault(task, {}).update(rows)
    with paths.atomic(path) as temporary:
        temporary.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    return path


def lines(chosen: dict[str, dict]) -> Iterable[str]:
    for task, rows in chosen.items():
        for method, row in rows.items():
            yield f"{task} {method}: {row['params'] or 'defaults'} ({row['validation']}, {row['chosen']})"
