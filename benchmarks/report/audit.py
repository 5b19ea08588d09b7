"""The target `check`: are the records whole, of today's code, data and teachers, and are the tables theirs?"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.core import kept
from benchmarks.core.environment import code_sha256
from benchmarks.core.paths import LOCAL, REFERENCE
from benchmarks.data.asset import Unavailable
from benchmarks.records.groups import Group, group_of, grouped
from benchmarks.records.record import Record, Store
from benchmarks.records.results import Results
from benchmarks.registry import tasks
from benchmarks.registry.experiments import BASELINE, EXPERIMENTS, Choice
from benchmarks.registry.hyperparameters import read_tuned
from benchmarks.registry.methods import METHODS
from benchmarks.report import artefacts, verification
from benchmarks.runs.grid import rerun_of, rows_at

#: Parts of a run's identity that are its method's own.
OF_METHOD = {"method", "config", "method_version", "method_sha256", "steps", "student"}
#: Gaps among the seeds of a cell are looked for up to this one.
GAPS = 1000
#: What a difference in a part of a run's identity means.
CAUSES = {
    "protocol": "the training protocol changed",
    "task_version": "the task changed",
    "task_sha256": "the task's code changed",
    "method_version": "the method changed",
    "method_sha256": "the method's code changed",
    "student": "the student's network changed",
    "data_sha256": "the data changed",
    "split_sha256": "the split changed",
    "teacher_sha256": "the teacher here is another one",
}


@dataclass(frozen=True)
class Problem:
    """What is wrong, and with how many records. Not `wrong`: a reader should know of it, but no number is in doubt."""

    told: str
    count: int = 1
    wrong: bool = True


def problems(results: Results, size: str) -> Iterator[Problem]:
    """All that is wrong with a results folder."""
    path = results.folder / "records.jsonl"
    if not path.exists():
        yield Problem(f"{path}: there are no records")
        return
    reference = REFERENCE in results.folder.resolve().parents
    yield from _lines(path)
    yield from stale(results.records, read_tuned(results.folder / "tuned.json"))
    yield from _other_code(results.records, size, results.folder)
    for record in results.records:
        if record.status == "failed":
            yield Problem(f"failed: {record.spec.label}: {record.reason}")
    for settings in results.settings:
        records = [record for record in results.records if record.spec.settings == settings]
        choice = Choice(size=size, settings=settings, tuned=read_tuned(results.folder / "tuned.json"))
        for problem in _of_groups(records, choice, reference):
            where = f"--set {settings}: " if settings else ""
            yield Problem(where + problem.told, problem.count, problem.wrong)
        yield from _tables(results, choice, needed=reference and not settings)


def _lines(path: Path) -> Iterator[Problem]:
    for number, reason in Store(path.parent).damaged().items():
        yield Problem(f"set aside: line {number} of {path.name}: {reason}")
    if path.read_bytes().rpartition(b"\n")[2]:
        yield Problem(f"torn: the last line of {path.name} is half a record, which is passed over", wrong=False)


def stale(records: list[Record], tuned: dict[str, Any]) -> Iterator[Problem]:
    """Records that today's code, data, settings or teachers would not give again, counted by what is wrong."""
    found: Counter[tuple[str, bool]] = Counter()
    for record in records:
        found.update(_causes(record, tuned))
    for (told, wrong), count in sorted(found.items()):
        yield Problem(told, count, wrong)


