"""`tune`: choose hyper-parameters on validation samples, once for all tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from benchmarks.commands import contract
from benchmarks.commands.options import Methods, Runs, choice_of, execution, folder_of
from benchmarks.core.errors import BadInput
from benchmarks.core.paths import REFERENCE
from benchmarks.registry import tasks


@dataclass
class Options(Methods, Runs):
    results: Path = REFERENCE
    """Folder for the trials and for what they chose, SIZE/tuned.json; runs whose results go there use it."""
    budgets: str = ""
    """Comma-separated numbers of labelled samples, of those that a task is searched at; all of them by default."""
    teacher: Literal["full", "same-data", "both"] = "full"
    """What the teacher was trained on: a setting found for one kind is not used for the other."""
    search_seed: int = 0
    """Of the points that are tried: another one is another search."""


def refuse(target: str, options: Options) -> None:
    choice = choice_of(options)
    for name in choice.tasks:
        if (other := tasks.get(name).tuned_on) != name:
            raise BadInput(f"tune: {name} takes what {other} chose; a search of its own would be read nowhere")
    contract.breaches(choice.methods, choice.tasks or tasks.TASKS, options.unchecked, options.jobs)


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    from benchmarks.registry.hyperparameters import Place, searched_as
    from benchmarks.registry.methods import rows_of
    from benchmarks.report import artefacts
    from benchmarks.runs import prior, search
    from benchmarks.runs.device import Device
    from benchmarks.runs.fill import fill

    choice, folder = choice_of(options), folder_of(options)
    rows = []
    for name in choice.tasks or tuple(
        dict.fromkeys(task.tuned_on for task in tasks.TASKS.values() if choice.size in task.sizes)
    ):
        task = tasks.get(name)
        searched, own = task.sizes[choice.size].searched, prior.fitting(rows_of(task), task.at(choice.size))
        if unknown := sorted(set(choice.budgets) - set(searched)):
            raise BadInput(f"--budgets: {name} is searched at {', '.join(map(str, searched))}, not at {unknown[0]}")
        rows += [
            search.Row(Place(name, teacher, budget), method, Device(choice.device, choice.precision))
            for teacher in choice.teachers
            for budget in choice.budgets or searched
            for method in dict.fromkeys(searched_as(name) for name in choice.methods or own)
        ]
    if options.plan:
        fill(search.first(rows, choice.size, options.search_seed), folder / "tuning", execution(options), console)
        console.print(search.MORE)
        return 0
    chosen = search.search(
        rows,
        choice.size,
        lambda runs: fill(runs, folder / "tuning", execution(options), console)[0],
        options.search_seed,
    )
    for line in search.lines(chosen):
        console.print(line, markup=False)
    written = [search.write(chosen, folder), *artefacts.of_search(folder).write(folder)]
    console.print("written: " + ", ".join(str(path) for path in written), markup=False)
    if failed := [row for row in rows if row.method not in chosen.get(str(row.place), {})]:
        console.print(
            "no setting could be trained: " + ", ".join(f"{row.place} {row.method}" for row in failed), markup=False
        )
    return 1 if failed else 0
