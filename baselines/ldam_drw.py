"""LDAM-DRW: larger margins for rare classes, which late in training weigh more (Cao et al. 2019, arXiv 1906.07413)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tgt.method import LEARNING_RATES, Batch, Method, MethodConfig, TrainingData


@dataclass(frozen=True)
class LDAMConfig(MethodConfig):
    margin: float = 5.0  # of the rarest class, in logits; in the paper 0.5 of cosines that are scaled by 30
    deferred: float = 0.8  # share of the steps before classes are re-weighted; the paper's 160 of 200 epochs
    beta: float = 0.9999  # of the effective number of samples (Cui et al. 2019, arXiv 1901.05555), as in the paper


class LDAM(Method):
    """Cross-entropy after f(x)_y - margin * (n_min / n_y)^(1/4); then weighted by (1 - beta) / (1 - beta^n_y).

    The paper's last layer takes the cosine of features and weights. All rows share one student and one evaluation, so
    here it is the student's own, and the margin one of its logits, to be searched.
    """

    Config = LDAMConfig
    search = {"lr": LEARNING_RATES, "margin": [1.0, 2.0, 5.0, 10.0]}
    variants = {
        "ldam-drw": {
            "about": "plain training, larger margins for rare classes, which weigh more late in training",
            "tables": ["image"],
            "long_tail": True,
            "extra": True,
            "order": 23,
            "colour": "#bcbd22",
        },
    }
    config: LDAMConfig

    def __init__(self, config: LDAMConfig, data: TrainingData, rng: torch.Generator) -> None:
        super().__init__(config, data, rng)
        counts = data.class_counts.clamp_min(1).float()
        self.margins = config.margin * (counts.min() / counts) ** 0.25
        weights = (1 - config.beta) / (1 - config.beta**counts)
        self.weights = weights / weights.mean()

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        own = F.one_hot(batch.labels, self.data.num_classes)
        weights = None if batch.progress < self.config.deferred else self.weights
        return {"supervised": F.cross_entropy(student(batch.inputs) - own * self.margins, batch.labels, weights)}
