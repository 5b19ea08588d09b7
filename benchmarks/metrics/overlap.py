"""How many words two texts have in common."""

from __future__ import annotations

from collections import Counter

import numpy as np


def token_f1(found: np.ndarray, wanted: np.ndarray) -> float:
    """Mean F1 of the bags of tokens of texts (N, T) and (N, T'), in [0, 1], as SQuAD counts it (arXiv 1606.05250).

    Tokens of 0 are padding. A pair of empty texts scores 0.
    """
    scores = []
    for texts in zip(found, wanted, strict=True):
        ours, theirs = (Counter(text[text != 0].tolist()) for text in texts)
        scores.append(2 * (ours & theirs).total() / max(ours.total() + theirs.total(), 1))
    return float(np.mean(scores))
