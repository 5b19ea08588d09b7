"""What an experiment leaves behind: tables and figures with their data, on screen and in the results folder."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console, Group

from benchmarks import experiments, figures, paths, tables
from benchmarks.records import Record, Spec
from benchmarks.runs import Run

Pairs = list[tuple[Spec, Record | None]]


def live(width: int, name: str, runs: list[Run], records: dict[str, Record], absent: dict[str, str]) -> Group:
    """The table as it stands while cells come in."""
    pairs = [(run.spec, records.get(run.key)) for run in runs]
    grids = [tables.grid(group, cells) for group, cells in tables.cells(pairs).items()]
    # A curve has one grid a budget: on a screen the latest that has something to show is enough.
    filled = [grid for grid in grids if any(cell.text for row in grid.rows for cell in row[2:])] or grids[:1]
    return Group(*(grid.rich(width) for grid in (filled[-1:] if experiments.EXPERIMENTS[name].curve else filled)))


def write(name: str, pairs: Pairs, absent: dict[str, str], folder: Path, console: Console) -> list[Path]:
    """Write an experiment's table (CSV, Markdown, LaTeX) and, for a curve, its figure; print the table."""
    groups = tables.cells(pairs)
    grids = [tables.grid(group, cells) for group, cells in groups.items()]
    missing = [f"Task {task} is unavailable: {reason}" for task, reason in absent.items()]
    for grid in grids:
        console.print(grid.rich(console.width))
    frame = tables.summary(groups)
    written = [
        _write(folder / f"{name}.csv", tables.to_csv(frame)),
        _write(folder / f"{name}.md", "\n".join([*(grid.markdown() for grid in grids), *missing])),
        _write(folder / f"{name}.tex", "\n".join(grid.latex() for grid in grids)),
    ]
    if experiments.EXPERIMENTS[name].curve and len(frame):
        multipliers = figures.multipliers(groups)
        written += figures.budget_curve(groups, multipliers, folder / name)
        for line in figures.multiplier_lines(multipliers):
            console.print(line, markup=False)
    for line in missing:
        console.print(line, markup=False)
    console.print("written: " + ", ".join(str(path) for path in written), markup=False)
    return written


def _write(path: Path, text: str) -> Path:
    with paths.atomic(path) as temporary:
        temporary.write_text(text)
    return path
