"""What a driver keeps ready for its nodes: files of its cache, and the word of what each is at work on.

An actor on the driver's machine. It imports little, so that it is there at once.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.core import kept


class Desk:
    """Files below some folders, and the last word of each cell."""

    def __init__(self, folders: list[Path]) -> None:
        self.folders = folders
        self.words: dict[str, tuple[float, dict[str, Any]]] = {}

    def file(self, name: str, sha256: str = "") -> tuple[str, bytes] | None:
        """SHA-256 and content of the file of a name, and of a hash where one is asked for; None where there is none."""
        for path in (folder / name for folder in self.folders):
            if path.is_file() and (found := kept.found(path)) == (sha256 or found):
                return found, path.read_bytes()
        return None

    def tell(self, cell: str, word: dict[str, Any]) -> None:
        self.words[cell] = time.monotonic(), word

    def told(self) -> dict[str, dict[str, Any]]:
        """Of each cell its last word, and how many seconds ago it came (`silent`)."""
        return {cell: {**word, "silent": time.monotonic() - at} for cell, (at, word) in self.words.items()}
