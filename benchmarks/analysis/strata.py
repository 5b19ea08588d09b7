"""The stratum of each test sample that a metric takes means within: none, its class, or its class if it is rare.

Records hold hits, not labels. Of the suite's own tasks the classes stand in a committed file beside the ledger, so that
a report needs no data; it is believed where hits and classes give back the recorded metric (`scores`).
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable
from functools import cache

import numpy as np

from benchmarks.core import paths
from benchmarks.metrics.classification import SHOTS
from benchmarks.records.record import Spec
from benchmarks.registry import tasks

PATH = paths.ROOT / "results" / "ledger" / "test-classes.json"
#: Metrics that are means of hits over all samples alike.
OF_ALL = ("accuracy", "success_20")
#: Classes of test samples by task and size, of tasks that the file does not tell of: whoever has the data may tell.
_HEARD: dict[tuple[str, str], np.ndarray] = {}


def tell(task: str, size: str, labels: np.ndarray) -> None:
    """The classes of a task's test samples (N,), for as long as this process lives; not of samples with several."""
    if labels.ndim == 1:
        _HEARD[task, size] = np.asarray(labels, np.int64)


def of(spec: Spec, metric: str, count: int) -> np.ndarray | None:
    """The stratum of each of `count` test samples (N,), -1 of those that the metric leaves out; None if unknown."""
    if metric in OF_ALL:
        return np.zeros(count, np.int64)
    if metric not in ("balanced_accuracy", *SHOTS):
        return None
    told = _told().get(f"{spec.task} {spec.size}")
    labels = _HEARD.get((spec.task, spec.size)) if told is None else _classes(told["classes"])
    counts = told["counts"].get(str(spec.budget)) if told is not None else None
    if labels is None or len(labels) < count:
        return None
    if metric == "balanced_accuracy":
        return np.asarray(labels[:count], np.int64)
    if counts is None:
        return None
    chosen = SHOTS[metric](np.array(counts))
    return np.where(chosen[labels[:count]], labels[:count], -1)


@cache
def _told() -> dict:
    return json.loads(PATH.read_text()) if PATH.exists() else {}


@cache
def _classes(text: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint16).astype(np.int64)


def entry(labels: np.ndarray, counts: dict[int, np.ndarray]) -> dict:
    """What the file holds of a task at a size.

    Args:
        labels: classes of the test samples (N,). counts: by budget, the training samples of each class (C,).
    """
    packed = base64.b64encode(zlib.compress(labels.astype(np.uint16).tobytes(), 9)).decode()
    return {"classes": packed, "counts": {str(budget): found.tolist() for budget, found in counts.items()}}


def write(names: Iterable[str], size: str = "small") -> None:
    """Add tasks to the file, from their data, at the budgets of their tables."""
    told = dict(_told())
    for name in names:
        task = tasks.get(name).at(size)
        examples, sizes = task.examples(), task.sizes[size]
        available = np.bincount(examples.pool_labels, minlength=examples.classes)
        budgets = sizes.table or (sizes.budget,)
        told[f"{name} {size}"] = entry(
            examples.test_labels[: sizes.test_limit],
            {budget: task.profile.counts(available, budget) for budget in budgets},
        )
    with paths.atomic(PATH) as temporary:
        temporary.write_text(json.dumps(dict(sorted(told.items())), indent=1) + "\n")


if __name__ == "__main__":
    import sys

    write(sys.argv[1:])
