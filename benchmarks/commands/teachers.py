"""`teachers`: train the generators and labelers that the tables need, and measure how good they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks.commands.experiment import available
from benchmarks.commands.options import Cells, Tasks, Where, Work, choice_of, execution, folder_of
from benchmarks.core.errors import BadInput
from benchmarks.registry.experiments import EXPERIMENTS

if TYPE_CHECKING:
    from benchmarks.runs.run import Run


@dataclass
class Options(Cells, Work, Tasks, Where):
    anew: bool = False
    """Train those that come with the reference again, and tell whether the same weights come out."""


def refuse(target: str, options: Options) -> None:
    choice_of(options)
    if options.anew and options.plan:
        raise BadInput("--anew trains what --plan would only list; leave one of them out")


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    from benchmarks.report import teacher_quality
    from benchmarks.runs.fill import fill

    folder = folder_of(options)
    runs, _ = available(list(EXPERIMENTS), choice_of(options), console)
    if options.anew:
        return _anew(runs, options.jobs, console)
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


def _anew(runs: list[Run], jobs: int, console: Console) -> int:
    """1 if a network came out with other weights on the platform that it was trained on before."""
    from benchmarks.core.environment import environment
    from benchmarks.report.verification import other_machine
    from benchmarks.runs import scheduler
    from benchmarks.teachers.store import metadata

    found = {one.name: (run, part) for run in runs for part, one in run.recipes.items() if one.committed.exists()}
    if not found:
        raise BadInput("--anew: no teacher of these tasks comes with the reference")
    console.print(f"training {len(found)} teacher networks that come with the reference again")
    scheduler.train_teachers(found.values(), jobs, lambda line: console.print(f"  {line}", markup=False), anew=True)
    status = 0
    for name, (one, part) in found.items():
        before, now = (metadata(path) for path in (one.recipes[part].committed, one.recipes[part].cached))
        if now["sha256"] == before["sha256"]:
            told = "the same weights"
        elif elsewhere := other_machine(before["environment"], environment()):
            told = f"other weights ({elsewhere}); measured {now['metrics']}, committed {before['metrics']}"
        else:
            told, status = "OTHER weights on the platform that it was trained on before", 1
        console.print(f"{name}: {told}", markup=False)
    return status
