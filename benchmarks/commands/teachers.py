"""`teachers`: train the generators and labelers that the tables need, and measure how good they are."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from benchmarks.commands.experiment import available
from benchmarks.commands.options import Cells, Tasks, Where, Work, choice_of, execution, folder_of
from benchmarks.registry.experiments import EXPERIMENTS


@dataclass
class Options(Work, Cells, Tasks, Where):
    pass


def refuse(target: str, options: Options) -> None:
    choice_of(options)


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    from benchmarks.report import teacher_quality
    from benchmarks.runs.fill import fill

    folder = folder_of(options)
    runs, _ = available(list(EXPERIMENTS), choice_of(options), console)
    _, status = fill(runs, folder, execution(options), console, teachers_only=True)
    if options.plan:
        return status
    # One run for each pair of networks is enough: methods share them, and seeds do where the teacher is full.
    pairs = {tuple(recipe.path for recipe in run.recipes.values()): run for run in reversed(runs)}
    frame = teacher_quality.measure(reversed(pairs.values()))
    for line in teacher_quality.lines(frame):
        console.print(line, markup=False)
    console.print(f"written: {teacher_quality.write(frame, folder)}", markup=False)
    return status
