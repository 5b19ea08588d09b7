"""`report`: tables, figures and one page of all that is recorded, beside the committed reference."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks.commands.options import CustomFiles, Submitted, choice_of, folder_of
from benchmarks.core.errors import BadInput
from benchmarks.core.paths import REFERENCE
from benchmarks.registry import tasks

if TYPE_CHECKING:
    from benchmarks.records import Results


@dataclass
class Options(Submitted, CustomFiles):
    pass


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    from benchmarks.records import Results
    from benchmarks.report import artefacts

    choice = choice_of(options)
    results = _with(options) if options.with_ else Results.load(folder_of(options))
    if not len(results):
        there = REFERENCE / options.size / "report.md"
        more = f"; the committed reference's report is {there}" if there.exists() else ""
        raise BadInput(f"{results.folder} holds no records to report{more}")
    unknown = Counter(record.spec.task for record in results.records if not tasks.known(record.spec.task))
    for task, count in unknown.items():
        console.print(f"left out: {count} records of {task}, no task here; name its file with --tasks", markup=False)
    reference = artefacts.reference_of(results, options.size)
    written = artefacts.write(results, choice, console, reference)
    console.print("written: " + ", ".join(str(path) for path in written), markup=False)
    return 0


def _with(options: Options) -> Results:
    """A person's own records (the reference's where there are none) and submitted ones, in a folder of their own."""
    from benchmarks.records import Results

    submitted = options.submissions
    own = Results.load(folder_of(options))
    records = own.records or Results.load(REFERENCE / options.size).records
    name = "+".join(one.about.method for one in submitted)
    return Results(
        options.results / "with" / name / options.size,
        [*records, *(record for one in submitted for record in one.records)],
    )
