"""One self-contained index.html of a results folder: verdicts, tables, figures, costs, the record of every number."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from benchmarks.analysis import claims, diagnostics, time_to_accuracy
from benchmarks.analysis.search_orders import Orders
from benchmarks.core import paths
from benchmarks.metrics.classification import label
from benchmarks.records.groups import TRIAL_SIZES, Group, Groups, Seeds, size_of
from benchmarks.records.record import Record
from benchmarks.records.results import Results
from benchmarks.registry import tasks
from benchmarks.registry.experiments import EXPERIMENTS, Choice
from benchmarks.report import overviews, svg, tables
from benchmarks.report.artefact import Artefact
from benchmarks.report.grid import Cell, Grid, id_of

TEMPLATE = Path(__file__).with_name("page.html.jinja")
#: Each section's name, its title, and what it shows; without any of it there is no such section.
SECTIONS = (
    ("verdicts", "Verdicts", ("claims",)), ("conclusion", "Conclusion", ("said", "versus", "verdicts")),
    ("tables", "Tables", ("tables", "aggregate")), ("figures", "Figures", ("figures",)),
    ("costs", "Costs", ("prices",)), ("diagnostics", "Diagnostics", ("seen", "teachers")),
    ("gallery", "Gallery", ("gallery", "decoded")), ("records", "Records", ("records",)),
)  # fmt: skip


def page(results: Results, found: list[Artefact], folder: Path, title: str, choice: Choice) -> str:
    """The page of records with the choice's settings; the same records and figures give the same page.

    Args:
        found: the records' artefacts. folder: where their figures are.
    """
    orders = Orders.of(results.folder)
    shown = {
        group: (cells, grid)
        for one in found
        for (group, cells), grid in zip(one.groups.items(), one.grids, strict=False)
    }
    for group, cells in results.groups(choice.settings).items():
        if group not in shown:
            shown[group] = cells, tables.grid(group, cells, orders=orders)
    groups = {group: cells for group, (cells, _) in shown.items()}
    grids = {artefact.name: artefact.grids for artefact in found}
    of_reference = paths.REFERENCE in results.folder.resolve().parents
    judged = [] if choice.size in TRIAL_SIZES else claims.judge_all(groups, orders, every=of_reference)
    pictures = [(one, folder / f"{one.name}.png") for one in found if one.name.startswith("fig1-")]
    return _render(
        title,
        groups,
        choice.size,
        claims=[(one, overviews.checks(one), overviews.verdict_kind(one.outcome)) for one in judged],
        aggregate=grids.get("aggregate", []),
        tables=[(grid, _drawn(group), tables.parts(group, cells)) for group, (cells, grid) in shown.items()],
        figures=[(one, body) for one in found if (body := svg.inline(folder / f"{one.name}.svg"))],
        prices=grids.get("price", []),
        seen=grids.get("diagnostics", []),
        teachers=grids.get("teachers", []),
        gallery=[(one, base64.b64encode(path.read_bytes()).decode()) for one, path in pictures],
        decoded=[one for one, _ in pictures if one.grids],
    )


def comparison(
    groups: Groups,
    title: str,
    verdicts: list[tuple[str, str]],
    said: list[str],
    versus: list[list[Grid]],
    figure: Path,
    warnings: list[str],
) -> str:
    """The page of one comparison: verdicts, paragraphs, its tables, and what is shown of any groups.

    Args:
        verdicts: of each group, in a line, with its colour. versus: of each, the tables of pairs, the main one first.
        warnings: what a reader must know before anything else.
    """
    size = next(filter(None, map(size_of, groups.values())), "")
    # The warnings stand below the table of scores.
    seen, paid = diagnostics.frame(groups).assign(alarms=""), time_to_accuracy.frame(groups)
    return _render(
        title,
        groups,
        size,
        verdicts=verdicts,
        said=said,
        versus=[[grid.of_size(size) for grid in grids] for grids in versus],
        warnings=warnings,
        tables=[(tables.grid(one, cells), _drawn(one), tables.parts(one, cells)) for one, cells in groups.items()],
        figures=[(Artefact(figure.stem, target=""), svg.inline(figure))],
        prices=[grid.of_size(size) for grid in overviews.prices(paid)] if len(paid) else [],
        seen=[grid.turned().of_size(size) for grid in overviews.diagnosed(seen)],
    )


def _render(title: str, groups: Groups, size: str, **parts: Any) -> str:
    """The template with the parts that there are, and the groups' records."""
    import jinja2

    environments: dict[str, dict[str, str]] = {}
    parts["records"] = [
        _runs(group, method, seeds, environments)
        for group, cells in groups.items()
        for method, seeds in cells.items()
        if any(record is not None for record in seeds.values())
    ]
    finished = sum(len(one["grid"].rows) for one in parts["records"])
    return (
        jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        .from_string(TEMPLATE.read_text())
        .render(
            title=title,
            sections=[(name, called) for name, called, shown in SECTIONS if any(parts.get(part) for part in shown)],
            banners=[*filter(None, [TRIAL_SIZES.get(size)]), *parts.pop("warnings", [])],
            lead=f"Size {size}, {finished:,} recorded runs. Click a head to sort, a method to see its runs. "
            "What is folded opens by a click, and where the filter finds something in it.",
            judged_by=claims.METHOD,
            price_note=time_to_accuracy.NOTE,
            meant=[(name.replace("_", " "), text) for name, text in diagnostics.MEANING.items()],
            environments=list(environments.values()),
            **parts,
        )
    )


