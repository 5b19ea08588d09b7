"""A method's resolved hyper-parameters: defaults, what a search chose, what a row fixes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.core.paths import REFERENCE
from benchmarks.registry import tasks
from benchmarks.registry.methods import METHODS, fact
from benchmarks.task import Task


class Place(NamedTuple):
    """What a search is made for: a task, a kind of teacher, and about so many labelled samples."""

    task: str
    teacher: str
    budget: int

    def __str__(self) -> str:
        return f"{self.task} {self.teacher} {self.budget}"


#: What searches chose: by place (as text) and method, {"params": ..., ...}.
Tuned = dict[str, dict[str, dict[str, Any]]]
#: Version of the search, kept beside what it chose: rows that another version chose for are not tuned alike.
SEARCH = 3


def place_of(task: Task, size: str, teacher: str, budget: int) -> Place:
    """The search that serves a run: of the task it is tuned on, its teacher's kind, the nearest budget by ratio."""
    home = tasks.get(task.tuned_on).sizes[size]
    return Place(task.tuned_on, teacher, min(home.searched, key=lambda one: abs(math.log(one / budget))))


@cache
def tuned(size: str) -> Tuned:
    """What the committed searches chose on validation data, by the target `tune`."""
    return read_tuned(REFERENCE / size / "tuned.json")


def read_tuned(path: Path) -> Tuned:
    """What a search left in a file; empty where there is no file. Raises ValueError naming one that is not that."""
    try:
        found = json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        raise ValueError(f"{path} is not what a search writes: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is not what a search writes: not a table of tasks")
    return found


def chosen(method: str, place: Place, size: str, other: Tuned | None = None) -> dict[str, Any] | None:
    """What a search chose for a method at a place, `other` before the committed ones; None if none has looked."""
    found = _entry(method, place, (other or {}, tuned(size)))
    return None if found is None else found["params"]


def searched(method: str, place: Place, *several: Tuned) -> bool:
    """Whether the first of several files that holds a method at a place has it from this version of the search."""
    found = _entry(method, place, several)
    return found is not None and found.get("search") == SEARCH


def alike(rows: Iterable[str], places: Iterable[Place], size: str, own: Tuned) -> tuple[str, ...]:
    """The rows that were tuned alike at all places: those that this version of the committed search has chosen for.

    Args:
        own: what a person's own searches chose: their rows are among them.

    Returns:
        All rows where the committed search has chosen for none of them, or no row is tuned at all places.
    """
    rows, places = tuple(rows), tuple(places)
    if not any(searched(row, place, tuned(size)) for row in rows for place in places):
        return rows
    return tuple(row for row in rows if all(searched(row, place, own, tuned(size)) for place in places)) or rows


def _entry(method: str, place: Place, several: tuple[Tuned, ...]) -> dict[str, Any] | None:
    rows = (found.get(str(place), {}) for found in several)
    return next((found[name] for found in rows if (name := searched_as(method)) in found), None)


def searched_as(method: str) -> str:
    """The row whose search a row's hyper-parameters come from: itself, but for longer schedules."""
    return fact(method).tuned_as or method


def config(method: str, task: Task, params: dict[str, Any]) -> Any:
    """A method's resolved hyper-parameters: its defaults, the task's, the row's, `params`, what the row fixes.

    Raises:
        ValueError: a hyper-parameter that the method does not have, or a value it refuses.
    """
    row = METHODS[method]
    known = {field.name for field in fields(row.load().Config)}
    given = {**task.defaults, **(task.size.defaults if task.scale in task.sizes else {})}
    defaults = {name: value for name, value in given.items() if name in known} | row.defaults
    try:
        return row.load().Config(**{**defaults, **params, **row.fixed})
    except TypeError as error:
        raise ValueError(f"{method}: {error}") from error
