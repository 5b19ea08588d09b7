"""Consistency training on unlabelled samples (UDA; Xie et al. 2020, arXiv 1904.12848): no labeler, no generator.

What a person with unlabelled samples of the domain but without a teacher would do with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tgt.method import LEARNING_RATES, Batch, Method, MethodConfig


@dataclass(frozen=True)
class UDAConfig(MethodConfig):
    weight: float = 1.0
    sharpening: float = 0.4  # temperature of the prediction that is held fixed
    confidence: float = 0.5  # a prediction below it teaches nothing


class UDA(Method):
    """CE on real samples + weight * KL(f(u) sharpened, without gradient || f(augmented u)) on unlabelled u.

    Without the published training signal annealing. Half of a step is labelled, a quarter unlabelled, a quarter its
    augmented views.
    """

    Config = UDAConfig
    search = {
        "lr": LEARNING_RATES,
        "weight": [0.5, 1.0, 2.0],
        "sharpening": [0.4, 0.7, 1.0],
        "confidence": [0.0, 0.5, 0.8],
    }
    variants = {
        "uda": {
            "about": "labels, and consistency on unlabelled samples; no labeler, no generator",
            "tables": ["text"],
            "order": 170,
            "colour": "#F0E442",
        },
    }
    config: UDAConfig

    @property
    def real_share(self) -> float:
        return 0.5

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        c = self.config
        pool = self.data.unlabelled
        plain = pool[torch.randint(len(pool), (batch.num_generated // 2,), generator=self.rng, device=pool.device)]
        # Of an odd number there is one view more than plain samples, for exactly so many are to be shown.
        views = self.data.augment(torch.cat([plain, plain[: batch.num_generated % 2]]), self.rng)
        parts = [len(batch.indices), len(plain), len(views)]
        real, held, moved = student(torch.cat([batch.inputs, plain, views])).split(parts)
        target = (held.detach() / c.sharpening).softmax(1)
        sure = (held.detach().softmax(1).amax(1) >= c.confidence).float()
        divergence = F.kl_div(moved[: len(plain)].log_softmax(1), target, reduction="none").sum(1)
        return {
            "supervised": F.cross_entropy(real, batch.labels),
            "consistency": c.weight * (sure * divergence).mean(),
        }
