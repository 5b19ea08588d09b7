"""Retrieval metrics of scores over a collection that is searched whole, as trec_eval counts them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

#: First passages that a hit is looked for among.
CUTS = (1, 20, 100)
DEEPEST = max(CUTS)
BLOCK = 2**16  # passages that are searched at once
_QUERIES = 2**10


def first_ranks(scores: Tensor, depth: int = DEEPEST) -> np.ndarray:
    """Passage numbers (N, depth) by falling score (N, L). Of equal scores the higher number comes first.

    trec_eval breaks ties by falling document name; with names that sort as their numbers this is its order.
    """
    depth = min(depth, scores.shape[1])
    values, numbers = (found.cpu().numpy() for found in scores.topk(depth))
    ranked = np.take_along_axis(numbers, np.lexsort((-numbers, -values)), 1)
    # Where more passages share the last score than there is room for, topk has chosen among them as it pleased.
    last = torch.from_numpy(values[:, -1:]).to(scores.device)
    crowded = np.flatnonzero((scores >= last).sum(1).cpu().numpy() > depth)
    if len(crowded):
        whole = scores[crowded].flip(1).argsort(dim=1, descending=True, stable=True)[:, :depth]  # the last come first
        ranked[crowded] = scores.shape[1] - 1 - whole.cpu().numpy()
    return ranked


def search(queries: Tensor, shards: Sequence[Path], depth: int = DEEPEST, block: int = BLOCK) -> np.ndarray:
    """`first_ranks` of the products of queries (N, d) with all vectors of shards, on the queries' device.

    Shards are .npy files (n, d) of any type, whose rows are numbered on from one file to the next. They are multiplied
    in float32 in blocks that do not know where a file ends: scores, and so ties, are the same however many files hold
    them. Memory is that of a block, whatever their number.
    """
    best = [(part.new_empty(len(part), 0), np.empty((len(part), 0), np.int64)) for part in queries.split(_QUERIES)]
    first = 0
    for rows in _blocks(shards, block):
        vectors = torch.from_numpy(rows).to(queries.device).float()
        for i, part in enumerate(queries.split(_QUERIES)):
            values, numbers = best[i]
            scores = torch.cat([values, part.float() @ vectors.T], 1)
            # Columns stay in the order of the passages' numbers, by which ties are resolved.
            columns = np.sort(first_ranks(scores, depth), 1)
            kept, known = first + columns - numbers.shape[1], columns < numbers.shape[1]
            kept[known] = numbers[known.nonzero()[0], columns[known]]
            best[i] = scores.gather(1, torch.from_numpy(columns).to(scores.device)), kept
        first += len(rows)
    return np.concatenate([np.take_along_axis(numbers, first_ranks(values, depth), 1) for values, numbers in best])


def _blocks(shards: Sequence[Path], size: int) -> Iterator[np.ndarray]:
    """Rows of .npy files that follow each other, `size` at a time. No file stays mapped: its pages would count."""
    rest: np.ndarray | None = None
    for path in shards:
        for start in range(0, len(np.load(path, mmap_mode="r")), size):
            part = np.array(np.load(path, mmap_mode="r")[start : start + size])
            rest = part if rest is None else np.concatenate([rest, part])
            if len(rest) >= size:
                yield rest[:size]
                rest = rest[size:]
    if rest is not None and len(rest):
        yield rest


def measure(ranked: np.ndarray, relevant: np.ndarray) -> dict[str, float]:
    """Means over queries, in [0, 1].

    `success_k`: at least one relevant passage among the first k, which is what DPR calls top-k accuracy or Recall@k.
    `recall_k`: share of the relevant passages among the first k. `mrr_10`: 1 / rank of the first relevant passage, 0
    beyond 10. `ndcg_10`: with gains of 0 or 1 and a discount of log2(rank + 1) (Järvelin & Kekäläinen 2002).

    Args:
        ranked: passage numbers (N, depth), the best first.
        relevant: passage numbers (N, R), filled up with -1. A query without a relevant passage scores 0 everywhere.
    """
    real = relevant >= 0
    hit = np.zeros(ranked.shape, bool)
    for column in range(relevant.shape[1]):  # R is small; all at once would be a large array
        hit |= (ranked == relevant[:, column : column + 1]) & real[:, column : column + 1]
    total = real.sum(1)
    found = hit.cumsum(1)
    depth = ranked.shape[1]
    discount = 1 / np.log2(np.arange(2, 12))
    best = np.concatenate([[0.0], discount.cumsum()])[np.minimum(total, 10)]
    gained = (hit[:, :10] * discount[: min(10, depth)]).sum(1)
    scores = {f"recall_{k}": (found[:, min(k, depth) - 1] / np.maximum(total, 1)).mean() for k in CUTS}
    scores["ndcg_10"] = np.divide(gained, best, where=best > 0, out=np.zeros(len(best))).mean()
    return {**first_hits(hit), **{name: float(value) for name, value in scores.items()}}


def first_hits(hit: np.ndarray) -> dict[str, float]:
    """`success_k` and `mrr_10` (see `measure`) of which ranked passages (N, depth) are relevant: of these alone."""
    scores = {f"success_{k}": hit[:, :k].any(1).mean() for k in CUTS}
    scores["mrr_10"] = np.where(hit[:, :10].any(1), 1 / (1 + hit[:, :10].argmax(1)), 0.0).mean()
    return {name: float(value) for name, value in scores.items()}
