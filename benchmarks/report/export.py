"""The target `export`: records as one flat table (CSV, Parquet) with a dictionary of its columns, and BibTeX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.analysis.diagnostics import MEANING
from benchmarks.core import paths
from benchmarks.metrics.classification import SHOT_RULE
from benchmarks.records.record import Record
from benchmarks.report import reproduction as report

BIBLIOGRAPHY = Path(__file__).with_name("references.bib")

#: Every column's meaning; of a family of columns, that of its prefix with a dot.
DICTIONARY = {
    "key": "name of the run: hash of all that can change its number",
    "task": "task", "size": "smoke or small: how much of everything", "teacher": "what the teacher was trained on",
    "budget": "labelled training samples", "seed": "replication: split and initial weights, paired across methods",
    "method": "row", "match": "what is equal a step for all methods: samples shown, or real samples",
    "settings": "hyper-parameters in place of the chosen ones, NAME=VALUE; empty for the tables' own runs",
    "status": "ok or failed", "reason": "of a failed run",
    "config": "hyper-parameters, JSON", "labeler_score": "the labeler's own test metrics, JSON",
    "generator_sha256": "hash of the generator's weights", "labeler_sha256": "hash of the labeler's weights",
    "commit": "of the code", "cpu": "processor", "torch": "version",
    "test.": "metric on the test set after the last step, share in [0, 1], None where it is not defined; shots: "
    + SHOT_RULE,
    "validation.": "the same on the validation samples, None where the budget took them",
    "cost.student_samples": "samples shown to the student",
    "cost.labeler_queries": "samples that the labeler was asked about",
    "cost.encodes": "samples encoded", "cost.decodes": "latents decoded",
    "cost.gradient_evaluations": "samples whose gradient came back through the decoder",
    "cost.seconds": "training, evaluation excluded, one thread", "cost.peak_memory_mb": "peak resident memory, MB",
    "cost.student_parameters": "parameters of the student", "cost.student_macs": "multiply-adds of one forward pass",
    "seconds.": "of which in this phase of a step, phases exclusive of each other; evaluate: outside cost.seconds",
    **{f"seen.{name}": text for name, text in MEANING.items()},
}  # fmt: skip


def flat(record: Record, settings: str = "") -> dict[str, Any]:
    """A record as one row; nested parts as `part.name`, hyper-parameters as JSON."""
    spec, last = record.spec, record.curve[-1] if record.curve else None
    return {
        "key": record.key,
        **spec.model_dump(exclude={"trial"}),
        "settings": settings,
        "status": record.status,
        "reason": record.reason,
        **_named("test", record.metrics),
        **_named("validation", (last.validation if last else None) or {}),
        **_named("cost", record.costs),
        **_named("seconds", record.phases),
        **_named("seen", record.diagnostics),
        "config": json.dumps(record.identity.get("config", {}), sort_keys=True),
        "labeler_score": json.dumps(record.teachers.get("labeler", {}).get("metrics", {}).get("test", {})),
        **{f"{part}_sha256": info["sha256"] for part, info in sorted(record.teachers.items())},
        "commit": record.environment.get("commit"),
        "cpu": record.environment.get("cpu"),
        "torch": record.environment.get("packages", {}).get("torch"),
    }


def _named(part: str, values: dict[str, Any]) -> dict[str, Any]:
    return {f"{part}.{name}": value for name, value in values.items()}


def frame(folder: Path) -> pd.DataFrame:
    """All records of a results folder and of its folders of other settings; of several of a cell the last written."""
    rows = [flat(record) for record in report.latest(folder) if record.spec.trial is None]
    for other in sorted((folder / "set").glob("*/records.jsonl")):
        rows += [flat(record, other.parent.name) for record in report.latest(other.parent)]
    if not rows:
        raise ValueError(f"{folder} holds no records to export")
    return pd.DataFrame(rows)


def meaning(column: str) -> str:
    """Of a column. Raises KeyError for one that the dictionary does not tell."""
    return DICTIONARY[column] if column in DICTIONARY else DICTIONARY[column.split(".")[0] + "."]


def write(folder: Path) -> list[Path]:
    """`export/` in a results folder: records.csv, records.parquet, columns.md, references.bib."""
    found, to = frame(folder), folder / "export"
    columns = [
        f"| `{name}` | {'text' if found[name].dtype == object else found[name].dtype} | {meaning(name)} |"
        for name in map(str, found.columns)
    ]
    texts = {
        "records.csv": found.to_csv(index=False),
        "columns.md": "\n".join(["# Columns", "", "| column | type | meaning |", "|---|---|---|", *columns, ""]),
        "references.bib": BIBLIOGRAPHY.read_text(),
    }
    for name, text in texts.items():
        with paths.atomic(to / name) as temporary:
            temporary.write_text(text)
    with paths.atomic(to / "records.parquet") as temporary:
        found.to_parquet(temporary, index=False)
    return [to / name for name in (*texts, "records.parquet")]
