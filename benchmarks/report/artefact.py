"""One thing that a results folder holds besides records: files of one stem, what makes them and what they show."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.core import paths
from benchmarks.records.groups import Groups
from benchmarks.report.grid import Grid, to_csv

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Artefact:
    """A table or a figure with its data, or a text. Its tables, further files and figure are made when asked for.

    Attributes:
        name: the files' stem. about: what they show, in one line. target: of the command that makes them, with its
            options; none of what has a page of its own.
        frames: its data, each a CSV, by the files' stems.
        tables: gives its tables as people read them. groups: the groups that these are of, one each, if they are.
        texts: gives the content of a further file, by suffix.
        drawing: the function of `report.figures` that draws it, with its arguments.
        lines: what is said of it on the terminal, below its tables.
        size: of its runs; what it shows of a size that gives no results says so.
    """

    name: str
    about: str = ""
    target: str = "report"
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    tables: Callable[[], Iterable[Grid]] = tuple
    groups: Groups = field(default_factory=dict)
    texts: dict[str, Callable[[Artefact], str]] = field(default_factory=dict)
    drawing: tuple[str, tuple[Any, ...]] | None = None
    lines: tuple[str, ...] = ()
    size: str = ""

    @property
    def command(self) -> str:
        return f"./reproduce.sh {self.target}" if self.target else ""

    @cached_property
    def grids(self) -> list[Grid]:
        return [grid.of_size(self.size) for grid in self.tables()]

    @property
    def csvs(self) -> dict[str, str]:
        """Its CSVs by the names of their files."""
        return {f"{stem}.csv": to_csv(frame, self.size) for stem, frame in self.frames.items()}

    @cached_property
    def contents(self) -> dict[str, str]:
        """All its files but the figure, by their names."""
        return self.csvs | {self.name + suffix: text(self) for suffix, text in self.texts.items()}

    def write(self, folder: Path) -> list[Path]:
        """Write all its files."""
        written = [write_text(folder / file, text) for file, text in self.contents.items()]
        if self.drawing is not None:
            from benchmarks.report import figures, style

            draw, arguments = self.drawing
            written += style.save(getattr(figures, draw)(*arguments), folder / self.name, size=self.size)
        return written


def write_text(path: Path, text: str) -> Path:
    """Write a file whole or not at all."""
    if path.suffix == ".md":  # the suite writes no HTML there: a tag is part of a name, of a user's text
        text = re.sub(r"(?<!\\)<(?=[A-Za-z/!?])", r"\\<", text)
    with paths.atomic(path) as temporary:
        temporary.write_text(text)
    return path
