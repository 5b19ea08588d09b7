"""Classifier re-training (cRT): representation first, then a new classifier alone (Kang et al. 2020, arXiv 1910.09217).

Decoupled training for the long tail, section 4.1: with samples as they come the whole student is trained; then the
backbone is frozen, its batch-norm statistics too, and the last linear layer begins anew and learns from class-balanced
samples, with an optimiser and a cosine schedule of its own. The paper gives the second phase 10 epochs after 90. Here
both share the steps that every row has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from baselines.distillation import Distillation, DistillationConfig
from baselines.one_hot import OneHot, OneHotConfig
from tgt.features import features, head, start_anew
from tgt.method import DISTILLATION_SEARCH, LEARNING_RATES, Batch

_SECOND = [0.1, 0.25, 0.5]


class Retraining:
    """Mix in before a method whose loss needs of the student its logits alone."""

    config: Any
    data: Any
    rng: torch.Generator
    begins = True  # whether the next step of the second phase is its first

    @property
    def restarts(self) -> tuple[float, ...]:
        return (1 - self.config.second,)

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        if batch.progress < self.restarts[0]:
            self.begins = True
            return super().loss(student, batch)  # type: ignore[misc]
        if self.begins:
            start_anew(head(student), self.rng)
            self.begins = False

        def frozen(inputs: Tensor) -> Tensor:
            """Logits (B, L) whose gradient reaches the last layer alone."""
            was_training = student.training
            student.eval()
            with torch.no_grad():
                found, _ = features(student, inputs)
            student.train(was_training)
            return head(student)(found)

        drawn = self.data.balanced_indices(len(batch.indices), self.rng)
        balanced = Batch(self.data, drawn, batch.num_generated, batch.progress)
        return super().loss(frozen, balanced)  # type: ignore[misc]


@dataclass(frozen=True)
class CRTConfig(OneHotConfig):
    second: float = 0.1  # share of the steps that the classifier is re-trained in

    def __post_init__(self) -> None:
        if not 0 < self.second < 1:
            raise ValueError(f"second must lie between 0 and 1, not be {self.second}")


class CRT(Retraining, OneHot):
    """Cross-entropy on the labels in both phases; no teacher."""

    Config = CRTConfig
    search = {"lr": LEARNING_RATES, "second": _SECOND}
    variants = {
        "crt": {
            "about": "plain training, then the classifier alone anew on class-balanced samples",
            "only_for": "image",
            "tables": ["image"],
            "long_tail": True,
            "order": 22,
            "colour": "#8c564b",
        },
    }


@dataclass(frozen=True)
class DistillationCRTConfig(CRTConfig, DistillationConfig):
    pass


class DistillationCRT(Retraining, Distillation):
    """Distillation in both phases: the strongest form of cRT where a labeler is at hand."""

    Config = DistillationCRTConfig
    search = {**DISTILLATION_SEARCH, "second": _SECOND}
    variants = {
        "distillation-crt": {
            "about": "distillation, then the classifier alone anew on class-balanced samples",
            "only_for": "image",
            "tables": ["image"],
            "long_tail": True,
            "order": 46,
            "colour": "#c49c94",
        },
    }
