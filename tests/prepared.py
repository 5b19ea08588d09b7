"""Runs whose teachers are trained."""

from __future__ import annotations

from typing import Any

from benchmarks.records.record import Spec
from benchmarks.runs.run import Run
from benchmarks.teachers import store


def prepared(task: str, size: str, budget: int, method: str, overrides: Any = None, **more: Any) -> Run:
    spec = Spec(task=task, size=size, teacher="full", budget=budget, method=method, **{"seed": 0, **more})
    run = Run(spec, overrides)
    for recipe in run.recipes.values():
        store.train(run.task, recipe, run.split)
    return run