def _drawn(group: Group) -> bool:
    """Whether a group is a point of an experiment's figure, which tells it better than its table."""
    family = tasks.get(group.task).family
    return any(family in experiment.tasks for experiment in EXPERIMENTS.values() if experiment.figure)


def _runs(group: Group, method: str, seeds: Seeds, environments: dict[str, dict[str, str]]) -> dict[str, Any]:
    """A method's runs: the command that makes them, their hyper-parameters, each with its environment."""
    done = {seed: record for seed, record in sorted(seeds.items()) if record is not None}
    metric = tasks.get(group.task).metric
    words = f"./reproduce.sh {_target(group.task)} --tasks {group.task} --methods {method} --budgets {group.budget}"
    words += f" --seeds {1 + max(record.spec.seed for record in done.values())}"
    words += "" if group.teacher == "full" else f" --teacher {group.teacher}"
    words += "" if group.match == "samples" else f" --match {group.match}"
    config = next(iter(done.values())).identity.get("config", {})
    heads = ("seed", "draw", f"{label(metric)} %", "seconds", "labeler queries", "key", "environment")
    return {
        "id": id_of("records", *group, method),
        "title": f"{group.label}: {method}",
        "command": words,
        "config": ", ".join(f"{key} {value}" for key, value in config.items()),
        "grid": Grid.of(heads, [_run(record, metric, environments) for record in done.values()], align="llrrrll"),
    }


def _target(task: str) -> str:
    """The experiment that a task belongs to; any other runs it as well."""
    family = tasks.get(task).family
    return next((name for name, found in EXPERIMENTS.items() if family in (*found.tasks, *found.also)), "table1")


def _run(record: Record, metric: str, environments: dict[str, dict[str, str]]) -> list[str | Cell]:
    text = json.dumps(record.environment, sort_keys=True)
    if text not in environments:
        packages = record.environment.get("packages", {})
        summary = f"commit {str(record.environment.get('commit'))[:8]}, torch {packages.get('torch')}"
        environments[text] = {"id": f"environment-{len(environments) + 1}", "summary": summary}
        environments[text]["text"] = json.dumps(record.environment, indent=1, sort_keys=True)
    where = environments[text]["id"]
    value = record.metrics.get(metric)
    score = "n/a" if value is None else f"{100 * value:.2f}"
    return [
        str(record.spec.seed),
        str(record.spec.draw),
        score if record.status == "ok" else f"FAILED: {record.reason}",
        f"{seconds:.1f}" if (seconds := record.costs.get("seconds", 0)) >= 0.05 else f"{seconds:.1g}",
        f"{record.costs.get('labeler_queries', 0):,.0f}",
        Cell(record.key, kind="code"),
        Cell(where, link=where),
    ]
