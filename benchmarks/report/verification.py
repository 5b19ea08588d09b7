"""Committed numbers made again: which cells to run, and whether what comes out is what was recorded."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.analysis import stats
from benchmarks.core import paths
from benchmarks.records import Results
from benchmarks.records.groups import Groups, group_of, values
from benchmarks.records.record import Record
from benchmarks.registry import tasks
from benchmarks.registry.experiments import Choice
from benchmarks.registry.methods import METHODS
from benchmarks.runs.grid import overrides
from benchmarks.runs.run import Run, code_sha256

#: What must be as recorded for a run to repeat bit by bit, beside the version of torch.
PLATFORM = ("platform", "cpu", "cpu_model", "bfloat16")
FILE = "verified.json"


def run_of(record: Record) -> Run:
    """The run that makes a recorded cell today."""
    spec = record.spec
    choice = Choice(size=spec.size, settings=spec.settings)
    return Run(spec, overrides(spec.method, tasks.get(spec.task), choice))


def chosen(results: Results, sample: int, seconds: float | None, seed: int, jobs: int) -> list[Record]:
    """Random finished cells, one a task in turn, each task's cheapest first and its methods evenly.

    Args:
        sample: how many at most. seconds: what running them may take, the training of missing teachers included, by the
            times that the records hold; None: as long as it takes.
    """
    records = [r for r in results.records if r.status == "ok" and tasks.known(r.spec.task) and r.spec.method in METHODS]
    random.Random(seed).shuffle(records)
    one_each = {(r.spec.task, r.spec.method, r.spec.settings): r for r in records}
    waiting: dict[str, list[Record]] = {}
    for record in sorted(one_each.values(), key=lambda r: sum(r.phases.values())):
        waiting.setdefault(record.spec.task, []).append(record)
    found: list[Record] = []
    trained: set[Path] = set()
    left = float("inf") if seconds is None else seconds * jobs
    shown: Counter[str] = Counter()
    while waiting and len(found) < sample:
        for task in sorted(waiting, key=lambda name: (_teachers(waiting[name][0], trained)[0], name)):
            record = min(waiting[task], key=lambda r: shown[r.spec.method])
            extra, files = _teachers(record, trained)
            cost = extra + sum(record.phases.values()) + 1
            if len(found) == sample or cost > left:
                del waiting[task]  # its others cost more, or as much
                continue
            waiting[task].remove(record)
            if not waiting[task]:
                del waiting[task]
            found.append(record)
            trained |= files
            left -= cost
            shown[record.spec.method] += 1
    return found


def _teachers(record: Record, trained: set[Path]) -> tuple[float, set[Path]]:
    """Seconds that the teachers take that are not trained here yet, and their files."""
    missing = {
        part: recipe.path
        for part, recipe in run_of(record).recipes.items()
        if not recipe.trained and recipe.path not in trained
    }
    return sum(record.teachers[part]["seconds"] for part in missing), set(missing.values())


@dataclass(frozen=True)
class Outcome:
    """A cell as recorded and as it came out today.

    told: "equal" to the bit; "agrees", and why it could not be equal: within the seeds' interval; else what is wrong.
    """

    recorded: Record
    today: Record | None
    told: str

    @property
    def good(self) -> bool:
        return self.told.startswith(("equal", "agrees"))


def compared(
    recorded: Iterable[Record], today: dict[str, Record], results: Results, here: dict[str, Any]
) -> Iterator[Outcome]:
    """What became of each cell. today: by the recorded cells' keys; here: today's environment."""
    for record in recorded:
        again = today.get(record.key)
        yield Outcome(record, again, _told(record, again, results.groups(record.spec.settings), here))


def _told(record: Record, again: Record | None, groups: Groups, here: dict[str, Any]) -> str:
    if again is None:
        return "not run"
    if again.status != "ok":
        return f"FAILED: {again.reason}"
    task = tasks.get(record.spec.task)
    changed = {
        name
        for name in again.identity.keys() | record.identity.keys()
        if again.identity.get(name) != record.identity.get(name)
    }
    of_the_machine = {"teacher_sha256", *({"data_sha256"} if task.computed else ())}
    if wrong := sorted(changed - of_the_machine):
        return f"STALE: {', '.join(wrong)} changed"
    if again.metrics == record.metrics and (again.hits == record.hits or not record.hits):
        return "equal"
    other = _other_machine(record.environment, here)
    if not other and not changed:
        return "DIFFERS on the recorded platform from the same data and teacher"
    if not other and "cpu_model" in record.environment:
        return f"DIFFERS on the recorded platform: {', '.join(sorted(changed))} came out otherwise"
    reference = list(values(groups[group_of(record.spec)][record.spec.method], task.metric).values())
    value = again.metrics.get(task.metric)
    within = None if value is None else stats.reproduced([value], reference)
    if within:
        return f"agrees within the seeds' interval ({other or 'another processor'})"
    return "OUTSIDE the seeds' interval" if within is False else "too few seeds to judge by"


def _other_machine(there: dict[str, Any], here: dict[str, Any]) -> str:
    """What of the platform differs; empty where all that was recorded of it is the same."""
    for part in PLATFORM:
        if part in there and there[part] is not None and there[part] != here.get(part):
            return f"{part} {here.get(part)}, not {there[part]}"
    torch = [environment.get("packages", {}).get("torch") for environment in (here, there)]
    return "" if torch[0] == torch[1] else f"torch {torch[0]}, not {torch[1]}"


def note(outcomes: Iterable[Outcome], folder: Path) -> Path:
    """Add to `folder`/verified.json which cells today's code was tried on, and what came out."""
    found = noted(folder)
    entry = found.setdefault(code_sha256(), {"cells": {}})
    entry["cells"] |= {outcome.recorded.key: outcome.told for outcome in outcomes}
    with paths.atomic(folder / FILE) as temporary:
        temporary.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return folder / FILE


def noted(folder: Path) -> dict[str, Any]:
    """What was noted: by the hash of the code, the cells with what came out. Raises ValueError for another file."""
    path = folder / FILE
    try:
        found = json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        raise ValueError(f"{path} is not what `verify` writes: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is not what `verify` writes")
    return found
