"""`verify`: does this machine, with today's code, give the committed numbers?"""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from benchmarks.commands import bounds
from benchmarks.commands.options import folder_of
from benchmarks.core import paths
from benchmarks.core.errors import BadInput
from benchmarks.core.paths import REFERENCE

if TYPE_CHECKING:
    from benchmarks.records.record import Record


#: Exit status where there is nothing to verify: neither a success nor a number that differs.
NOTHING = 3


@dataclass
class Options:
    sample: int = 24
    """Committed runs to make again, at most: random ones, spread over tasks and methods."""
    seconds: int = 180
    """What they may take in all, by the recorded times, training of missing teachers included; 0: no limit."""
    seed: int | None = None
    """Draws the same sample again; by default another one each time."""
    jobs: int = bounds.JOBS
    """Processes, one thread each; as many as there are cores at most."""
    oversubscribe: bool = False
    """Take more --jobs than there are cores, which makes all of them slower."""
    size: Literal["small"] = "small"
    """The size whose committed records are made again."""
    device: Literal["cpu", "cuda", "mps"] = "cpu"
    """Whose committed records are made again. Equal numbers are expected of the CPU alone."""
    precision: Literal["float32", "bf16"] = "float32"
    """Of those records."""
    results: Path = paths.LOCAL
    """Folder in which is noted which cells today's code was verified by; a folder SIZE is made in it."""


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    """1 if any number differs, or none was made again; `NOTHING` where no committed run is of today's versions."""
    from benchmarks.core.environment import environment
    from benchmarks.records import Results
    from benchmarks.report import verification

    results = Results.load(REFERENCE / folder_of(options).name)
    if not len(results):
        raise BadInput(f"verify: there are no committed records of {folder_of(options).name}")
    seed = random.randrange(10**6) if options.seed is None else options.seed
    chosen, absent = verification.chosen(results, options.sample, options.seconds or None, seed, options.jobs)
    for task, reason in absent.items():
        console.print(f"task {task} is unavailable: {reason}", markup=False)
    if old := len(results) - len(verification.current(results.records)):
        console.print(f"left out: {old} of {len(results)} committed runs, of other versions or settings (see check)")
    if old == len(results):
        console.print("nothing to make again: no committed run is of today's versions", style="bold")
        return NOTHING
    if not chosen:
        raise ValueError(f"nothing can be made again in {options.seconds} seconds: teachers must be trained first")
    told = f"{len(chosen)} of {len(results)} committed runs of {len({r.spec.task for r in chosen})} tasks, again"
    console.print(f"{told} (--seed {seed} draws the same with the same teachers trained)", markup=False)
    if kept := verification.of_other_code(chosen):
        told = "by other code than today's; `teachers --anew` tells whether today's gives the same"
        console.print(f"teachers of {', '.join(sorted(kept))} are kept from a training {told}", markup=False)
    outcomes = list(verification.compared(chosen, _again(chosen, options, console), results, environment()))
    for outcome in outcomes:
        console.print(f"  {outcome.recorded.spec.label:60} {outcome.told}", markup=False)
    written = verification.note(outcomes, folder_of(options))
    good = sum(verification.good(outcome.told) for outcome in outcomes)
    console.print(f"{good} of {len(outcomes)} are as committed; written: {written}", markup=False, style="bold")
    return 0 if good == len(outcomes) else 1


def _again(chosen: list[Record], options: Options, console: Console) -> dict[str, Record]:
    """What today's code makes of recorded cells, by the recorded keys."""
    from benchmarks.runs.fill import Execution, fill
    from benchmarks.runs.grid import rerun_of

    runs = [rerun_of(record.spec, {}) for record in chosen]
    with tempfile.TemporaryDirectory(prefix="tgt-verify.") as folder:
        plan, _ = fill(runs, Path(folder), Execution(options.size, options.jobs), console)
        made = [(record.key, plan.record(one)) for record, one in zip(chosen, plan.runs, strict=True)]
    return {key: again for key, again in made if again is not None}
