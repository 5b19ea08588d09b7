"""One self-contained index.html of a results folder: verdicts, tables, figures, costs, the record of every number."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from benchmarks import ledger, price, report, tables, tasks
from benchmarks.experiments import EXPERIMENTS
from benchmarks.metrics import label
from benchmarks.records import Record
from benchmarks.tables import Cells, Group

TEMPLATE = Path(__file__).with_name("report.html.jinja")
SECTIONS = (
    ("verdicts", "Verdicts"), ("tables", "Tables"), ("figures", "Figures"), ("costs", "Costs"),
    ("diagnostics", "Diagnostics"), ("gallery", "Gallery"), ("records", "Records"),
)  # fmt: skip


def page(folder: Path, title: str) -> str:
    """The report of a folder as HTML, from its records and the figures beside them; the same records, the same page."""
    groups = _ordered(folder)
    environments: dict[str, dict[str, str]] = {}
    records = [group for name, cells in groups.items() for group in _records(name, cells, environments)]
    finished = sum(len(group["rows"]) for group in records)
    frame = price.price(groups)
    return (
        jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        .from_string(TEMPLATE.read_text())
        .render(
            title=title,
            sections=SECTIONS,
            lead=f"{finished:,} recorded runs in {len(groups)} groups. Click a head to sort, a method to see its runs.",
            claims=[_claim(claim, groups) for claim in ledger.load()],
            tables=[_table(name, cells) for name, cells in groups.items()],
            figures=[{"name": path.stem, "body": _inline(path)} for path in sorted(folder.glob("*.svg"))],
            prices=_prices(frame) if len(frame) else [],
            price_note=price.HEAD[2],
            diagnostics=_frame(folder / "teachers.csv"),
            gallery=[
                {"name": path.stem, "png": base64.b64encode(path.read_bytes()).decode()}
                for path in sorted(folder.glob("fig1-*.png"))
            ],
            decoded=[{"name": path.stem, "text": path.read_text()} for path in sorted(folder.glob("fig1-*.md"))],
            records=records,
            environments=list(environments.values()),
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
    checks = []
    for check in claim.checks:
        verdict, numbers = ledger.verdict(check, groups)
        where = f"{check.task}, teacher {check.teacher}, {check.budget:,} samples, {label(check.metric)}"
        words = {"better": check.better, "worse": check.worse, "where": where, "numbers": numbers}
        checks.append({**words, "outcome": verdict, "kind": _kind(verdict)})
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
    return {"id": _id("table", *name), "title": grid.title, "heads": grid.heads, "rows": rows, "notes": grid.notes}


def _inline(path: Path) -> str:
    """An SVG as an element of the page, its ids made its own: several figures stand in one document."""
    text = path.read_text()
    text = text[text.index("<svg") :]
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{_id(path.stem)}-", text)


def _prices(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The Markdown tables of the price as rows."""
    out: list[dict[str, Any]] = []
    for line in price.markdown(frame):
        if line.startswith("### "):
            out.append({"title": line[4:], "heads": [], "rows": []})
        elif line.startswith("| "):
            cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
            if out[-1]["heads"]:
                out[-1]["rows"].append(cells)
            else:
                out[-1]["heads"] = cells
    return out


def _frame(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    frame = pd.read_csv(path)
    rows = [["" if pd.isna(v) else f"{v:.3g}" if isinstance(v, float) else v for v in row] for row in frame.to_numpy()]
    return {"heads": [head.replace("_", " ") for head in frame.columns], "rows": rows}


def _records(name: Group, cells: Cells, environments: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """One entry a method: the command that makes its runs, its hyper-parameters, its runs with their environment."""
    task, teacher, budget, match = name
    metric = tasks.get(task).metric
    out = []
    for method, seeds in cells.items():
        done = {seed: record for seed, record in seeds.items() if record is not None}
        if not done:
            continue
        words = f"./reproduce.sh table1 --tasks {task} --methods {method} --budgets {budget} --seeds {max(done) + 1}"
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
