"""The target `export`: records as one flat table (CSV, Parquet) with a dictionary of its columns, and BibTeX."""

from __future__ import annotations

from pathlib import Path

from benchmarks.analysis.diagnostics import MEANING
from benchmarks.core import paths
from benchmarks.metrics.classification import SHOT_RULE
from benchmarks.records.results import Results
from benchmarks.report.artefact import write_text
from benchmarks.report.grid import Grid, without_formulas

BIBLIOGRAPHY = Path(__file__).with_name("references.bib")

#: Every column's meaning; of a family of columns, that of its prefix with a dot.
DICTIONARY = {
    "key": "name of the run: hash of all that can change its number",
    "task": "task", "size": "smoke or small: how much of everything", "teacher": "what the teacher was trained on",
    "budget": "labelled training samples", "seed": "replication: split and initial weights, paired across methods",
    "draw": "of the teacher's own seeds, crossed with the replications; 0 of a teacher that was drawn once",
    "method": "row", "match": "what is equal a step for all methods: samples shown, or real samples",
    "device": "where the student learned: cpu, cuda or mps", "precision": "of the networks' passes: float32 or bf16",
    "processes": "that shared the samples of a step",
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


def meaning(column: str) -> str:
    """Of a column. Raises KeyError for one that the dictionary does not tell."""
    return DICTIONARY[column] if column in DICTIONARY else DICTIONARY[column.split(".")[0] + "."]


def write(results: Results) -> list[Path]:
    """`export/` in a results folder: records.csv, records.parquet, columns.md, references.bib."""
    if not len(results):
        raise ValueError(f"{results.folder} holds no records to export")
    found, to = results.frame, results.folder / "export"
    columns = Grid.of(
        ("column", "type", "meaning"),
        [
            (f"`{name}`", "text" if found[name].dtype == object else str(found[name].dtype), meaning(name))
            for name in map(str, found.columns)
        ],
        align="lll",
    )
    written = [
        write_text(to / "records.csv", without_formulas(found).to_csv(index=False)),
        write_text(to / "columns.md", "# Columns\n\n" + columns.markdown()),
        write_text(to / "references.bib", BIBLIOGRAPHY.read_text()),
    ]
    with paths.atomic(to / "records.parquet") as temporary:
        found.to_parquet(temporary, index=False)
    return [*written, to / "records.parquet"]
