"""Consistency training on unlabelled samples (UDA; Xie et al. 2020, arXiv 1904.12848): no labeler, no generator.

What a person with unlabelled samples of the domain but without a teacher would do with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tgt.method import LEARNING_RATES, Batch, Method, MethodConfig

#: Training signal annealing: how far the threshold has come after a share of the steps. "log" releases the labelled
#: samples soon, "exp" late, for few labels that a model learns by heart.
ANNEALING: dict[str, Callable[[float], float]] = {
    "none": lambda done: math.inf,
    "log": lambda done: 1 - math.exp(-5 * done),
    "linear": lambda done: done,
    "exp": lambda done: math.exp(5 * (done - 1)),
}


@dataclass(frozen=True)
class UDAConfig(MethodConfig):
    weight: float = 1.0
    sharpening: float = 0.4  # temperature of the prediction that is held fixed
    confidence: float = 0.5  # a prediction below it teaches nothing
    annealing: str = "linear"  # of the supervised signal; or "log", "exp", "none"

    def __post_init__(self) -> None:
        if self.annealing not in ANNEALING:
            raise ValueError(f"annealing must be one of {', '.join(ANNEALING)}, not {self.annealing!r}")


class UDA(Method):
    """CE on real samples + weight * KL(f(u) sharpened, without gradient || f(augmented u)) on unlabelled u.

    A labelled sample whose label the student gives more than a rising threshold teaches nothing (training signal
    annealing). Half of a step is labelled, a quarter unlabelled, a quarter its augmented views; the paper shows more
    unlabelled samples than labelled ones, and augments texts by translating them there and back.
    """

    version = 1
    Config = UDAConfig
    search = {
        "lr": LEARNING_RATES,
        "weight": [0.5, 1.0, 2.0],
        "sharpening": [0.4, 0.7, 1.0],
        "confidence": [0.0, 0.5, 0.8],
        "annealing": ["none", "log", "linear", "exp"],
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
            "supervised": self.supervised(real, batch.labels, batch.progress),
            "consistency": c.weight * (sure * divergence).mean(),
        }

    def supervised(self, logits: Tensor, labels: Tensor, progress: float) -> Tensor:
        """Mean cross-entropy of the samples whose label has less than the threshold of 1/L and more; 0 if none has."""
        chance = 1 / logits.shape[1]
        threshold = chance + (1 - chance) * ANNEALING[self.config.annealing](progress)
        loss = F.cross_entropy(logits, labels, reduction="none")
        taught = (-loss.detach()).exp() < threshold
        return (loss * taught).sum() / taught.sum().clamp_min(1)
