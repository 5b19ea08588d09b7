"""What a comparison leaves behind: Markdown, CSV, a page, learning curves."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Console

from benchmarks.analysis import pairwise
from benchmarks.core import paths
from benchmarks.records.groups import grouped
from benchmarks.records.record import Record, Spec
from benchmarks.registry import tasks
from benchmarks.report import figures, html, tables
from benchmarks.task import Task


def write(
    ours: str,
    pairs: list[tuple[Spec, Record | None]],
    task: Task,
    alpha: float,
    how: list[str],
    folder: Path,
    console: Console,
) -> None:
    """Say and write the comparison of one method with the others of its cells.

    Args:
        task: the task of all cells, at their size. alpha: the level that corrected p values are held against.
        how: lines on how the comparison was made.
    """
    groups = grouped(pairs)
    name = f"compare-{ours}-{task.name}"
    parts, frames = [f"# {ours} against its rivals", ""], []
    told, versus = [], []
    labels = task.examples().test_labels
    for group, cells in groups.items():
        metric = tasks.get(group.task).metric
        found = pairwise.pairs(ours, cells, metric, labels if labels.ndim == 1 else None, alpha)
        said = pairwise.conclusion(ours, group, cells, found, alpha)
        grid = tables.grid(group, cells)
        console.print(grid.rich(console.width))
        console.print(said, markup=False, style="bold")
        parts += [said, "", *(f"{line}  " for line in how), "", grid.markdown()]
        told.append(said)
        versus.append(pairwise.table(found, alpha))
        parts += [*versus[-1], ""]
        frames.append(pairwise.frame(ours, group, found))
    written = figures.learning_curves(groups, folder / name)
    parts.append(f"![Learning curves]({name}.png)")
    page = html.comparison(
        groups, f"{ours} against its rivals on {task.title}", [*told, *how], versus, folder / f"{name}.svg"
    )
    files = {".md": "\n".join(parts) + "\n", ".csv": tables.to_csv(pd.concat(frames)), ".html": page}
    for suffix, text in files.items():
        with paths.atomic(folder / f"{name}{suffix}") as temporary:
            temporary.write_text(text)
        written.append(folder / f"{name}{suffix}")
    for line in how:
        console.print(line, markup=False)
    console.print("written: " + ", ".join(str(path) for path in written), markup=False)
