"""Rows that use more of a generator than each has, a prior above all, on tasks whose own generator lacks it."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.core.errors import tell_once
from benchmarks.registry.methods import METHODS
from benchmarks.task import Task
from benchmarks.teachers import own


def unfit(row: str, task: Task) -> str:
    """Why a row cannot run on a task at its size, for want of a prior; "" if it can. Asks for a user's own teacher."""
    absent = _absent(row, task)
    return f"it cannot run, for the generator of {task.name} has no {absent}" if absent else ""


def _absent(row: str, task: Task) -> str:
    """What a row uses of a generator and the task's own has not; "" if it has all."""
    of = METHODS[row]
    if not (of.needs_prior or of.generator_has) or "generator" not in task.own:
        return ""
    generator = own.given(task)[0][0]
    if of.needs_prior and not callable(getattr(generator, "sample_prior", None)):
        return "prior to sample from (no sample_prior)"
    return ", no ".join(name for name in of.generator_has if not callable(getattr(generator, name, None)))


def fitting(rows: Iterable[str], task: Task) -> tuple[str, ...]:
    """The rows that can run on a task at its size; a line says once which are left out."""
    absent = {row: _absent(row, task) for row in rows}
    for what in filter(None, dict.fromkeys(absent.values())):
        rows = [row for row in absent if absent[row] == what]
        told = f"{', '.join(rows)} cannot run and {'are' if len(rows) > 1 else 'is'} left out"
        tell_once(f"{task.name}: its generator has no {what}, so {told}")
    return tuple(row for row in absent if not absent[row])
