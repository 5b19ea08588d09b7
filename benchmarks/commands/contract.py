"""The contract of methods from outside, checked before any run of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from benchmarks.core.errors import BadInput, tell_once
from benchmarks.registry import tasks
from benchmarks.registry.methods import METHODS
from benchmarks.registry.tasks import TASKS

if TYPE_CHECKING:
    from benchmarks.validation.outcome import Outcome


def breaches(methods: Iterable[str], on: Iterable[str], unchecked: bool, jobs: int = 1) -> list[str]:
    """What methods break of the contract on tasks of these kinds, a line each; the suite's own are not looked at.

    Raises:
        BadInput: one breaks it, and nobody said --unchecked.
    """
    domains = frozenset(tasks.get(name).domain for name in on)
    found = [told for name in methods if METHODS[name].packages and (told := _breach(name, domains, jobs))]
    if found and not unchecked:
        raise BadInput(f"{found[0]}; ./reproduce.sh validate checks it, --unchecked runs it all the same")
    for told in found:
        tell_once(told)
    return found


@cache
def _breach(name: str, domains: frozenset[str], jobs: int) -> str:
    """The first thing that a method breaks; "" of one that keeps the contract."""
    found = next((one for one in outcomes(name, domains, jobs) if one.broken), None)
    return f"{name} breaks the contract: {found.cause}" if found else ""


def outcomes(name: str, domains: frozenset[str] = frozenset(), jobs: int = 1) -> list[Outcome]:
    """The checks of a method (on these kinds of data, if there are any) or task, made in a process that may die."""
    from benchmarks.runs import workers
    from benchmarks.validation.outcome import Outcome

    found = workers.apart(_checked, name, domains, jobs=jobs)
    if isinstance(found, workers.Died):
        told = f"{name} takes down the process that it is at work in: {found.reason}"
        return [Outcome("", "its checks come to an end", told)]
    return found


def _checked(name: str, domains: frozenset[str]) -> list[Outcome]:
    from benchmarks.runs.scheduler import one_thread
    from benchmarks.validation import method_checks, task_checks, toys  # they need the networks of all modalities

    one_thread()
    if name in TASKS:
        return list(task_checks.task(TASKS[name]))
    modalities = tuple(m for m in toys.MODALITIES if m in domains) or toys.MODALITIES[: 1 if domains else None]
    return list(method_checks.method(name, modalities))
