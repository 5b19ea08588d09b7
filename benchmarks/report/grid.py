"""A table as people read it: one value, shown alike on a terminal, in Markdown, in LaTeX and on a page."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmarks.records.groups import TRIAL_SIZES

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group


@dataclass(frozen=True)
class Cell:
    """Text of a table.

    Attributes:
        link: the id of a part of the page that it leads to.
        kind: on a page, "code", or the verdict whose colour it has.
    """

    text: str
    bold: bool = False
    link: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Grid:
    """A title, column heads, rows of cells, notes below.

    Attributes:
        align: of each column, l(eft), r(ight) or w(ords that wrap); none: the first to the left, others to the right.
        id: of its place on a page.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    notes: tuple[str, ...] = ()
    align: str = ""
    id: str = ""

    @classmethod
    def of(cls, heads: Iterable[str], rows: Iterable[Iterable[str | Cell]], **more: Any) -> Grid:
        """From rows of texts and cells."""
        cells = (tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row) for row in rows)
        return cls(tuple(heads), tuple(cells), **more)

    @classmethod
    def of_frame(cls, frame: pd.DataFrame, **more: Any) -> Grid:
        """From a data frame, numbers to three digits, what is missing left empty."""
        import pandas as pd

        def text(value: Any) -> str:
            return "" if pd.isna(value) else f"{value:.3g}" if isinstance(value, float) else str(value)

        heads = (str(name).replace("_", " ") for name in frame.columns)
        return cls.of(heads, ([text(value) for value in row] for row in frame.to_numpy()), **more)

    @property
    def sides(self) -> str:
        """Of each column, as `align` has it."""
        return self.align or "l" + "r" * (len(self.heads) - 1)

    def turned(self) -> Grid:
        """Its columns as rows: a table of few rows and many columns, for a page."""
        head, *columns = zip(*self.rows, strict=True)
        rows = tuple((Cell(name), *cells) for name, cells in zip(self.heads[1:], columns, strict=True))
        return replace(self, heads=("", *(cell.text for cell in head)), rows=rows, align="")

    def of_size(self, size: str) -> Grid:
        """The table of runs of a size, which its title says; where their numbers mean nothing, it says that too."""
        told = f"(size {size}: no result)" if size in TRIAL_SIZES else f"(size {size})" if size else ""
        return self if told in self.title else replace(self, title=f"{self.title} {told}".strip())

    def rich(self, width: int, notes: bool = True) -> Group:
        """For a terminal of `width` columns; what does not fit is left out from the right, and that is said."""
        from rich import box
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        # Text, a space on either side, and the box's divider.
        widths = [3 + max(len(head), *(len(row[i].text) for row in self.rows)) for i, head in enumerate(self.heads)]
        shown = max((n for n in range(2, len(widths) + 1) if sum(widths[:n]) <= width), default=2)
        table = Table(title=Text(self.title, "bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for head, side in zip(self.heads[:shown], self.sides, strict=False):
            table.add_column(Text(head), justify="right" if side == "r" else "left", no_wrap=True)
        for row in self.rows:
            table.add_row(*(Text(cell.text, "bold" if cell.bold else "") for cell in row[:shown]))
        below = list(self.notes) if notes else []
        if shown < len(self.heads):
            below.append(f"Left out for want of width: {', '.join(self.heads[shown:])}.")
        return Group(table, *(Text(note, "dim") for note in below), Text(""))

    def markdown(self, breaks: bool = True) -> str:
        """With a line's break after each note, unless there is to be none."""
        rules = "".join("|---:" if side == "r" else "|---" for side in self.sides)
        lines = [f"### {plain(self.title)}", ""] if self.title else []
        heads = (f" {plain(head, table=True)} ".replace("  ", " ") for head in self.heads)
        lines += ["|" + "|".join(heads) + "|", rules + "|"]
        for row in self.rows:
            texts = (_marked(cell, side) for cell, side in zip(row, self.sides, strict=True))
            lines.append("| " + " | ".join(texts) + " |")
        return "\n".join([*lines, "", *(plain(note) + "  " * breaks for note in self.notes), *[""] * bool(self.notes)])

    def latex(self) -> str:
        """A table as wide as the text (needs the packages booktabs and graphicx)."""

        def line(cells: Iterable[str]) -> str:
            return " & ".join(cells) + r" \\"

        def text(cell: Cell) -> str:
            return rf"\textbf{{{_escape(cell.text)}}}" if cell.bold else _escape(cell.text)

        columns = self.sides.replace("w", "l")
        notes = r"\\ ".join(map(_escape, self.notes))
        return "\n".join(
            [
                r"\begin{table}[t]",
                rf"\caption{{{_escape(self.title)}}}",
                rf"\resizebox{{\textwidth}}{{!}}{{\begin{{tabular}}{{{columns}}}",
                r"\toprule",
                line(map(_escape, self.heads)),
                r"\midrule",
                *(line(map(text, row)) for row in self.rows),
                r"\bottomrule",
                r"\end{tabular}}",
                rf"\par\footnotesize {notes}",
                r"\end{table}",
                "",
            ]
        )


def _marked(cell: Cell, side: str) -> str:
    """As Markdown, where what people wrote must not be taken for marks."""
    told = " ".join(cell.text.splitlines())
    text = re.sub(r"([|*_`<\[])", r"\\\1", told) if side == "w" else plain(told, table=True)
    return f"**{text}**" if cell.bold else text


def plain(text: str, table: bool = False) -> str:
    """Text for Markdown in one line, where a name can be neither a tag nor a link, nor end a table's cell."""
    marks = r"<(?=[A-Za-z/!?])|(?<=\])\(" + (r"|(?<!\\)\|" if table else "")
    return re.sub(marks, r"\\\g<0>", " ".join(text.splitlines()))


#: Of LaTeX, what stands for each sign that is more than itself there.
_TEX = str.maketrans({
    "\\": r"\textbackslash ", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde ", "^": r"\textasciicircum ", "\n": " ", "\r": " ",
    "±": r"$\pm$", "Δ": r"$\Delta$", "–": "--", "≥": r"$\geq$", "<": r"$<$", ">": r"$>$",
})  # fmt: skip


def _escape(text: str) -> str:
    return text.translate(_TEX)


def id_of(*parts: object) -> str:
    """A name for a place on a page."""
    return "-".join(re.sub(r"[^a-z0-9]+", "-", str(part).lower()) for part in parts)


#: Columns that say how sure a difference is.
_TESTS = re.compile("p|p_.*|.*_p|detectable")


def to_csv(frame: pd.DataFrame, size: str = "") -> str:
    """Six decimals: more than any digit that means something, few enough that a table stays readable.

    Args:
        size: of the runs; where their numbers mean nothing, the columns of p values are left empty.
    """
    if size in TRIAL_SIZES:
        frame = frame.assign(**{name: math.nan for name in map(str, frame.columns) if _TESTS.fullmatch(name)})
    return without_formulas(frame).to_csv(index=False, float_format="%.6f", lineterminator="\n")


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose texts no spreadsheet takes for formulas: an apostrophe stands before those that begin as one."""
    from pandas.api.types import is_numeric_dtype

    texts = [name for name, kind in frame.dtypes.items() if not is_numeric_dtype(kind)]
    return frame.assign(**{str(name): frame[name].map(_no_formula) for name in texts}).rename(columns=_no_formula)


def _no_formula(value: Any) -> Any:
    if not (isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))):
        return value
    try:
        float(value)
    except ValueError:
        return "'" + value
    return value
