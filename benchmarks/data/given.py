"""Files that only the user can bring: where they are expected, and what is told where they are not there.

They lie below one folder, that `--data` names at the paper's size, and are read where they lie.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.data.asset import Unavailable


@dataclass(frozen=True)
class Given:
    """A file or a folder.

    Attributes:
        path: below the folder of all. source: from where it comes. terms: what its user agrees to there. gigabytes: of
            all that it holds, about.
    """

    path: str
    source: str
    terms: str
    gigabytes: float

    @property
    def where(self) -> Path:
        return (folder() or Path("DIR")) / self.path

    @property
    def there(self) -> bool:
        return folder() is not None and self.where.exists()

    def need(self) -> Path:
        """Where it lies. Raises Unavailable in a line that says what is missing and from where it comes."""
        if not self.there:
            hint = "" if folder() else "; --data DIR names the folder"
            raise Unavailable(f"there is no {self.where}{hint} (from {self.source}: {self.terms})")
        return self.where


def folder() -> Path | None:
    """`$TGT_DATA`, which `--data` sets for a command and its workers."""
    found = os.environ.get("TGT_DATA")
    return Path(found).expanduser().resolve() if found else None
