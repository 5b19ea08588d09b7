"""The tasks, by name: every class in `benchmarks/tasks/` that has one, and those of files that were registered."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from benchmarks import tasks
from benchmarks.core.errors import unknown
from benchmarks.task import Task

DOMAINS = ("image", "text", "retrieval", "vector")  # the order of lists


def _built_in() -> dict[str, Task]:
    found: list[Task] = []
    for info in pkgutil.iter_modules(tasks.__path__, f"{tasks.__name__}."):
        for cls in vars(importlib.import_module(info.name)).values():
            if isinstance(cls, type) and issubclass(cls, Task) and cls.name and cls.__module__ == info.name:
                found += cls.all()
    read: dict[str, Any] = {}
    for task in found:
        if read.setdefault(task.dataset, type(task).data) is not type(task).data:
            raise ValueError(f"{type(task).__module__}: {task.name} reads other data by the name {task.dataset!r}")
    found.sort(key=lambda task: DOMAINS.index(task.domain) if task.domain in DOMAINS else len(DOMAINS))
    return {task.name: task for task in found}


TASKS = _built_in()


def get(name: str) -> Task:
    """A task by its name. Raises ValueError naming the tasks there are."""
    if name in TASKS:
        return TASKS[name]
    family, _, ratio = name.rpartition("-r")
    if family in TASKS and TASKS[family].profile.kind == "exponential" and ratio.isdigit() and int(ratio) >= 1:
        return TASKS[family].with_ratio(int(ratio))
    raise ValueError(unknown("task", name, TASKS))


def known(name: str) -> bool:
    try:
        get(name)
    except ValueError:
        return False
    return True
