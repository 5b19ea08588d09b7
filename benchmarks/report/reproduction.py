"""One's own records beside the committed reference: reproduced within the interval, or not; the claims' verdicts."""

from __future__ import annotations

from pathlib import Path

from benchmarks.analysis import claims as ledger
from benchmarks.analysis import stats
from benchmarks.records.record import Record, Spec, Store
from benchmarks.registry import tasks
from benchmarks.registry.experiments import EXPERIMENTS
from benchmarks.registry.methods import METHODS
from benchmarks.report import tables

ROWS = tuple(METHODS)


def markdown(folder: Path, reference: Path) -> str:
    """A results folder set beside a reference folder, from records alone; of the reference itself only its verdicts."""
    theirs = cells(reference)
    verdicts = ["## Claims, by the reference's records", "", ledger.METHOD, "", *ledger.lines(theirs)]
    decoded = [path.read_text() for path in sorted(folder.glob("fig1-*.md"))]
    texts = ["## What the generator makes of texts", "", *decoded] if decoded else []
    if folder.resolve() == reference.resolve():
        return "\n".join(["# Reference", "", *verdicts, *texts]) + "\n"
    ours = cells(folder)
    parts = ["# Report", "", "## Yours beside the reference", ""]
    parts += _comparison(ours, theirs) or ["No cell is recorded in both."]
    parts += ["", *verdicts]
    if ours:
        parts += ["## Claims, by your records", "", ledger.METHOD, "", *ledger.lines(ours)]
    return "\n".join([*parts, *texts]) + "\n"


def cells(folder: Path) -> dict[tables.Group, tables.Cells]:
    return tables.cells(_known(folder))


def latest(folder: Path) -> list[Record]:
    """Records; of several of a cell (the code changed between them) the last written."""
    return list({record.spec: record for record in Store(folder).read().values()}.values())


def _known(folder: Path) -> list[tuple[Spec, Record]]:
    """(spec, record) pairs of tasks that are known here: one's own task is only where its file is named."""
    return [(record.spec, record) for record in latest(folder) if tasks.known(record.spec.task)]


def recorded(experiment: str, folder: Path, chosen: tuple[str, ...] = ()) -> list[tuple[Spec, Record | None]]:
    """All recorded cells of an experiment's tasks, or of the chosen ones, in the order of the tables."""
    order = chosen or EXPERIMENTS[experiment].tasks

    def rank(pair: tuple[Spec, Record]) -> tuple:
        spec = pair[0]
        family = order.index(tasks.get(spec.task).family)
        return family, spec.task, spec.teacher, spec.match != "samples", spec.budget, _place(spec.method), spec.seed

    wanted = [pair for pair in _known(folder) if tasks.get(pair[0].task).family in order and pair[0].trial is None]
    return [*sorted(wanted, key=rank)]


def _place(method: str) -> int:
    """A row's place in the tables; methods of one's own come last."""
    return ROWS.index(method) if method in ROWS else len(ROWS)


def _comparison(ours: dict[tables.Group, tables.Cells], theirs: dict[tables.Group, tables.Cells]) -> list[str]:
    rows, agree, compared = [], 0, 0
    for group, of_group in ours.items():
        task, teacher, budget, _ = group
        metric = tasks.get(task).metric
        for method, seeds in of_group.items():
            mine = list(tables.values(seeds, metric).values())
            reference = list(tables.values(theirs.get(group, {}).get(method, {}), metric).values())
            found = stats.reproduced(mine, reference)
            if found is None:
                continue
            compared, agree = compared + 1, agree + found
            verdict = "reproduced" if found else "NOT reproduced"
            cell = f"| {task} | {teacher} | {budget:,} | {method} "
            rows.append(f"{cell}| {_text(reference)} | {_text(mine)} | {verdict} |")
    if not rows:
        return []
    heads = ["| task | teacher | samples | method | reference % | yours % | |", "|---|---|---:|---|---:|---:|---|"]
    note = (
        f"{agree} of {compared} cells agree with the reference (95 % interval of the difference of means holds zero; "
        "about one in twenty would not even if nothing differed)."
    )
    return [note, "", *heads, *rows]


def _text(values: list[float]) -> str:
    found = stats.interval(values)
    half = "" if found.n < 2 else f" ± {100 * found.half:.1f}"
    return f"{100 * found.mean:.1f}{half} ({found.n})"
