"""A copy of each new record in an experiment tracker, if a person asks for one with --track."""

from __future__ import annotations

import importlib

from benchmarks.records.record import Record

PROJECT = "tgt-suite"


def send(record: Record, tracker: str) -> None:
    """One run of the tracker for a record: hyper-parameters, learning curve, costs and diagnostics.

    Where it goes (a local folder, a server, offline) is set as the tracker's own documentation says.
    """
    library = importlib.import_module(tracker)
    config = {**record.spec.model_dump(exclude={"trial"}), **record.identity.get("config", {}), "key": record.key}
    library.init(project=PROJECT, name=record.spec.label, config=config)
    for point in record.curve:
        scores = {"test": point.test, "validation": point.validation or {}}
        values = {f"{side}/{name}": v for side, found in scores.items() for name, v in found.items() if v is not None}
        paid = {"cost/seconds": point.seconds, "cost/labeler_queries": point.labeler_queries}
        last = {f"seen/{name}": v for name, v in record.diagnostics.items()} if point is record.curve[-1] else {}
        library.log({**values, **paid, **last}, step=point.step)
    library.finish()
