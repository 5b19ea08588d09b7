"""Which training samples a budget means: nested, the same for all methods, drawn by a seed of their own.

Each class has its samples in one shuffled order for a seed, and a budget takes a prefix of each class. Class counts
never shrink as the budget grows, so a smaller budget is a subset of a larger one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.core import kept, paths
from benchmarks.core.errors import MachineFailure
from benchmarks.core.fingerprint import array_digest, seed_of


@dataclass(frozen=True)
class Profile:
    """How a budget is spread over classes: `balanced`, `exponential` (with its imbalance ratio) or `natural`.

    `published` is natural without the validation samples: the largest budget is a published training list.
    `uniform` asks nothing of the classes, for there are more of them than samples: any samples, drawn evenly.
    """

    kind: str
    ratio: float = 1.0

    def counts(self, available: np.ndarray, budget: int) -> np.ndarray:
        """Samples of each class (C,) for at most `budget` samples. Raises ValueError if the pool cannot give them."""
        if budget < 1 or budget > available.sum():
            raise ValueError(f"budget {budget} is not between 1 and the {available.sum()} samples of the pool")
        if self.kind == "uniform":
            counts = np.array([budget])
        elif self.kind == "balanced":
            counts = budget // len(available) + (np.arange(len(available)) < budget % len(available))
        elif self.kind == "exponential":
            n_max = _largest(lambda n: int(exponential(len(available), n, self.ratio).sum()), budget)
            counts = exponential(len(available), n_max, self.ratio)
        elif self.kind in ("natural", "published"):
            thousandths = _largest(lambda n: int(_natural(available, n).sum()), budget)
            counts = _natural(available, thousandths)
        else:
            raise ValueError(f"unknown profile {self.kind!r}")
        short = np.flatnonzero(counts > available)
        if len(short):
            raise ValueError(
                f"budget {budget} asks for {counts[short[0]]} samples of class {short[0]}, "
                f"the pool has {available[short[0]]}"
            )
        if counts.sum() == 0:
            raise ValueError(f"budget {budget} is too small: it leaves every class without a sample")
        return counts


def exponential(classes: int, n_max: int, ratio: float) -> np.ndarray:
    """n_i = int(n_max * f^(i / (C - 1))) with f = 1 / ratio, in label order (Cao et al. 2019, CIFAR-LT)."""
    powers = [(1.0 / ratio) ** (i / (classes - 1.0)) for i in range(classes)]
    return np.array([int(n_max * power) for power in powers], np.int64)


def _natural(available: np.ndarray, thousandths: int) -> np.ndarray:
    """A share of each class in 1/1000, at least one sample: unlike rounding to a total, it never shrinks."""
    return np.maximum(available * thousandths // 1000, 1) if thousandths else np.zeros_like(available)


def _largest(total: Callable[[int], int], budget: int) -> int:
    """The largest n whose total stays within the budget; `total` must not decrease."""
    low, high = 0, 1
    while total(high) <= budget and high < 2**24:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if total(middle) <= budget else (low, middle)
    return low


@dataclass(frozen=True)
class Split:
    """Indices into a task's training pool for one (budget, seed), and the hash that names them."""

    task: str
    budget: int
    seed: int
    indices: np.ndarray

    @property
    def sha256(self) -> str:
        return array_digest({"indices": self.indices})

    def write(self) -> Path:
        """Keep the manifest on disk, for people: nothing reads it. A damaged one is set aside and written anew."""
        path = paths.cache() / "splits" / f"{self.task}-n{self.budget}-seed{self.seed}-{self.sha256[:12]}.json"
        manifest = {"task": self.task, "budget": self.budget, "seed": self.seed, "sha256": self.sha256}
        text = json.dumps({**manifest, "indices": self.indices.tolist()})
        expected = hashlib.sha256(text.encode()).hexdigest()
        if os.path.lexists(path):
            if kept.found(path) == expected:
                return path
            kept.make_way(path, kept.told(path, kept.found(path), expected))
        try:
            with paths.atomic(path) as temporary:
                temporary.write_text(text)
        except MachineFailure as error:
            if error.errno not in kept.READ_ONLY:  # a cache that is shared for reading goes without
                raise
        return path


def draw(
    task: str,
    labels: np.ndarray,
    classes: int,
    profile: Profile,
    budget: int,
    seed: int,
    last: np.ndarray | None = None,
) -> Split:
    """The split of a budget.

    Args:
        labels: labels of the pool (N,). last: pool indices that a budget reaches only when nothing else of their class
            is left (the validation samples, which only the full budget may use).
    """
    rng = np.random.default_rng(seed_of("split", task, seed))
    if profile.kind == "uniform":
        labels, classes = np.zeros_like(labels), 1
    is_last = np.zeros(len(labels), bool)
    if last is not None:
        is_last[last] = True
    offered = labels[~is_last] if profile.kind == "published" else labels
    counts = profile.counts(np.bincount(offered, minlength=classes), budget)
    chosen = []
    for label, count in enumerate(counts):
        members = np.flatnonzero(labels == label)
        order = rng.permutation(members)
        order = np.concatenate([order[~is_last[order]], order[is_last[order]]])
        chosen.append(order[:count])
    return Split(task, budget, seed, np.sort(np.concatenate(chosen)).astype(np.int64))


def linked(*labels: np.ndarray, edges: np.ndarray | None = None) -> np.ndarray:
    """Numbers the samples (N,) so that those which must stand on one side of a split have the same one.

    Args:
        labels: of each sample (N,); samples with an equal label of one kind are linked, a label below 0 is none.
        edges: further pairs of samples (2, M) that are linked.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = total = len(labels[0])
    rows, columns = [], []
    if edges is not None:
        rows.append(edges[0])
        columns.append(edges[1])
    for label in labels:
        named = np.flatnonzero(label >= 0)
        rows.append(named)
        columns.append(total + label[named])
        total += int(label.max(initial=-1)) + 1
    row, column = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(row), np.int8), (row, column)), shape=(total, total))
    return connected_components(graph, directed=False)[1][:count].astype(np.int64)


#: Shares of the texts of a data set that comes without sides.
TEST, VALIDATION = 0.2, 0.1


def sides(groups: np.ndarray, name: str, labels: np.ndarray | None = None) -> np.ndarray:
    """0 (training), 1 (validation) or 2 (test) for each text, the same for all texts of a group and for all seeds.

    Groups below 0 are for training. With `labels` (of each text) the shares hold within each class.
    """
    rng = np.random.default_rng(seed_of("validation", name))
    order = rng.permutation(np.unique(groups[groups >= 0]))
    rank = np.full(groups.max() + 1, -1)
    rank[order] = np.arange(len(order))
    side = np.zeros(len(groups), np.int64)
    taken: dict[int, int] = {}  # a group that meets two classes stays where its first class put it
    for label in [None] if labels is None else np.unique(labels):
        members = np.flatnonzero(groups >= 0 if label is None else labels == label)
        members = members[np.argsort(rank[groups[members]], kind="stable")]
        share = (np.arange(len(members)) + 1) / len(members)
        for member, reached in zip(members, share, strict=True):
            wanted = 2 if reached <= TEST else 1 if reached <= TEST + VALIDATION else 0
            side[member] = taken.setdefault(int(groups[member]), wanted)
    return side
