"""Classification metrics, and many/medium/few-shot accuracy for long tails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

#: Boundaries of classifier-balancing (Kang et al. 2020); OLTR's differ (>= 100, <= 20), so tables name the rule.
MANY, FEW = 100, 20
SHOT_RULE = f"many > {MANY}, medium {FEW}..{MANY}, few < {FEW} training samples a class"
#: Which classes a metric is the mean of, by their training samples (C,).
SHOTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "many_shot": lambda counts: counts > MANY,
    "medium_shot": lambda counts: (counts >= FEW) & (counts <= MANY),
    "few_shot": lambda counts: counts < FEW,
}

#: Metrics whose name is not what people call them.
HEADS = {
    "many_shot": "many", "medium_shot": "medium", "few_shot": "few", "macro_f1": "macro F1",
    "success_1": "top-1", "success_20": "top-20 accuracy", "success_100": "top-100", "mrr_10": "MRR@10",
    "ndcg_10": "nDCG@10", "trivia_success_20": "TriviaQA top-20",
}  # fmt: skip


def label(metric: str) -> str:
    """A metric as people read it."""
    return HEADS.get(metric, metric.replace("_", " "))


def classification(
    predicted: np.ndarray,
    labels: np.ndarray,
    classes: int,
    train_counts: np.ndarray,
    coarse: Sequence[int] | None = None,
) -> dict[str, float | None]:
    """Metrics in [0, 1]. A group without a class is None, never 0.

    Args:
        predicted, labels: class indices (N,). train_counts: training samples of each class (C,).
        coarse: the coarse class of each class (C,); with it the accuracy of coarse classes is given too.
    """
    tested = np.bincount(labels, minlength=classes)
    hits = np.bincount(labels[predicted == labels], minlength=classes)
    guessed = np.bincount(predicted, minlength=classes)
    present = tested > 0
    recall = hits / np.maximum(tested, 1)
    # Classes that neither occur nor are predicted have no F1 (scikit-learn's macro average leaves them out as well).
    occurring = (tested + guessed) > 0
    f1 = 2 * hits / np.maximum(tested + guessed, 1)

    def mean(values: np.ndarray, chosen: np.ndarray) -> float | None:
        return float(values[chosen].mean()) if chosen.any() else None

    scores = {
        "accuracy": float(hits.sum() / tested.sum()),
        "balanced_accuracy": mean(recall, present),
        "macro_f1": mean(f1, occurring),
        **{name: mean(recall, present & chosen(train_counts)) for name, chosen in SHOTS.items()},
    }
    if coarse is not None:
        of = np.asarray(coarse)
        scores["coarse_accuracy"] = float((of[predicted] == of[labels]).mean())
    return scores


def classify(
    logits: Tensor,
    labels: np.ndarray,
    classes: int,
    train_counts: np.ndarray,
    coarse: Sequence[int] | None = None,
) -> dict[str, float | None]:
    """`classification` of logits (N, C), and their calibration error; None where they are not finite."""
    found = classification(logits.argmax(1).numpy(), labels, classes, train_counts, coarse)
    finite = logits.isfinite().all()  # a student that diverges is looked at before its loss is
    return {**found, "calibration_error": calibration_error(logits.softmax(1).numpy(), labels) if finite else None}


def right(logits: Tensor, labels: np.ndarray) -> np.ndarray:
    """Whether the class with the highest logit is the label (N,), of logits (N, C)."""
    return logits.argmax(1).numpy() == labels


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error (Guo et al. 2017): |accuracy - confidence| over 15 bins of confidence, weighted."""
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == labels
    which = np.minimum((confidence * 15).astype(int), 14)
    gap = np.bincount(which, correct - confidence, 15)
    return float(np.abs(gap).sum() / len(labels))
