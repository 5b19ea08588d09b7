"""A results folder, read once: as a flat table for anyone, and in groups for the comparisons."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.records.groups import Groups, grouped
from benchmarks.records.record import Record, Spec, Store
from benchmarks.registry import tasks
from benchmarks.registry.experiments import EXPERIMENTS
from benchmarks.registry.methods import METHODS

if TYPE_CHECKING:
    import pandas as pd


class Results:
    """The records of a folder; of several of one cell (its code changed between them) the last written.

    Attributes:
        folder: where they are from. records: all but the trials of searches, in the order of the file.
    """

    def __init__(self, folder: Path, records: list[Record]) -> None:
        self.folder = folder
        self.records = list({record.spec: record for record in records if record.spec.trial is None}.values())

    @classmethod
    def load(cls, folder: Path | str) -> Results:
        """Read `folder`/records.jsonl; empty where there is none. Raises ValueError for a line that is no record."""
        return cls(Path(folder), list(Store(Path(folder)).read().values()))

    def __len__(self) -> int:
        return len(self.records)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row a run, its columns as `report.export.DICTIONARY` tells; nested parts as `part.name`."""
        import pandas as pd

        return pd.DataFrame([flat(record) for record in self.records])

    @property
    def settings(self) -> list[str]:
        """The settings of `--set` that runs were made with, "" for the tables' own."""
        return sorted({record.spec.settings for record in self.records})

    def of(self, settings: str = "") -> list[tuple[Spec, Record]]:
        """(spec, record) of runs with these settings, of known tasks: a custom one's file must have been named."""
        return [
            (record.spec, record)
            for record in self.records
            if record.spec.settings == settings and tasks.known(record.spec.task)
        ]

    def groups(self, settings: str = "") -> Groups:
        """All groups with these settings, in the order of the file. Raises ValueError where teachers are mixed."""
        if settings not in (kept := self.__dict__.setdefault("_groups", {})):
            kept[settings] = grouped(self.of(settings))
        return kept[settings]

    def tables(self, settings: str = "") -> dict[str, tuple[str, Groups]]:
        """The name and the groups of each experiment that has records, in the order of its tables.

        By the name of its files: its own tasks, and each further one apart.
        """
        order = {method: place for place, method in enumerate(METHODS)}

        def rank(pair: tuple[Spec, Record]) -> tuple:
            spec, place = pair[0], order.get(pair[0].method, len(order))
            return spec.task, spec.teacher, spec.match != "samples", spec.budget, place, spec.draw, spec.seed

        recorded, found = sorted(self.of(settings), key=rank), {}
        for name, experiment in EXPERIMENTS.items():
            for files, chosen in [(name, experiment.tasks), *((f"{name}-{t}", (t,)) for t in experiment.also)]:
                if pairs := [pair for task in chosen for pair in recorded if tasks.get(pair[0].task).family == task]:
                    found[files] = name, grouped(pairs)
        return found


def flat(record: Record) -> dict[str, Any]:
    """A record as one row; nested parts as `part.name`, hyper-parameters as JSON."""
    spec, last = record.spec, record.curve[-1] if record.curve else None
    return {
        "key": record.key,
        **spec.model_dump(exclude={"trial", "steps"}),
        "status": record.status,
        "reason": record.reason,
        **_named("test", record.metrics),
        **_named("validation", (last.validation if last else None) or {}),
        **_named("cost", record.costs),
        **_named("seconds", record.phases),
        **_named("seen", record.diagnostics),
        "config": json.dumps(record.identity.get("config", {}), sort_keys=True),
        "labeler_score": json.dumps(record.teachers.get("labeler", {}).get("metrics", {}).get("test", {})),
        **{f"{part}_sha256": info["sha256"] for part, info in sorted(record.teachers.items())},
        "commit": record.environment.get("commit"),
        "cpu": record.environment.get("cpu"),
        "torch": record.environment.get("packages", {}).get("torch"),
    }


def _named(part: str, values: dict[str, Any]) -> dict[str, Any]:
    return {f"{part}.{name}": value for name, value in values.items()}
