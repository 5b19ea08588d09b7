"""Which line of a person's file did it: its lines are run one by one, and what must stay is looked at between them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any


class Lines:
    """The lines of a file at work inside `follow`.

    Attributes:
        last: the line that was at work last, None if none was.
        changed: of each fact of `probe` that changed, the line that changed it last.
    """

    def __init__(self, file: Path, probe: Callable[[], dict[str, Any]] = dict) -> None:
        self.file, self.probe = str(file), probe
        self.last: int | None = None
        self.changed: dict[str, int | None] = {}

    def follow(self, work: Callable[[], Any]) -> Any:
        """What `work` gives, its lines followed. Raises what it raises."""
        self._known, before = self.probe(), sys.gettrace()
        sys.settrace(self._look)
        try:
            return work()
        finally:
            sys.settrace(before)
            self._compare()

    def _look(self, frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename != self.file:
            return None
        self._compare()
        back = frame.f_back
        if event == "line":
            self.last = frame.f_lineno
        elif event == "return" and back is not None and back.f_code.co_filename == self.file:
            self.last = back.f_lineno
        return self._look

    def _compare(self) -> None:
        if self.last is not None:
            now = self.probe()
            self.changed |= {name: self.last for name in now if now[name] != self._known.get(name)}
            self._known = now
