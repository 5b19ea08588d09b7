"""One self-contained index.html of a results folder: verdicts, tables, figures, costs, the record of every number."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from benchmarks.analysis import aggregate, diagnostics
from benchmarks.analysis import claims as ledger
from benchmarks.analysis import time_to_accuracy as price
from benchmarks.commands.options import TARGETS, VERBS
from benchmarks.metrics.classification import label
from benchmarks.records.record import Record
from benchmarks.registry import tasks
from benchmarks.registry.experiments import EXPERIMENTS
from benchmarks.report import reproduction as report
from benchmarks.report import tables
from benchmarks.report.tables import Cells, Group

TEMPLATE = Path(__file__).with_name("html.jinja")
SECTIONS = (
    ("verdicts", "Verdicts"), ("conclusion", "Conclusion"), ("tables", "Tables"), ("figures", "Figures"),
    ("costs", "Costs"), ("diagnostics", "Diagnostics"), ("gallery", "Gallery"), ("records", "Records"),
)  # fmt: skip
#: What each section shows; without any of it there is no such section.
_PARTS = {
    "verdicts": ("claims",), "conclusion": ("said", "versus"), "tables": ("tables", "aggregate"),
    "figures": ("figures",), "costs": ("prices",), "diagnostics": ("seen", "teachers"),
    "gallery": ("gallery", "decoded"), "records": ("records",),
}  # fmt: skip


def page(folder: Path, title: str) -> str:
    """The report of a folder as HTML, from its records and the figures beside them; the same records, the same page."""
    groups = _ordered(folder)
    whole = aggregate.scores(groups)
    return _render(
        title,
        groups,
        judged_by=ledger.METHOD,
        claims=[_claim(claim, groups) for claim in ledger.load()],
        aggregate=None if whole is None else _markdown(aggregate.markdown(whole)),
        figures=[_figure(path) for path in sorted(folder.glob("*.svg"))],
        teachers=_csv(folder / "teachers.csv"),
        gallery=[
            {"name": path.stem, "png": base64.b64encode(path.read_bytes()).decode()}
            for path in sorted(folder.glob("fig1-*.png"))
        ],
        decoded=[{"name": path.stem, "text": path.read_text()} for path in sorted(folder.glob("fig1-*.md"))],
    )


def comparison(groups: dict[Group, Cells], title: str, said: list[str], versus: list[list[str]], figure: Path) -> str:
    """The page of one comparison: its paragraphs, the groups' tables, and those of `versus` (Markdown), one a group."""
    return _render(title, groups, said=said, versus=[_markdown(lines) for lines in versus], figures=[_figure(figure)])


def _render(title: str, groups: dict[Group, Cells], **parts: Any) -> str:
    """The template with the parts that there are, and each group's table, prices, diagnostics and records."""
    environments: dict[str, dict[str, str]] = {}
    records = [group for name, cells in groups.items() for group in _records(name, cells, environments)]
    finished = sum(len(group["rows"]) for group in records)
    paid = price.price(groups)
    parts |= {
        "tables": [_table(name, cells) for name, cells in groups.items()],
        "prices": _markdowns(price.markdown(paid)) if len(paid) else [],
        "price_note": price.HEAD[2],
        "seen": _seen(groups),
        "meant": [(name.replace("_", " "), text) for name, text in diagnostics.MEANING.items()],
        "records": records,
    }
    return (
        jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        .from_string(TEMPLATE.read_text())
        .render(
            title=title,
            sections=[(name, called) for name, called in SECTIONS if any(parts.get(part) for part in _PARTS[name])],
            lead=f"{finished:,} recorded runs. Click a head to sort, a method to see its runs. "
            "What is folded opens by a click, and where the filter finds something in it.",
            environments=list(environments.values()),
            **parts,
        )
    )


def _ordered(folder: Path) -> dict[Group, Cells]:
    """All groups of a folder, in the order of the experiments that they belong to."""
    found: dict[Group, Cells] = {}
    for name, experiment in EXPERIMENTS.items():
        for chosen in (experiment.tasks, *((task,) for task in experiment.also)):
            for group, cells in tables.cells(report.recorded(name, folder, chosen)).items():
                found.setdefault(group, cells)
    for group, cells in report.cells(folder).items():
        found.setdefault(group, cells)
    return found


def _id(*parts: object) -> str:
    return "-".join(re.sub(r"[^a-z0-9]+", "-", str(part).lower()) for part in parts)


def _claim(claim: ledger.Claim, groups: dict[Group, Cells]) -> dict[str, Any]:
    outcome, told = ledger.overall(claim, groups)
    checks = [
        {"asked": ledger.asked(one.check), "numbers": one.numbers, "outcome": one.outcome, "kind": _kind(one.outcome)}
        for one in ledger.verdicts(claim, groups)
    ]
    own = {name: getattr(claim, name) for name in ("id", "claim", "where", "trust", "published", "findings")}
    return {**own, "outcome": outcome, "told": told, "kind": _kind(outcome), "checks": checks}


def _kind(outcome: str) -> str:
    return outcome if outcome in ("holds", "fails") else "undecided"


def _table(name: Group, cells: Cells) -> dict[str, Any]:
    grid = tables.grid(name, cells, ledger.columns(name, tasks.get(name[0]).metric))
    rows = []
    for row in grid.rows:
        method = row[0].text.removesuffix(" *")
        rows.append({"cells": row, "link": _id("records", *name, method) if method in cells else ""})
    told = {"id": _id("table", *name), "title": grid.title, "heads": grid.heads, "rows": rows, "notes": grid.notes}
    return {**told, "drawn": _drawn(name)}


