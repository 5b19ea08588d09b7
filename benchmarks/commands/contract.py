"""The contract of methods from outside, checked before any run of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from benchmarks.core.errors import BadInput, tell_once
from benchmarks.registry import tasks
from benchmarks.registry.methods import METHODS


def breaches(methods: Iterable[str], on: Iterable[str], unchecked: bool) -> list[str]:
    """What methods break of the contract on tasks of these kinds, a line each; the suite's own are not looked at.

    Raises:
        BadInput: one breaks it, and nobody said --unchecked.
    """
    domains = frozenset(tasks.get(name).domain for name in on)
    found = [told for name in methods if METHODS[name].packages and (told := _breach(name, domains))]
    if found and not unchecked:
        raise BadInput(f"{found[0]}; ./reproduce.sh validate checks it, --unchecked runs it all the same")
    for told in found:
        tell_once(told)
    return found


@cache
def _breach(name: str, domains: frozenset[str]) -> str:
    """The first thing that a method breaks; "" of one that keeps the contract."""
    from benchmarks.runs.scheduler import one_thread
    from benchmarks.validation import method_checks, toys

    one_thread()
    modalities = tuple(m for m in toys.MODALITIES if m in domains) or toys.MODALITIES[:1]
    found = next((one for one in method_checks.method(name, modalities) if one.broken), None)
    return f"{name} breaks the contract: {found.cause}" if found else ""
