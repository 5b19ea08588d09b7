"""What a comparison leaves behind: Markdown, CSV, a page, learning curves."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Console

from benchmarks.analysis import claims, learning_curves, pairwise
from benchmarks.analysis.pairwise import Pair
from benchmarks.analysis.search_orders import Orders
from benchmarks.records.groups import TRIAL_SIZES, Group, Groups, size_of
from benchmarks.report import figures, html, overviews, style, tables
from benchmarks.report.artefact import write_text
from benchmarks.report.grid import to_csv
from benchmarks.task import Task

#: The colour of a comparison's verdict on its page.
KINDS = {pairwise.BETTER: claims.SUPPORTED, pairwise.WORSE: claims.CONTRADICTED, pairwise.OPEN: claims.UNDECIDED}


def write(
    ours: str,
    groups: Groups,
    found: dict[Group, list[Pair]],
    task: Task,
    how: list[str],
    folder: Path,
    console: Console,
    warnings: list[str],
) -> None:
    """Say and write the comparison of one method with the others of a task's cells.

    Args:
        groups: of one task. found: of each, the method against its rivals. how: lines on how the comparison was made.
        warnings: what a reader must know first.
    """
    name, title = f"compare-{ours}-{task.name}", f"{ours} against its rivals on {task.title}"
    verdicts, said, versus, frames, parts = [], [], [], [], []
    size = next(filter(None, map(size_of, groups.values())), "")
    first = [*filter(None, [TRIAL_SIZES.get(size)]), *warnings]
    for group, cells in groups.items():
        verdict, kind = pairwise.verdict(ours, group, cells, found[group])
        verdicts.append((verdict, KINDS[kind]))
        said.append(pairwise.conclusion(ours, group, cells, found[group]))
        first_grid, *others = overviews.versus(found[group], size)
        versus.append([first_grid, overviews.methods(cells), *others])
        frames.append(pairwise.frame(ours, group, found[group]))
        grid = tables.grid(group, cells, orders=Orders.of(folder))
        console.print(grid.rich(console.width))
        console.print(said[-1], markup=False)
        parts += [said[-1], "", *(f"{line}  " for line in how), "", grid.markdown()]
        parts += [one.of_size(size).markdown(breaks=False) for one in versus[-1]]
    head = [f"# {title}", "", *(f"**{text[0].upper()}{text[1:]}.**  " for text in first)]
    head += [f"**{text}**  " for text, _ in verdicts] + ["", f"Size {size}.", ""]
    curves = learning_curves.frame(groups)
    written = style.save(figures.learning_curves(curves), folder / name, size=size)
    texts = {
        f"{name}-curves.csv": to_csv(curves),
        f"{name}.md": "\n".join([*head, *parts, f"![Learning curves]({name}.png)"]) + "\n",
        f"{name}.csv": to_csv(pd.concat(frames), size),
        f"{name}.html": html.comparison(
            groups, title, verdicts, [*said, *how], versus, folder / f"{name}.svg", warnings
        ),
    }
    written += [write_text(folder / file, text) for file, text in texts.items()]
    for line in [*how, *first]:
        console.print(line, markup=False)
    for text, _ in verdicts:
        console.print(text, markup=False, style="bold")
    console.print("written: " + ", ".join(str(path) for path in written), markup=False)
