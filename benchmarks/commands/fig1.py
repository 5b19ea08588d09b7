"""`fig1`: what exploration shows the student, as a picture."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from benchmarks.commands.options import Tasks, Where, Work, choice_of, execution, folder_of
from benchmarks.core.errors import BadInput
from benchmarks.data.asset import Unavailable
from benchmarks.registry import tasks

DOMAINS = ("image", "text", "retrieval")
TASKS = ("fashion-lt", "glyph-lt", "movie-5", "wiki-titles")


@dataclass
class Options(Work, Tasks, Where):
    pass


def refuse(target: str, options: Options) -> None:
    for name in choice_of(options).tasks:
        if (domain := tasks.get(name).domain) not in DOMAINS:
            raise BadInput(f"fig1 shows {', '.join(DOMAINS)} tasks; {name} is one of {domain}")


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    from benchmarks.report import neighbours
    from benchmarks.runs.fill import fill

    folder = folder_of(options)
    for name in choice_of(options).tasks or TASKS:
        try:
            run = neighbours.run_of(name, options.size)
            fill([run], folder, execution(options), console, teachers_only=True)
        except Unavailable as error:
            console.print(f"task {name} is unavailable: {error}", markup=False)
            continue
        if not options.plan:
            written = neighbours.draw(run, folder / f"fig1-{name}")
            console.print("written: " + ", ".join(str(path) for path in written), markup=False)
    return 0
