"""One self-contained index.html of a results folder: verdicts, tables, figures, costs, the record of every number."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from benchmarks import aggregate, diagnostics, ledger, price, report, tables, tasks
from benchmarks.experiments import EXPERIMENTS
from benchmarks.metrics import label
from benchmarks.records import Record
from benchmarks.tables import Cells, Group

TEMPLATE = Path(__file__).with_name("report.html.jinja")
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
    paid, whole, seen = price.price(groups), aggregate.scores(groups), diagnostics.frame(groups)
    return _render(
        title,
        groups,
        claims=[_claim(claim, groups) for claim in ledger.load()],
        aggregate=None if whole is None else _markdown(aggregate.markdown(whole)),
        figures=[_figure(path) for path in sorted(folder.glob("*.svg"))],
        prices=_markdowns(price.markdown(paid)) if len(paid) else [],
        price_note=price.HEAD[2],
        teachers=_csv(folder / "teachers.csv"),
        seen=_seen(seen),
        gallery=[
            {"name": path.stem, "png": base64.b64encode(path.read_bytes()).decode()}
            for path in sorted(folder.glob("fig1-*.png"))
        ],
        decoded=[{"name": path.stem, "text": path.read_text()} for path in sorted(folder.glob("fig1-*.md"))],
    )


def comparison(groups: dict[Group, Cells], title: str, said: list[str], versus: list[list[str]], figure: Path) -> str:
    """The page of one comparison: its paragraphs, the groups' tables, and those of `versus` (Markdown), one a group."""
    paid = price.price(groups)
    return _render(
        title,
        groups,
        said=said,
        versus=[_markdown(lines) for lines in versus],
        figures=[_figure(figure)],
        prices=_markdowns(price.markdown(paid)) if len(paid) else [],
        price_note=price.HEAD[2],
        seen=_seen(diagnostics.frame(groups)),
    )


def _render(title: str, groups: dict[Group, Cells], **parts: Any) -> str:
    """The template with the parts that there are, and each group's table and records."""
    environments: dict[str, dict[str, str]] = {}
    records = [group for name, cells in groups.items() for group in _records(name, cells, environments)]
    finished = sum(len(group["rows"]) for group in records)
    parts |= {"tables": [_table(name, cells) for name, cells in groups.items()], "records": records}
    return (
        jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        .from_string(TEMPLATE.read_text())
        .render(
            title=title,
            sections=[(name, called) for name, called in SECTIONS if any(parts.get(part) for part in _PARTS[name])],
            lead=f"{finished:,} recorded runs. Click a head to sort, a method to see its runs.",
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
    checks = []
    for check in claim.checks:
        verdict, numbers = ledger.verdict(check, groups)
        checks.append({"asked": ledger.asked(check), "numbers": numbers, "outcome": verdict, "kind": _kind(verdict)})
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
    return {"name": path.stem, "body": _inline(path)}


def _csv(path: Path) -> dict[str, Any] | None:
    return _frame(pd.read_csv(path)) if path.exists() else None


def _frame(frame: pd.DataFrame) -> dict[str, Any]:
    rows = [["" if pd.isna(v) else f"{v:.3g}" if isinstance(v, float) else v for v in row] for row in frame.to_numpy()]
    return {"heads": [str(head).replace("_", " ") for head in frame.columns], "rows": rows}


def _seen(frame: pd.DataFrame) -> dict[str, Any] | None:
    """The diagnostics that any run has, with what each of them means."""
    if not len(frame):
        return None
    known = frame.loc[:, [name not in diagnostics.MEANING or frame[name].notna().any() for name in frame.columns]]
    meant = [(name.replace("_", " "), text) for name, text in diagnostics.MEANING.items() if name in known]
    return {**_frame(known), "meant": meant}


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
