"""Committed numbers made again: which cells to run, and whether what comes out is what was recorded."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from benchmarks.analysis import stats
from benchmarks.core import paths
from benchmarks.core.environment import code_sha256
from benchmarks.data.asset import Unavailable
from benchmarks.records import Results
from benchmarks.records.groups import Groups, group_of, values
from benchmarks.records.record import Record
from benchmarks.registry import tasks
from benchmarks.registry.methods import METHODS
from benchmarks.runs.grid import rerun_of
from benchmarks.teachers import store

#: What must be as recorded for a run to repeat bit by bit, beside the version of torch.
PLATFORM = ("platform", "cpu", "cpu_model", "bfloat16")
FILE = "verified.json"


def chosen(
    results: Results, sample: int, seconds: float | None, seed: int, jobs: int
) -> tuple[list[Record], dict[str, str]]:
    """Random finished cells of today's versions, one a task in turn, each task's cheapest first, its methods evenly.

    Args:
        sample: how many at most. seconds: what running them may take, the training of missing teachers included, by the
            times that the records hold; None: as long as it takes.

    Returns:
        the cells, and tasks whose data cannot be had, with the reason.
    """
    records = current(results.records)
    random.Random(seed).shuffle(records)
    one_each = {(r.spec.task, r.spec.method, r.spec.settings): r for r in records}
    waiting: dict[str, list[Record]] = {}
    for record in sorted(one_each.values(), key=lambda r: sum(r.phases.values())):
        waiting.setdefault(record.spec.task, []).append(record)
    found: list[Record] = []
    absent: dict[str, str] = {}
    trained: set[Path] = set()
    left = float("inf") if seconds is None else seconds * jobs
    shown: Counter[str] = Counter()
    for task in list(waiting):
        try:
            _teachers(waiting[task][0], trained)
        except Unavailable as error:
            absent[task] = str(error)
            del waiting[task]
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
    return found, absent


def _teachers(record: Record, trained: set[Path]) -> tuple[float, set[Path]]:
    """Seconds that the teachers take that are not trained here yet, and their files."""
    missing = {
        part: recipe.path
        for part, recipe in rerun_of(record.spec, {}).recipes.items()
        if not recipe.trained and recipe.path not in trained
    }
    return sum(record.teachers[part]["seconds"] for part in missing), set(missing.values())


def current(records: Iterable[Record]) -> list[Record]:
    """Finished runs that today's code claims to give again: of known rows, every version and setting as recorded.

    Data or weights that changed without a word are no reason to leave a run out: that is what is to be found.
    """
    known = (r for r in records if r.status == "ok" and tasks.known(r.spec.task) and r.spec.method in METHODS)
    return [r for r in known if all(r.identity.get(k) == v for k, v in rerun_of(r.spec, {}).declared.items())]


def of_other_code(records: Iterable[Record]) -> set[str]:
    """Tasks whose teachers were trained here by other code than today's: that they come out as before is not shown."""
    today = code_sha256()
    return {
        record.spec.task
        for record in records
        for recipe in rerun_of(record.spec, {}).recipes.values()
        if recipe.trained and store.metadata(recipe.path).get("code_sha256") != today
    }


@dataclass(frozen=True)
class Outcome:
    """A cell as recorded and as it came out today.

    told: "equal" to the bit; "agrees", and why it could not be equal: within the seeds' interval; else what is wrong.
    """

    recorded: Record
    today: Record | None
    told: str


def good(told: str) -> bool:
    """Whether what came of a cell is as it was recorded."""
    return told.startswith(("equal", "agrees"))


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
    other = "a GPU promises no equal bits" if record.spec.device != "cpu" else other_machine(record.environment, here)
    if not other and "data_sha256" in changed and "cpu_model" not in record.environment:
        other = "computed data with other last bits"  # which kind of processor it was is not recorded
    if not other:
        parts = sorted(name.removesuffix("_sha256") for name in changed)
        same = "from the same data and teacher" if not changed else f"and so does its {' and '.join(parts)}"
        return f"DIFFERS on the recorded platform, {same}"
    reference = list(values(groups[group_of(record.spec)][record.spec.method], task.metric).values())
    value = again.metrics.get(task.metric)
    within = None if value is None else stats.reproduced([value], reference)
    if within:
        return f"agrees within the seeds' interval ({other})"
    return "OUTSIDE the seeds' interval" if within is False else "too few seeds to judge by"


def other_machine(there: dict[str, Any], here: dict[str, Any]) -> str:
    """What of the platform differs; empty where all that was recorded of it is the same."""
    for part in PLATFORM:
        if part in there and there[part] is not None and there[part] != here.get(part):
            return f"{part} {here.get(part)}, not {there[part]}"
    torch = [environment.get("packages", {}).get("torch") for environment in (here, there)]
    return "" if torch[0] == torch[1] else f"torch {torch[0]}, not {torch[1]}"


def note(outcomes: Iterable[Outcome], folder: Path) -> Path:
    """Add to `folder`/verified.json which cells today's code was tried on, and what came out."""
    found = noted(folder)
    found.setdefault(code_sha256(), {}).update({outcome.recorded.key: outcome.told for outcome in outcomes})
    with paths.atomic(folder / FILE) as temporary:
        temporary.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return folder / FILE


def noted(folder: Path) -> dict[str, dict[str, str]]:
    """What was noted: by the hash of the code, what came of each cell by its key. ValueError for another file."""
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        return TypeAdapter(dict[str, dict[str, str]]).validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path} is not what `verify` writes; delete it") from error
