"""`tune`: choose hyper-parameters on validation samples, once for all tables."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from benchmarks.commands.options import Methods, Runs, Size, Tasks, choice_of, execution
from benchmarks.core import paths
from benchmarks.core.errors import BadInput
from benchmarks.core.paths import REFERENCE
from benchmarks.registry import tasks


@dataclass
class Options(Runs, Methods, Tasks, Size):
    pass


def refuse(target: str, options: Options) -> None:
    if getattr(options, "results", paths.LOCAL) != paths.LOCAL:
        raise BadInput("tune writes what all results are made with, results/reference/SIZE/tuned.json: no --results")
    for name in choice_of(options).tasks:
        if (other := tasks.get(name).tuned_on) != name:
            raise BadInput(f"tune: {name} takes what {other} chose; a search of its own would be read nowhere")


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    from benchmarks.runs import search
    from benchmarks.runs.fill import fill
    from benchmarks.runs.grid import search as grid_of

    folder = REFERENCE / options.size
    plan, status = fill(grid_of(choice_of(options)), folder / "tuning", execution(options), console)
    if options.plan:
        return 0
    chosen = search.choose(plan)
    for line in search.lines(chosen):
        console.print(line, markup=False)
    console.print(f"written: {search.write(chosen, folder)}")
    return status
