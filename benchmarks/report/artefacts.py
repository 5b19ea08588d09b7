"""All that a results folder holds besides records, as one list: `of`.

`report` writes it, `check` compares it, the page shows it with its commands and captions.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.analysis import ablation, aggregate, diagnostics, ledger, multipliers, slopes, summary, time_to_accuracy
from benchmarks.analysis.search_orders import FILE as ORDERS
from benchmarks.analysis.search_orders import Orders
from benchmarks.analysis.search_value import SearchValue
from benchmarks.core import paths
from benchmarks.records.groups import Groups, grouped
from benchmarks.records.record import Record, Spec
from benchmarks.records.results import Results
from benchmarks.registry import tasks
from benchmarks.registry.experiments import EXPERIMENTS, Choice
from benchmarks.registry.targets import TARGETS
from benchmarks.report import html, overviews, reproduction, tables
from benchmarks.report.artefact import Artefact
from benchmarks.report.grid import Grid

if TYPE_CHECKING:
    from rich.console import Console
    from rich.console import Group as Shown


def of(results: Results, choice: Choice, reference: Results | None = None) -> Iterator[Artefact]:
    """Each artefact that applies to a folder's records made with the choice's settings, or that another command left.

    Args:
        reference: the committed reference's records, for comparison; may be `results` itself.

    Raises:
        ValueError: records of different teachers meet.
    """
    found = [replace(one, size=choice.size) for one in _of_records(results, reference, choice)]
    folder = folder_of(results.folder, choice.settings)
    found += _left(folder, {artefact.name for artefact in found})
    yield from found
    if reference is not None:
        yield from _whole(results, reference, choice, found)


def folder_of(folder: Path, settings: str) -> Path:
    """Where the artefacts of runs with these settings are kept, apart from those of the tables' own runs."""
    return folder / "set" / settings if settings else folder


def reference_of(results: Results, size: str) -> Results:
    """The committed reference of a size: `results` itself, if they are that."""
    folder = paths.REFERENCE / size
    return results if results.folder.resolve() == folder.resolve() else Results.load(folder)


def _of_records(results: Results, reference: Results | None, choice: Choice) -> Iterator[Artefact]:
    groups = results.groups(choice.settings)
    beside = reference.groups() if reference is not None and reference is not results else {}
    for files, (name, found) in results.tables(choice.settings).items():
        yield _experiment(name, files, found, beside, Orders.of(results.folder))
    yield from filter(None, (of_ablation(name, results, choice) for name in ablation.ABLATIONS))
    if scores := aggregate.scores(groups):
        frame = aggregate.frame(scores)
        yield Artefact(
            "aggregate",
            "all tasks at once: means, ranks and performance profile",
            frames={"aggregate": frame},
            tables=lambda: [overviews.aggregate(scores, frame, choice.size)],
            texts={".md": lambda self: self.grids[0].markdown(breaks=False)},
            drawing=("aggregate", (scores,)),
        )
    if len(seen := diagnostics.frame(groups)):
        about = "what students agree on with their labeler, and what methods show them"
        yield Artefact("diagnostics", about, frames={"diagnostics": seen}, tables=lambda: overviews.diagnosed(seen))
    if len(paid := time_to_accuracy.frame(groups)):
        head = "\n".join(["# Time-to-accuracy", "", time_to_accuracy.NOTE, "", ""])
        yield Artefact(
            "price",
            "what a run pays until it is as good as distillation at its end",
            frames={"price": paid},
            tables=lambda: overviews.prices(paid),
            texts={".md": lambda self: head + "\n".join(grid.markdown() for grid in self.grids)},
        )


def of_search(*folders: Path) -> Artefact:
    """What the searches in results folders are worth: the expected best score by trials, and the orders they decide."""
    value = SearchValue.load(*folders)
    expected = value.expected()
    frames = {"search": expected, ORDERS.removesuffix(".csv"): value.orders()}
    return Artefact(
        "search",
        "the expected best score of a search by its number of trials",
        "tune",
        frames,
        drawing=("search", (expected,)) if len(expected) else None,
    )


def of_ablation(name: str, results: Results, choice: Choice) -> Artefact | None:
    """The figure of an ablation; None of fewer than two values."""
    one, frame = ablation.ABLATIONS[name], ablation.frame(name, results, choice)
    if frame.empty:
        return None
    return Artefact(
        name, TARGETS[name].about, name, {name: frame}, drawing=("ablation", (one, frame)), size=choice.size
    )


def of_experiment(
    name: str, pairs: list[tuple[Spec, Record | None]], told: Iterable[str], reference: Groups, orders: Orders
) -> Artefact:
    """The tables of some cells of an experiment, recorded or still to come.

    Args:
        told: lines on what a reader of the tables must know, such as a task whose data cannot be had.
        reference: the committed reference's groups, for a column of their own. orders: what the searches say.
    """
    foreign = {spec.task for spec, _ in pairs if tasks.get(spec.task).family not in EXPERIMENTS[name].tasks}
    made = _experiment(name, "-".join([name, *sorted(foreign)]), grouped(pairs), reference, orders, told)
    return replace(made, size=pairs[0][0].size if pairs else "")


