"""Decoupled knowledge distillation (DKD; Zhao et al. 2022, arXiv 2203.08679).

The distillation loss is the sum of a part for the label's class (TCKD) and, weighted by how unsure the labeler is, one
for the other classes among themselves (NCKD). DKD gives each a weight of its own (eq. 7). As in the official
implementation the supervised term has weight 1, and DKD is warmed up linearly over the first 20 of 240 epochs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tgt.losses import kl
from tgt.method import DISTILLATION_SEARCH, Batch, Method, MethodConfig


@dataclass(frozen=True)
class DKDConfig(MethodConfig):
    """The published recipe for CIFAR-100 is temperature 4, alpha 1, beta 1 to 8; for ImageNet beta 0.5 to 2."""

    temperature: float = 4.0
    alpha: float = 1.0
    beta: float = 8.0
    w_sup: float = 1.0
    warmup: float = 20 / 240  # share of the steps in which DKD's weight rises from 0 to 1


def target_part(student: Tensor, labeler: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """TCKD (B,): T^2 KL of the two shares, the label's class against all others."""
    ours, theirs = (_target_against_rest(logits / temperature, labels) for logits in (student, labeler))
    return temperature**2 * kl(ours, theirs)


def other_part(student: Tensor, labeler: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """NCKD (B,): T^2 KL of the distributions over all classes but the label's."""
    return kl(_others(student, labels), _others(labeler, labels), temperature)


def _others(logits: Tensor, labels: Tensor) -> Tensor:
    """(B, L - 1): logits without the label's."""
    keep = torch.ones_like(logits, dtype=torch.bool).scatter_(1, labels[:, None], False)
    return logits[keep].view(len(logits), -1)


def _target_against_rest(logits: Tensor, labels: Tensor) -> Tensor:
    """(B, 2): logits whose softmax is the share of the label's class, and that of the rest."""
    return torch.cat([logits.gather(1, labels[:, None]), _others(logits, labels).logsumexp(1, keepdim=True)], 1)


class DKD(Method):
    """w_sup * CE(f(x), y) + warm-up * (alpha * TCKD + beta * NCKD)."""

    Config = DKDConfig
    search = {**DISTILLATION_SEARCH, "beta": [0.5, 1.0, 2.0, 8.0]}
    variants = {
        "dkd": {
            "about": "decoupled distillation: the label's class and the others weighted apart",
            "tables": ["image", "text"],
            "order": 32,
            "colour": "#17becf",
        },
    }
    config: DKDConfig

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        c = self.config
        logits, targets, labels = student(batch.inputs), batch.labeler_logits, batch.labels
        weight = min(batch.progress / c.warmup, 1.0) if c.warmup else 1.0
        return {
            "supervised": c.w_sup * F.cross_entropy(logits, labels),
            "target": weight * c.alpha * target_part(logits, targets, labels, c.temperature).mean(),
            "others": weight * c.beta * other_part(logits, targets, labels, c.temperature).mean(),
        }
