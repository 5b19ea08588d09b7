"""Rows that decode samples of the generator's prior, on tasks whose own generator has none."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.core.errors import tell_once
from benchmarks.registry.methods import METHODS
from benchmarks.task import Task
from benchmarks.teachers import own


def unfit(row: str, task: Task) -> str:
    """Why a row cannot run on a task at its size, for want of a prior; "" if it can. Asks for a user's own teacher."""
    if not METHODS[row].needs_prior or "generator" not in task.own:
        return ""
    generator = own.given(task)[0][0]
    if callable(getattr(generator, "sample_prior", None)):
        return ""
    return f"it decodes samples of a prior, and the generator of {task.name} has none (no sample_prior)"


def fitting(rows: Iterable[str], task: Task) -> tuple[str, ...]:
    """The rows that can run on a task at its size; a line says once which are left out."""
    rows = tuple(rows)
    left_out = [row for row in rows if unfit(row, task)]
    if left_out:
        told = f"{', '.join(left_out)} cannot run and {'are' if len(left_out) > 1 else 'is'} left out"
        tell_once(f"{task.name}: its generator has no prior to sample from (no sample_prior), so {told}")
    return tuple(row for row in rows if row not in left_out)