def _causes(record: Record, tuned: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    spec = record.spec
    where = f"{spec.task} {spec.method}"
    if not tasks.known(spec.task):
        yield f"not looked at: {spec.task} is no task here; name its file with --tasks", False
        return
    unknown = spec.method not in METHODS
    if unknown:  # all that is not the method's own is as with any other
        yield f"not looked at: {where}: the method itself is not known here; name its file with --methods", False
    try:
        run = rerun_of(spec.model_copy(update={"method": BASELINE}) if unknown else spec, tuned)
        now = run.made_of
    except Unavailable as error:
        yield f"not looked at: {spec.task}: {error}", False
        return
    except ValueError as error:
        yield f"stale: {where}: {error}", True
        return
    then = record.identity
    for name in sorted((now.keys() | then.keys()) - {"teacher_sha256"} - (OF_METHOD if unknown else set())):
        if now.get(name) == then.get(name):
            continue
        if name == "data_sha256" and run.task.computed:
            yield "not looked at: data that are computed, whose last bits differ on this processor", False
        else:
            yield f"stale: {where}: {_cause(name, then.get(name), now.get(name))}", True
    damaged = [one.path for one in run.recipes.values() if not one.trained and os.path.lexists(one.path)]
    for path in damaged:
        yield f"damaged: {kept.told(path, kept.found(path), kept.listed(path))}; it will be trained anew", False
    if damaged:
        return
    if not run.has_teachers:
        yield "not looked at: teachers that are not trained here, so that their weights cannot be compared", False
    elif {part: info["sha256"] for part, info in run.teachers.items()} != then["teacher_sha256"]:
        yield f"stale: {where}: {CAUSES['teacher_sha256']}", True


def _cause(name: str, then: Any, now: Any) -> str:
    if name == "config":
        changed = (
            f"{key} {then.get(key)!r} -> {now.get(key)!r}" for key in sorted(now) if then.get(key) != now.get(key)
        )
        return f"its hyper-parameters changed ({', '.join(changed)})"
    return CAUSES.get(name, f"{name} changed")


def _other_code(records: list[Record], size: str, folder: Path) -> Iterator[Problem]:
    """Records whose keys are today's though the code was edited since: what speaks for it that nothing changed."""
    today = code_sha256()
    count = sum(record.code_sha256 != today for record in records)
    if not count:
        return
    keys = {record.key for record in records}
    noted = {
        key: told
        for where in dict.fromkeys((LOCAL / size, folder))
        for key, told in verification.noted(where).get(today, {}).items()
        if key in keys
    }
    good = sum(map(verification.good, noted.values()))
    told = f"verified by {good} of {len(noted)} cells" if noted else "not verified since"
    yield Problem(f"same key, code changed since: {told} (./reproduce.sh verify)", count, wrong=good < len(noted))


def _of_groups(records: list[Record], choice: Choice, reference: bool) -> Iterator[Problem]:
    """Missing seeds and rows, mixed teachers."""
    groups: dict[Group, list[Record]] = {}
    for record in records:
        groups.setdefault(group_of(record.spec), []).append(record)
    for group, found in groups.items():
        yield from _missing_seeds(group, found, reference)
        if not choice.settings:  # runs with other settings are what someone wanted to see of them
            for row in sorted(_rows_of(group, choice) - {record.spec.method for record in found}):
                yield Problem(f"missing: {group.label}: no record of {row}", wrong=reference)
        try:
            grouped((record.spec, record) for record in found)
        except ValueError as error:
            yield Problem(f"mixed: {error}")


def _missing_seeds(group: Group, records: list[Record], wrong: bool) -> Iterator[Problem]:
    """Seeds that other rows of a group have with the same draw of the teacher, and gaps before the last one."""
    for draw in sorted({record.spec.draw for record in records}):
        of_draw = [record.spec for record in records if record.spec.draw == draw]
        there = {spec.seed for spec in of_draw}
        wanted = there | set(range(min(max(there), GAPS) + 1))
        told = f" of draw {draw}" if draw else ""
        for method in dict.fromkeys(spec.method for spec in of_draw):
            if absent := sorted(wanted - {spec.seed for spec in of_draw if spec.method == method}):
                told_seeds = ", ".join(map(str, absent))
                yield Problem(f"missing: {group.label}: {method} has no seed {told_seeds}{told}", wrong=wrong)


def _rows_of(group: Group, choice: Choice) -> set[str]:
    """Rows that a group must have: those of the table whose own group it is."""
    for experiment in EXPERIMENTS.values():
        if group.task in experiment.tasks and group.teacher == "full" and group.match == "samples":
            task = tasks.get(group.task)
            if any(group.budget in experiment.budgets(size) for size in task.sizes.values()):
                return set(rows_at(experiment, task, group.teacher, group.budget, choice))
    return set()


def _tables(results: Results, choice: Choice, needed: bool) -> Iterator[Problem]:
    """CSVs that are not what the records give, and those that are needed and not there.

    What `report` alone writes is all there or not at all.
    """
    folder = artefacts.folder_of(results.folder, choice.settings)
    reported = (folder / "report.md").exists()
    try:
        found = list(artefacts.of(results, choice))
    except ValueError:
        return  # of mixed teachers there is no table; that is reported already
    for artefact in found:
        for file, text in artefact.csvs.items():
            if not (folder / file).exists():
                if needed and (artefact.groups or reported):
                    yield Problem(f"stale: there is no {file}; ./reproduce.sh report writes it")
            elif (folder / file).read_text() != text:
                where = (folder / file).relative_to(results.folder)
                yield Problem(f"stale: {where} is not what the records give; ./reproduce.sh report writes it anew")
