"""How all figures look and are written: one colour and width a method, every format from one layout."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from benchmarks.core.paths import atomic
from benchmarks.records.groups import TRIAL_SIZES
from benchmarks.registry.methods import METHODS, Row, fact

matplotlib.use("agg")
matplotlib.rcParams["figure.dpi"] = 150  # as pictures are written, so that texts are measured once

#: A method whose row names no colour, such as a custom one.
OTHER = "#d62728"
#: Metadata without time stamps by format, so that the same data give the same files.
_FORMATS: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Producer": None},
    ".svg": {"Date": None, "Creator": None},
}


def _row(method: str) -> Row:
    """The row of a method; where it is only kept with its samples in a pool, that one."""
    pooled = (row for row in METHODS.values() if row.pool_of == method)
    return METHODS.get(method) or next(pooled, fact(method))


def colour(method: object) -> str:
    return _row(str(method)).colour or OTHER


def width(method: object) -> float:
    """Of a line: TGT is drawn thicker."""
    return 2.4 if _row(str(method)).is_tgt else 1.4


def save(
    figure: Figure, path: Path, suffixes: tuple[str, ...] = (".png", ".pdf", ".svg"), size: str = ""
) -> list[Path]:
    """The figure in each format, laid out once. size: of the runs, which stands in it, or above it if no result."""
    if told := TRIAL_SIZES.get(size):
        figure.text(0.5, 1.02, told, color="#b3261e", fontsize=12, ha="center", va="bottom")
    elif size:
        figure.text(1, -0.01, f"size {size}", color="#777777", fontsize=7, ha="right", va="top")
    _as_written(figure)
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        figure.set_layout_engine(None)
    box = figure.get_tightbbox()
    padded = Bbox.from_extents(box.x0 - 0.1, box.y0 - 0.1, box.x1 + 0.1, box.y1 + 0.1)
    written = []
    for suffix in suffixes:
        with atomic(path.with_suffix(suffix)) as temporary, matplotlib.rc_context({"svg.hashsalt": path.name}):
            figure.savefig(temporary, format=suffix[1:], bbox_inches=padded, metadata=_FORMATS[suffix])
        written.append(path.with_suffix(suffix))
    return written


def _as_written(figure: Figure) -> None:
    """A `$` in a name is a `$`, and begins no formula; the numbers of logarithmic axes are formulas of matplotlib's."""
    for axes in figure.axes:
        axes.get_xticklabels(), axes.get_yticklabels()  # makes them
    for text in figure.findobj(Text):
        if "$" in text.get_text() and not text.get_text().startswith(r"$\mathdefault"):
            text.set_parse_math(False)
