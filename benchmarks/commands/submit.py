"""`submit`: a method's code, records and pages in one file, which `check` and `report` of another machine take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.commands.options import Computing, Where, folder_of, known, one_of
from benchmarks.core.errors import BadInput
from benchmarks.registry.methods import METHODS


@dataclass
class Options(Computing, Where):
    out: Path | None = None
    """The file to write; by default METHOD.zip beside you."""


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    from benchmarks.core.fingerprint import modules_digest, sources_of
    from benchmarks.records import Results
    from benchmarks.records.submission import About, Submission, read

    method = one_of(words[0], target)
    known(method)
    row, folder = METHODS[method], folder_of(options)
    if not row.packages:
        raise BadInput(f"submit: {method} is a row of the suite; a method of your own is a file")
    code = modules_digest(row.module, row.packages)
    records = [record for record in Results.load(folder).records if record.spec.method == method]
    today = [record for record in records if record.identity["method_sha256"] == code]
    if not today:
        told = f"those in {folder} are of earlier code" if records else f"{folder} has none"
        raise BadInput(f"submit: no records of {method} as it is now ({told}); `compare {words[0]}` makes them")
    pages = {path.name: path.read_text() for path in sorted(folder.glob(f"compare-{method}-*.html"))}
    path = (options.out or Path(f"{method}.zip")).absolute()
    about = About(method=method, about=row.about, size=options.size)
    Submission(about, today, sources_of(row.module, row.packages), pages).write(path)
    read(path)  # what it holds fits together, or it is told now
    failed = sum(record.status == "failed" for record in today)
    more = f", {failed} of them failed" if failed else ""
    tasks = ", ".join(dict.fromkeys(record.spec.task for record in today))
    console.print(f"packed: {len(today)} runs{more} on {tasks}; {len(pages)} pages", markup=False)
    console.print(f"written: {path}", markup=False)
    console.print(f"elsewhere: ./reproduce.sh check --with {path.name}, ./reproduce.sh report --with {path.name}")
    return 0
