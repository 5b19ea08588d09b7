"""`report`: tables, figures and one page of all that is recorded, beside the committed reference."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rich.console import Console

from benchmarks.commands.options import CustomFiles, choice_of, folder_of
from benchmarks.core.errors import BadInput
from benchmarks.core.paths import REFERENCE
from benchmarks.registry import tasks


@dataclass
class Options(CustomFiles):
    pass


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    from benchmarks.records import Results
    from benchmarks.report import artefacts

    choice = choice_of(options)
    results = Results.load(folder_of(options))
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
