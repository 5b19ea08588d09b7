"""The target `check`: are the records whole, of today's code, data and teachers, and are the tables theirs?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.analysis import ablation, aggregate, diagnostics
from benchmarks.analysis import slopes as theory
from benchmarks.analysis import time_to_accuracy as price
from benchmarks.core.paths import REFERENCE
from benchmarks.data.asset import Unavailable
from benchmarks.records.record import Record, Store, edited
from benchmarks.registry import experiments, tasks
from benchmarks.registry.experiments import EXPERIMENTS, Choice
from benchmarks.registry.methods import METHODS
from benchmarks.report import figures, tables
from benchmarks.report import reproduction as report
from benchmarks.runs import search as tune
from benchmarks.runs.run import Run

#: What a difference in a part of a run's identity means.
CAUSES = {
    "method_sha256": "the method's code changed",
    "networks_sha256": "the networks' code changed",
    "loop_sha256": "the training loop's code changed",
    "data_sha256": "the data changed",
    "split_sha256": "the split changed",
    "teacher_sha256": "the teacher here is another one",
}


@dataclass(frozen=True)
class Problem:
    """What is wrong, and with how many records. Not `wrong`: could not be looked at here, and why."""

    told: str
    count: int = 1
    wrong: bool = True


def problems(folder: Path, size: str) -> Iterator[Problem]:
    """All that is wrong with a results folder, and with its folders of other settings."""
    yield from _of_one(folder, size)
    for other in sorted((folder / "set").glob("*/records.jsonl")):
        for problem in _of_one(other.parent, size, _settings(other.parent.name)):
            yield Problem(f"set/{other.parent.name}: {problem.told}", problem.count, problem.wrong)


def _settings(name: str) -> tuple[tuple[str, Any], ...]:
    """The settings that a folder of `--set` is named after."""
    found = {}
    for word in name.split(","):
        key, _, value = word.partition("=")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return tuple(sorted(found.items()))


def _of_one(folder: Path, size: str, settings: tuple[tuple[str, Any], ...] = ()) -> Iterator[Problem]:
    store = Store(folder)
    if not store.path.exists():
        yield Problem(f"{store.path}: there are no records")
        return
    yield from _edited(store.path)
    records = [record for record in report.latest(folder) if record.spec.trial is None]
    choice = Choice(size=size, tuned=tune.read(folder), settings=settings)
    yield from _stale(records, choice)
    yield from _failed(records)
    yield from _missing_seeds(records)
    yield from _mixed(records)
    if not settings:  # a folder of other settings holds what someone wanted to see of them, maybe without tables
        yield from _missing_rows(records, wrong=REFERENCE in folder.resolve().parents)
    yield from _tables(folder, needed=REFERENCE in folder.resolve().parents and not settings)


def _edited(path: Path) -> Iterator[Problem]:
    *whole, torn = path.read_text().split("\n")
    for number, line in enumerate(whole, 1):
        if line and edited(line):
            yield Problem(f"edited: line {number} of {path.name} is not as it was written")
    if torn:
        yield Problem(f"torn: the last line of {path.name} is half a record, which is passed over", wrong=False)


def _stale(records: list[Record], choice: Choice) -> Iterator[Problem]:
    """Records that today's code, data, settings or teachers would not give again."""
    found: Counter[tuple[str, bool]] = Counter()
    for record in records:
        found.update(_causes(record, choice))
    for (told, wrong), count in sorted(found.items()):
        yield Problem(told, count, wrong)


def _causes(record: Record, choice: Choice) -> Iterator[tuple[str, bool]]:
    spec = record.spec
    where = f"{spec.task} {spec.method}"
    if not tasks.known(spec.task):
        yield f"not looked at: {spec.task} is no task here; name its file with --tasks", False
        return
    if spec.method not in METHODS:
        yield f"not looked at: {where}: its method is not known here; name its file with --methods", False
        return
    try:
        task = tasks.get(spec.task)
        run = Run(spec, experiments.overrides(spec.method, task, choice))
        now = run.made_of
    except Unavailable as error:
        yield f"not looked at: {spec.task}: {error}", False
        return
    except ValueError as error:
        yield f"stale: {where}: {error}", True
        return
    then = record.identity
    for name in sorted(now.keys() | then.keys() - {"teacher_sha256"}):
        if now.get(name) != then.get(name):
            yield f"stale: {where}: {_cause(name, then.get(name), now.get(name))}", True
    if not run.has_teachers:
        yield f"not looked at: {spec.task}: its teachers are not trained here, so they cannot be compared", False
    elif {part: info["sha256"] for part, info in run.teachers.items()} != then["teacher_sha256"]:
        yield f"stale: {where}: {CAUSES['teacher_sha256']}", True


