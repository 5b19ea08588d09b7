"""Hyper-parameters of the rows: what the search chose, and how they are resolved."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.paths import REFERENCE
from benchmarks.registry.methods import METHODS

if TYPE_CHECKING:
    from benchmarks.tasks import Task


@cache
def tuned(size: str) -> dict[str, Any]:
    """Hyper-parameters chosen on validation data by the target `tune`: {task: {method: {"params": ..., ...}}}."""
    return read_tuned(REFERENCE / size / "tuned.json")


def read_tuned(path: Path) -> dict[str, Any]:
    """What a search left in a file; empty where there is no file. Raises ValueError naming one that is not that."""
    try:
        found = json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        raise ValueError(f"{path} is not what a search writes: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is not what a search writes: not a table of tasks")
    return found


def chosen(method: str, task: Task, size: str) -> dict[str, Any]:
    """Hyper-parameters that the search chose for a method on a task, or on the one that the task is tuned on."""
    return tuned(size).get(task.tuned_on, {}).get(method, {}).get("params", {})


def searched(method: str, task: Task, size: str) -> bool:
    """Whether the committed search has chosen for a method on a task, or on the one that the task is tuned on."""
    return method in tuned(size).get(task.tuned_on, {})


def config(method: str, task: Task, size: str, overrides: dict[str, Any] | None = None) -> Any:
    """A method's resolved hyper-parameters: its defaults, the task's, the row's, the tuned ones, what the row fixes.

    Args:
        overrides: settings of a search or a user in place of the tuned ones.

    Raises:
        ValueError: a hyper-parameter that the method does not have, or a value it refuses.
    """
    row = METHODS[method]
    known = {field.name for field in fields(row.load().Config)}
    given = {**task.defaults, **(task.sizes[size].defaults if size in task.sizes else {})}
    defaults = {name: value for name, value in given.items() if name in known} | row.defaults
    params = chosen(method, task, size) if overrides is None else overrides
    try:
        return row.load().Config(**{**defaults, **params, **row.fixed})
    except TypeError as error:
        raise ValueError(f"{method}: {error}") from error
