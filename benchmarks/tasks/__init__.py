"""The tasks, by name."""

from dataclasses import replace

from benchmarks.splits import Profile
from benchmarks.tasks import images, manifold, retrieval, text
from benchmarks.tasks.base import SIZES, Examples, Networks, Size, Task

TASKS = {**images.TASKS, **text.TASKS, **retrieval.TASKS, **manifold.TASKS}

__all__ = ["SIZES", "TASKS", "Examples", "Networks", "Size", "Task", "get", "known", "with_ratio"]


def with_ratio(name: str, ratio: int) -> str:
    """Name of an exponential task at another imbalance ratio, such as fashion-lt-r50."""
    task = get(name)
    if task.profile.kind != "exponential":
        raise ValueError(f"{name} has no imbalance ratio to set: its classes are {task.profile.kind}")
    return task.family if ratio == TASKS[task.family].profile.ratio else f"{task.family}-r{ratio}"


def known(name: str) -> bool:
    """Whether there is a task of this name."""
    try:
        get(name)
    except ValueError:
        return False
    return True


def get(name: str) -> Task:
    """A task by its name. Raises ValueError naming the tasks there are."""
    if name in TASKS:
        return TASKS[name]
    family, _, ratio = name.rpartition("-r")
    if family in TASKS and TASKS[family].profile.kind == "exponential" and ratio.isdigit() and int(ratio) >= 1:
        return replace(TASKS[family], name=name, family_name=family, profile=Profile("exponential", float(ratio)))
    raise ValueError(f"unknown task {name!r}; there are {', '.join(TASKS)}")