def _drawn(name: Group) -> bool:
    """Whether a group is a point of an experiment's figure, which tells it better than its table."""
    family = tasks.get(name[0]).family
    return any(family in experiment.tasks for experiment in EXPERIMENTS.values() if experiment.figure)


def _inline(path: Path) -> str:
    """An SVG as an element of the page, its ids made its own: several figures stand in one document."""
    text = path.read_text()
    text = text[text.index("<svg") :]
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{_id(path.stem)}-", text)


def _markdown(lines: list[str]) -> dict[str, Any]:
    """A Markdown table, its heading (if any) and the paragraphs below it, as parts of a page."""
    out: dict[str, Any] = {"title": "", "heads": [], "rows": [], "notes": []}
    for line in lines:
        if line.startswith("### "):
            out["title"] = line[4:]
        elif line.startswith("| "):
            cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
            if out["heads"]:
                out["rows"].append(cells)
            else:
                out["heads"] = cells
        elif line and not line.startswith("|--"):
            out["notes"].append(line)
    return out


def _markdowns(lines: list[str]) -> list[dict[str, Any]]:
    """Several tables, each under its heading."""
    starts = [i for i, line in enumerate(lines) if line.startswith("### ")]
    return [_markdown(lines[a:b]) for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]


def _figure(path: Path) -> dict[str, str]:
    return {"name": path.stem, "body": _inline(path), **_made_by(path.stem)}


def _made_by(stem: str) -> dict[str, str]:
    """The command that draws a figure, and what it shows; nothing of a comparison's, whose page is its own."""
    if stem == "aggregate":
        return {"command": "./reproduce.sh report", "told": "all tasks at once: means, ranks and performance profile"}
    target = next((name for name in TARGETS if f"{stem}-".startswith(f"{name}-") and name not in VERBS), "")
    if not target:
        return {"command": "", "told": ""}
    task = stem.removeprefix(target).removeprefix("-")
    return {"command": f"./reproduce.sh {target}" + (f" --tasks {task}" if task else ""), "told": TARGETS[target]}


def _csv(path: Path) -> dict[str, Any] | None:
    return _frame(pd.read_csv(path)) if path.exists() else None


def _frame(frame: pd.DataFrame) -> dict[str, Any]:
    rows = [["" if pd.isna(v) else f"{v:.3g}" if isinstance(v, float) else v for v in row] for row in frame.to_numpy()]
    return {"heads": [str(head).replace("_", " ") for head in frame.columns], "rows": rows}


def _seen(groups: dict[Group, Cells]) -> list[dict[str, Any]]:
    """One table of diagnostics a group that was looked at, with the columns that any of its runs has."""
    out = []
    for name, cells in groups.items():
        frame = diagnostics.frame({name: cells})
        if len(frame):
            own = ["method", *(column for column in diagnostics.MEANING if frame[column].notna().any())]
            own += ["alarms"] if frame.alarms.any() else []
            out.append({"title": tables.title(name), **_frame(frame[own])})
    return out


def _records(name: Group, cells: Cells, environments: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """One entry a method: the command that makes its runs, its hyper-parameters, its runs with their environment."""
    task, teacher, budget, match = name
    metric = tasks.get(task).metric
    out = []
    for method, seeds in cells.items():
        done = {seed: record for seed, record in seeds.items() if record is not None}
        if not done:
            continue
        words = f"./reproduce.sh {_target(task)} --tasks {task} --methods {method} --budgets {budget}"
        words += f" --seeds {max(done) + 1}"
        words += "" if teacher == "full" else f" --teacher {teacher}"
        words += "" if match == "samples" else f" --match {match}"
        where = f"{task}, {budget:,} samples, teacher {teacher}" + ("" if match == "samples" else f", match {match}")
        first = next(iter(done.values()))
        out.append(
            {
                "id": _id("records", *name, method),
                "title": f"{where}: {method}",
                "command": words,
                "config": ", ".join(f"{key} {value}" for key, value in first.identity.get("config", {}).items()),
                "metric": label(metric),
                "rows": [_run(seed, record, metric, environments) for seed, record in sorted(done.items())],
            }
        )
    return out


def _target(task: str) -> str:
    """The experiment that a task belongs to; any other runs it as well."""
    family = tasks.get(task).family
    return next((name for name, found in EXPERIMENTS.items() if family in (*found.tasks, *found.also)), "table1")


def _run(seed: int, record: Record, metric: str, environments: dict[str, dict[str, str]]) -> dict[str, Any]:
    text = json.dumps(record.environment, indent=1, sort_keys=True)
    if text not in environments:
        packages = record.environment.get("packages", {})
        summary = f"commit {str(record.environment.get('commit'))[:8]}, torch {packages.get('torch')}"
        environments[text] = {"id": f"environment-{len(environments) + 1}", "summary": summary, "text": text}
    value = record.metrics.get(metric)
    score = "n/a" if value is None else f"{100 * value:.2f}"
    return {
        "seed": seed,
        "score": score if record.status == "ok" else f"FAILED: {record.reason}",
        "seconds": f"{record.costs.get('seconds', 0):.1f}",
        "queries": f"{record.costs.get('labeler_queries', 0):,.0f}",
        "key": record.key,
        "environment": environments[text]["id"],
    }
