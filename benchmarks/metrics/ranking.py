"""Retrieval metrics of scores over a collection that is searched whole, as trec_eval counts them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

#: First passages that a hit is looked for among.
CUTS = (1, 20, 100)
DEEPEST = max(CUTS)


def first_ranks(scores: Tensor, depth: int = DEEPEST) -> np.ndarray:
    """Passage numbers (N, depth) by falling score (N, L). Of equal scores the higher number comes first.

    trec_eval breaks ties by falling document name; with names that sort as their numbers this is its order.
    """
    depth = min(depth, scores.shape[1])
    values, numbers = (found.numpy() for found in scores.topk(depth))
    ranked = np.take_along_axis(numbers, np.lexsort((-numbers, -values)), 1)
    # Where more passages share the last score than there is room for, topk has chosen among them as it pleased.
    crowded = np.flatnonzero((scores >= torch.from_numpy(values[:, -1:])).sum(1).numpy() > depth)
    if len(crowded):
        whole = scores[crowded].flip(1).argsort(dim=1, descending=True, stable=True)[:, :depth]  # the last come first
        ranked[crowded] = scores.shape[1] - 1 - whole.numpy()
    return ranked


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
    first = np.where(hit[:, :10].any(1), 1 / (1 + hit[:, :10].argmax(1)), 0.0)
    scores = {f"success_{k}": (found[:, min(k, depth) - 1] > 0).mean() for k in CUTS}
    scores |= {f"recall_{k}": (found[:, min(k, depth) - 1] / np.maximum(total, 1)).mean() for k in CUTS}
    scores |= {
        "mrr_10": first.mean(),
        "ndcg_10": np.divide(gained, best, where=best > 0, out=np.zeros(len(best))).mean(),
    }
    return {name: float(value) for name, value in scores.items()}
