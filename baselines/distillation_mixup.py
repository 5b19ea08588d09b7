"""MixUp distillation: mixtures of inputs, labelled by the labeler (function matching, Beyer et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.distillation import Distillation, DistillationConfig
from tgt.losses import DISTANCES
from tgt.method import Batch


@dataclass(frozen=True)
class MixupConfig(DistillationConfig):
    alpha: float = 1.0  # of Beta(alpha, alpha), the law of the mixing weight (Zhang et al. 2018)


class MixupDistillation(Distillation):
    """Real samples for the supervised term, their mixtures for the distillation term, half of a step each."""

    Config = MixupConfig
    search = {**Distillation.search, "alpha": [0.5, 1.0, 2.0]}
    variants = {
        "distillation-mixup": {
            "about": "distillation, half of each step mixed from pairs",
            "only_for": "image",
            "tables": ["image"],
            "order": 60,
            "colour": "#009E73",
        },
        "distillation-mixup-long": {
            "about": "as distillation-mixup, four times as many steps",
            "only_for": "image",
            "schedule": 4,
            "extra": True,
            "tuned_as": "distillation-mixup",
            "tables": ["image"],
            "order": 62,
            "colour": "#00593f",
        },
    }
    config: MixupConfig

    @property
    def real_share(self) -> float:
        return 0.5

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        c = self.config
        mixed = self.mix(batch)
        targets = self.teacher.label(mixed)
        real_logits, mixed_logits = student(torch.cat([batch.inputs, mixed])).split([len(batch.indices), len(mixed)])
        real_kd = DISTANCES[c.distance](real_logits, batch.labeler_logits, c.temperature).mean()
        return {
            "supervised": c.w_sup * F.cross_entropy(real_logits, batch.labels),
            "distillation": 0.5 * c.w_kd * real_kd,
            "mixed": 0.5 * c.w_kd * DISTANCES[c.distance](mixed_logits, targets, c.temperature).mean(),
        }

    def mix(self, batch: Batch) -> Tensor:
        """`batch.num_generated` mixtures of pairs of the batch's inputs."""
        first, second, weight = self.pairs(batch)
        weight = weight.view(-1, *[1] * (batch.inputs.dim() - 1))
        return weight * batch.inputs[first] + (1 - weight) * batch.inputs[second]

    def pairs(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Of `batch.num_generated` pairs: places of both in the batch, and the weight of the first."""
        n = len(batch.indices)
        first = torch.arange(batch.num_generated, device=batch.indices.device) % n
        second = torch.randint(n, (batch.num_generated,), generator=self.rng, device=batch.indices.device)
        # Beta(a, a) as a ratio of Gamma draws, because torch.distributions takes no generator.
        shape = torch.full((2, batch.num_generated), self.config.alpha, device=batch.indices.device)
        gamma = torch._standard_gamma(shape, generator=self.rng)
        return first, second, gamma[0] / gamma.sum(0).clamp_min(1e-12)
