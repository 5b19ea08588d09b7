"""Standard distillation (Hinton et al. 2015) on the real samples, with the labeler's logits computed once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tgt.losses import DISTANCES
from tgt.method import DISTILLATION_SEARCH, Batch, Method, MethodConfig


@dataclass(frozen=True)
class DistillationConfig(MethodConfig):
    """The published CIFAR-100 recipe (RepDistiller) is temperature 4, w_sup 0.1, w_kd 0.9."""

    temperature: float = 4.0
    distance: str = "kl"
    w_sup: float = 0.1
    w_kd: float = 0.9


class Distillation(Method):
    """w_sup * CE(f(x), y) + w_kd * l_d(f(x), h(x))."""

    Config = DistillationConfig
    search = DISTILLATION_SEARCH
    variants = {
        "distillation": {
            "about": "labels and labeler's logits on the real samples",
            "tables": ["image", "text", "retrieval", "vector"],
            "order": 30,
            "colour": "#0072B2",
        },
        "distillation-long": {
            "about": "as distillation, four times as many steps",
            "schedule": 4,
            "extra": True,
            "tuned_as": "distillation",
            "tables": ["image"],
            "order": 31,
            "colour": "#004f7d",
        },
        "distillation-scores": {
            "about": "distillation by squared differences of scores: of embeddings, in the metric of the passages",
            "fixed": {"distance": "mse"},
            "search": {"temperature": []},
            "only_for": "retrieval",
            "order": 230,
            "colour": "#004c78",
        },
        "pretrained-distillation": {
            "about": "distillation of a student that begins from pretrained weights",
            "student": "pretrained",
            "extra": True,
            "defaults": {"lr": 2e-4},
            "search": {"lr": [1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3]},
            "tables": ["text"],
            "order": 310,
            "colour": "#d62728",
        },
    }
    config: DistillationConfig

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return self.terms(student(batch.inputs), batch.labels, batch.labeler_logits)

    def terms(self, logits: Tensor, labels: Tensor, targets: Tensor) -> dict[str, Tensor]:
        c = self.config
        return {
            "supervised": c.w_sup * F.cross_entropy(logits, labels),
            "distillation": c.w_kd * DISTANCES[c.distance](logits, targets, c.temperature).mean(),
        }


class BalancedDistillation(Distillation):
    """Distillation whose second half of each step is drawn class-balanced from the real samples.

    The control for class-balanced exploration: what balancing alone gives, without a generator.
    """

    variants = {
        "distillation-balanced": {
            "about": "distillation, half of each step drawn class-balanced",
            "tables": ["image"],
            "long_tail": True,
            "order": 40,
            "colour": "#004c78",
        },
    }

    @property
    def real_share(self) -> float:
        return 0.5

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        extra = self.data.balanced_indices(batch.num_generated, self.rng)
        both = Batch(self.data, torch.cat([batch.indices, extra]), progress=batch.progress)
        return super().loss(student, both)