def _cause(name: str, then: Any, now: Any) -> str:
    if name == "config":
        changed = (
            f"{key} {then.get(key)!r} -> {now.get(key)!r}" for key in sorted(now) if then.get(key) != now.get(key)
        )
        return f"its hyper-parameters changed ({', '.join(changed)})"
    return CAUSES.get(name, f"{name} changed")


def _failed(records: list[Record]) -> Iterator[Problem]:
    for record in records:
        if record.status == "failed":
            yield Problem(f"failed: {record.spec.label}: {record.reason}")


def _groups(records: list[Record]) -> dict[tables.Group, list[Record]]:
    groups: dict[tables.Group, list[Record]] = {}
    for record in records:
        s = record.spec
        groups.setdefault((s.task, s.teacher, s.budget, s.match), []).append(record)
    return groups


def _named(group: tables.Group) -> str:
    task, teacher, budget, match = group
    return f"{task}, teacher {teacher}, {budget:,} samples" + ("" if match == "samples" else f", match {match}")


def _missing_seeds(records: list[Record]) -> Iterator[Problem]:
    """Seeds that other rows of a group have, and gaps before the last one."""
    for group, found in _groups(records).items():
        wanted = set(range(max(record.spec.seed for record in found) + 1))
        for method in dict.fromkeys(record.spec.method for record in found):
            absent = sorted(wanted - {record.spec.seed for record in found if record.spec.method == method})
            if absent:
                yield Problem(f"missing: {_named(group)}: {method} has no seed {', '.join(map(str, absent))}")


def _missing_rows(records: list[Record], wrong: bool) -> Iterator[Problem]:
    """Rows that a table is made of; of one's own results it is no fault to have left some out."""
    for group, found in _groups(records).items():
        for row in sorted(_rows_of(*group) - {record.spec.method for record in found}):
            yield Problem(f"missing: {_named(group)}: no record of {row}", wrong=wrong)


def _rows_of(task: str, teacher: str, budget: int, match: str) -> set[str]:
    """Rows that a group must have: those of the table whose own group it is."""
    for experiment in EXPERIMENTS.values():
        if task in experiment.tasks and teacher == "full" and match == "samples":
            found = tasks.get(task)
            if any(budget in experiment.budgets(size) for size in found.sizes.values()):
                return set(experiment.methods(found))
    return set()


def _mixed(records: list[Record]) -> Iterator[Problem]:
    for found in _groups(records).values():
        try:
            tables.cells((record.spec, record) for record in found)
        except ValueError as error:
            yield Problem(f"mixed: {error}")


def _tables(folder: Path, needed: bool = True) -> Iterator[Problem]:
    """Tables that are not what the records give, and those that are needed and not there."""
    whole, further = _made(folder)
    for file, text in {**whole, **further}.items():
        if not (folder / file).exists():
            if needed and file in whole:
                yield Problem(f"stale: there is no {file}; ./reproduce.sh report writes it")
        elif (folder / file).read_text() != text:
            yield Problem(f"stale: {file} is not what the records give; ./reproduce.sh report writes it anew")


def _made(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """What the records give, by file: every target's tables; and those that `report` alone writes, all or none."""
    made: dict[str, str] = {}
    further: dict[str, str] = {}
    try:
        for name, experiment in EXPERIMENTS.items():
            for files, chosen in [(name, ()), *((f"{name}-{task}", (task,)) for task in experiment.also)]:
                if groups := tables.cells(report.recorded(name, folder, chosen)):
                    made[f"{files}.csv"] = tables.to_csv(tables.summary(groups))
                    if experiment.figure == "curve":
                        made[f"{files}-multiplier.csv"] = tables.to_csv(figures.multipliers(groups))
                    elif experiment.figure == "slopes":
                        made[f"{files}-slopes.csv"] = tables.to_csv(theory.slopes(groups))
        groups = report.cells(folder)
        found = {target: ablation.frame(target, folder, Choice()) for target in ablation.ABLATIONS}
        found |= {"diagnostics": diagnostics.frame(groups), "price": price.price(groups)}
        if (scores := aggregate.scores(groups)) is not None:
            found["aggregate"] = aggregate.frame(scores)
        further = {f"{name}.csv": tables.to_csv(frame) for name, frame in found.items() if len(frame)}
    except ValueError:
        pass  # of mixed teachers there is no table; that is told already
    if (folder / "report.md").exists():
        return {**made, **further}, {}
    return made, further
