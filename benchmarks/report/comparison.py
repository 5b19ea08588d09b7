"""What a comparison leaves behind: Markdown, CSV, a page, learning curves."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Console

from benchmarks.analysis import learning_curves, pairwise
from benchmarks.analysis.pairwise import Pair
from benchmarks.analysis.search_orders import Orders
from benchmarks.records.groups import Group, Groups
from benchmarks.report import figures, html, overviews, style, tables
from benchmarks.report.artefact import write_text
from benchmarks.report.grid import to_csv
from benchmarks.task import Task


def write(
    ours: str,
    groups: Groups,
    found: dict[Group, list[Pair]],
    task: Task,
    how: list[str],
    folder: Path,
    console: Console,
) -> None:
    """Say and write the comparison of one method with the others of a task's cells.

    Args:
        groups: of one task. found: of each, the method against its rivals. how: lines on how the comparison was made.
    """
    name = f"compare-{ours}-{task.name}"
    said, versus, frames, parts = [], [], [], [f"# {ours} against its rivals", ""]
    for group, cells in groups.items():
        said.append(pairwise.conclusion(ours, group, cells, found[group]))
        versus.append(overviews.versus(found[group]))
        frames.append(pairwise.frame(ours, group, found[group]))
        grid = tables.grid(group, cells, orders=Orders.of(folder))
        console.print(grid.rich(console.width))
        console.print(said[-1], markup=False, style="bold")
        parts += [said[-1], "", *(f"{line}  " for line in how), "", grid.markdown()]
        parts += [versus[-1].markdown(breaks=False)]
    curves = learning_curves.frame(groups)
    written = style.save(figures.learning_curves(curves), folder / name)
    title = f"{ours} against its rivals on {task.title}"
    texts = {
        f"{name}-curves.csv": to_csv(curves),
        f"{name}.md": "\n".join([*parts, f"![Learning curves]({name}.png)"]) + "\n",
        f"{name}.csv": to_csv(pd.concat(frames)),
        f"{name}.html": html.comparison(groups, title, [*said, *how], versus, folder / f"{name}.svg"),
    }
    written += [write_text(folder / file, text) for file, text in texts.items()]
    for line in how:
        console.print(line, markup=False)
    console.print("written: " + ", ".join(str(path) for path in written), markup=False)
