"""What a method pays: counters and exclusive phase timers, kept by the wrappers and never by a method's own word."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Costs:
    """Counts of expensive calls, and seconds by phase.

    Phases nest: time spent in an inner phase is taken out of the outer one, so that the phases of a run add up to its
    wall-clock time less an untracked rest.

    Args:
        synchronise: waits for a device's work to be done; called before each look at the clock. None on a CPU.
    """

    def __init__(self, synchronise: Callable[[], None] | None = None) -> None:
        self._synchronise = synchronise
        self.counts: dict[str, int] = defaultdict(int)
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner: list[float] = []

    def add(self, name: str, count: int) -> None:
        self.counts[name] += count

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Charge the enclosed seconds to `name`, less what inner phases charged."""
        start = self._now()
        self._inner.append(0.0)
        try:
            yield
        finally:
            elapsed = self._now() - start
            self.seconds[name] += elapsed - self._inner.pop()
            if self._inner:
                self._inner[-1] += elapsed

    def _now(self) -> float:
        if self._synchronise is not None:
            self._synchronise()
        return time.perf_counter()
