"""`export`: records as one flat table with a dictionary of its columns, and BibTeX."""

from __future__ import annotations

from rich.console import Console

from benchmarks.commands.options import CustomFiles, choice_of, folder_of

Options = CustomFiles


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    from benchmarks.records import Results
    from benchmarks.report import export

    choice_of(options)
    written = export.write(Results.load(folder_of(options)))
    console.print("written: " + ", ".join(str(path) for path in written), markup=False)
    return 0
