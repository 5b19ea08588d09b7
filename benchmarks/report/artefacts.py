"""What an experiment leaves behind: tables and figures with their data, on screen and in the results folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rich.console import Console, Group

from benchmarks.analysis import claims as ledger
from benchmarks.analysis import slopes as theory
from benchmarks.core import paths
from benchmarks.records.record import Record, Spec
from benchmarks.registry import experiments, tasks
from benchmarks.report import figures, tables
from benchmarks.report import reproduction as report
from benchmarks.runs.run import Run

Pairs = list[tuple[Spec, Record | None]]


def live(console: Console, runs: list[Run], records: dict[str, Record]) -> Group:
    """The tables as they stand while cells come in, without notes: of those that show something, the last that fit."""
    pairs = [(run.spec, records.get(run.key)) for run in runs]
    grids = [tables.grid(group, cells) for group, cells in tables.cells(pairs).items()]
    filled = [grid for grid in grids if any(cell.text for row in grid.rows for cell in row[2:])] or grids[:1]
    shown: list[Group] = []
    room = console.height - 8  # the workers' lines and the bar stand below
    for grid in reversed(filled):
        room -= len(grid.rows) + 5
        if shown and room < 0:
            break
        shown.insert(0, grid.rich(console.width, notes=False))
    return Group(*shown)


def files_of(name: str, chosen: set[str]) -> str:
    """What an experiment's files are called: by its name, and where its tasks are not its own, by theirs too."""
    own = set(experiments.EXPERIMENTS[name].tasks)
    foreign = sorted(task for task in chosen if tasks.get(task).family not in own)
    return "-".join([name, *foreign])


def write(name: str, pairs: Pairs, absent: dict[str, str], folder: Path, console: Console, files: str) -> list[Path]:
    """Write an experiment's table (CSV, Markdown, LaTeX) and, for a curve, its figure; print the table."""
    groups = tables.cells(pairs)
    size = next((spec.size for spec, _ in pairs), "")
    grids = [tables.grid(group, cells, beside(group, size, folder)) for group, cells in groups.items()]
    missing = [f"Task {task} is unavailable: {reason}" for task, reason in absent.items()]
    for grid in grids:
        console.print(grid.rich(console.width))
    frame = tables.summary(groups)
    written = [
        _write(folder / f"{files}.csv", tables.to_csv(frame)),
        _write(folder / f"{files}.md", "\n".join([*(grid.markdown() for grid in grids), *missing])),
        _write(folder / f"{files}.tex", "\n".join(grid.latex() for grid in grids)),
    ]
    drawn = experiments.EXPERIMENTS[name].figure if len(frame) else ""
    if drawn == "slopes":
        written += theory.write(groups, folder / files)
        for line in theory.lines(theory.slopes(groups)):
            console.print(line, markup=False)
    elif drawn == "curve":
        multipliers = figures.multipliers(groups)
        written += figures.budget_curve(groups, multipliers, folder / files)
        for line in figures.multiplier_lines(multipliers):
            console.print(line, markup=False)
    for line in missing:
        console.print(line, markup=False)
    console.print("written: " + ", ".join(str(path) for path in written), markup=False)
    return written


def beside(group: tables.Group, size: str, folder: Path) -> dict[str, dict[str, str]]:
    """Columns before one's own numbers: the paper's that are confirmed, and the committed reference's."""
    metric = tasks.get(group[0]).metric
    out = ledger.columns(group, metric)
    if paths.REFERENCE not in folder.resolve().parents and (found := _reference(size).get(group)):
        out["reference %"] = tables.column(found, metric)
    return out


@cache
def _reference(size: str) -> dict[tables.Group, tables.Cells]:
    return report.cells(paths.REFERENCE / size)


def _write(path: Path, text: str) -> Path:
    with paths.atomic(path) as temporary:
        temporary.write_text(text)
    return path