def _experiment(
    name: str, files: str, groups: Groups, reference: Groups, orders: Orders, told: Iterable[str] = ()
) -> Artefact:
    experiment = EXPERIMENTS[name]
    frame = summary.frame(groups)
    frames, lines = {files: frame}, []
    if experiment.figure == "curve":
        frames[f"{files}-multiplier"] = found = multipliers.frame(groups)
        lines = [*multipliers.lines(found)]
    elif experiment.figure == "slopes":
        frames[f"{files}-slopes"] = found = slopes.frame(groups)
        lines = [*slopes.lines(found)]
    published = ledger.numbers()

    def grids() -> Iterator[Grid]:
        for group, cells in groups.items():
            metric = tasks.get(group.task).metric
            beside = ledger.columns(group, metric, published)
            if group in reference:
                beside["reference %"] = tables.column(reference[group], metric)
            yield tables.grid(group, cells, beside, orders)

    draw = {"curve": "budget_curve", "slopes": "slopes"}.get(experiment.figure) if len(frame) else None
    further = files.removeprefix(name).removeprefix("-")
    return Artefact(
        files,
        TARGETS[name].about,
        name + (f" --tasks {further}" if further else ""),
        frames,
        grids,
        groups,
        texts={
            ".md": lambda self: "\n".join([*(grid.markdown() for grid in self.grids), *told]),
            ".tex": lambda self: "\n".join(grid.latex() for grid in self.grids),
        },
        drawing=(draw, tuple(frames.values())) if draw else None,
        lines=(*lines, *told),
    )


def _left(folder: Path, made: set[str]) -> Iterator[Artefact]:
    """What other commands than `report` have left in a folder, made from more than records."""

    def left(stem: str, tables: Callable[[], Iterable[Grid]] = tuple) -> Artefact:
        target, _, task = stem.partition("-")
        if target not in TARGETS or TARGETS[target].words:  # such as a comparison, which has a page of its own
            return Artefact(stem, target="", tables=tables)
        return Artefact(stem, TARGETS[target].about, target + (f" --tasks {task}" if task else ""), tables=tables)

    for path in sorted(folder.glob("fig1-*.png")):
        yield left(path.stem, partial(_texts, path.with_suffix(".csv")))
    if (path := folder / "teachers.csv").exists():
        yield left("teachers", lambda: [Grid.of_frame(pd.read_csv(path))])
    ours = (*TARGETS, "search")  # a figure by another name was not written by the suite
    stems = [path.stem for path in sorted(folder.glob("*.svg"))]
    yield from (left(stem) for stem in stems if stem not in made and any(f"{stem}-".startswith(f"{t}-") for t in ours))


def _texts(path: Path) -> Iterator[Grid]:
    """The tables of figure 1's texts, of its CSV; none of images."""
    found = pd.read_csv(path, keep_default_na=False) if path.exists() else pd.DataFrame()
    if "text" in found:
        yield from overviews.decoded(found)


def _whole(results: Results, reference: Results, choice: Choice, found: list[Artefact]) -> Iterator[Artefact]:
    """The report and the page, which are of all the others."""
    yield Artefact(
        "report",
        "results compared with the reference, and the verdicts on the claims",
        texts={".md": lambda self: reproduction.text(results, reference, found, choice)},
    )
    title = "TGT suite: " + ("the reference" if results is reference else "your results")
    folder = folder_of(results.folder, choice.settings)
    yield Artefact("index", "all of it", texts={".html": lambda self: html.page(results, found, folder, title, choice)})


def write(results: Results, choice: Choice, console: Console, reference: Results) -> list[Path]:
    """Write all artefacts, and print the tables of groups and the report."""
    folder, written = folder_of(results.folder, choice.settings), []
    gc.disable()  # the records live to the end: going through them for garbage took a seventh of the time
    try:
        for artefact in of(results, choice, reference):
            written += artefact.write(folder)
            show(artefact, console)
    finally:
        gc.enable()
    return written


def show(artefact: Artefact, console: Console) -> None:
    """Print an experiment's tables with what is said below them; the report."""
    for grid in artefact.grids if artefact.groups else ():
        console.print(grid.rich(console.width))
    for line in artefact.lines:
        console.print(line, markup=False)
    if artefact.name == "report":
        console.print(artefact.contents["report.md"], markup=False, soft_wrap=True)


def live(console: Console, pairs: list[tuple[Spec, Record | None]]) -> Shown:
    """The tables as they stand while cells come in, without notes: of those that show something, the last that fit."""
    from rich.console import Group as Shown

    grids = [tables.grid(group, cells) for group, cells in grouped(pairs).items()]
    filled = [grid for grid in grids if any(cell.text for row in grid.rows for cell in row[2:])] or grids[:1]
    shown: list[Shown] = []
    room = console.height - 8  # the workers' lines and the bar stand below
    for grid in reversed(filled):
        room -= len(grid.rows) + 5
        if shown and room < 0:
            break
        shown.insert(0, grid.rich(console.width, notes=False))
    return Shown(*shown)
