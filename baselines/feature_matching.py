"""Distillation of features as well as logits: contrastive representation distillation (CRD).

Tian et al. 2020, arXiv 1910.10699: a linear layer each takes the student's and the labeler's features, what their last
linear layers are given, to unit vectors of `width` numbers, where the two of one sample are to be nearer than those of
samples of other classes. As in the paper's best results distillation of the logits stands beside it. What differs: the
samples of the batch are the contrast, by a softmax over them (InfoNCE) in both directions, in the place of noise
contrastive estimation against 16,384 samples of a memory; such a memory would hold this suite's data several times.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.distillation import Distillation, DistillationConfig
from tgt.features import features, head, start_anew
from tgt.method import DISTILLATION_SEARCH, Batch


@dataclass(frozen=True)
class FeatureMatchingConfig(DistillationConfig):
    w_feature: float = 0.8  # the paper's
    contrast: float = 0.1  # temperature of the softmax over the batch; the paper's estimation takes 0.07 to 0.1
    width: int = 128


class FeatureMatching(Distillation):
    """w_sup * CE(f(x), y) + w_kd * l_d(f(x), h(x)) + w_feature * CRD. Needs a linear layer that gives the logits."""

    Config = FeatureMatchingConfig
    search = {**DISTILLATION_SEARCH, "w_feature": [0.2, 0.8, 3.2], "contrast": [0.07, 0.2, 0.5]}
    variants = {
        "feature-matching": {
            "about": "distillation of logits and, by contrast within the batch, of features (CRD)",
            "only_for": "image",
            "tables": ["image"],
            "order": 34,
            "colour": "#9467bd",
        },
    }
    config: FeatureMatchingConfig
    embed: nn.ModuleList | None = None  # of the student's features and of the labeler's

    def layers(self, student: nn.Module) -> nn.ModuleList:
        """Both linear layers, made when first asked for: they must fit the student."""
        if self.embed is None:
            build = partial(torch.nn.utils.skip_init, nn.Linear, device=self.data.inputs.device)
            self.embed = nn.ModuleList(
                start_anew(build(head(module).in_features, self.config.width), self.rng)
                for module in (student, self.teacher.labeler)
            )
        return self.embed

    def parameters(self, student: nn.Module) -> list[nn.Parameter]:
        return list(self.layers(student).parameters())

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        found, logits = features(student, batch.inputs)
        pair = (found, batch.labeler_features)
        ours, theirs = (F.normalize(layer(part)) for layer, part in zip(self.layers(student), pair, strict=True))
        return {
            **self.terms(logits, batch.labels, batch.labeler_logits),
            "features": self.config.w_feature * contrast(ours, theirs, batch.labels, self.config.contrast),
        }


def contrast(ours: Tensor, theirs: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Mean over samples of -log of a pair's share among itself and pairs of other labels, ours -> theirs and back.

    Args:
        ours, theirs: unit vectors (B, width), row by row of the same samples with labels (B,).
    """
    scores = ours @ theirs.T / temperature
    same = (labels[:, None] == labels).fill_diagonal_(False)
    scores = scores.masked_fill(same, -torch.inf)
    own = torch.arange(len(labels), device=labels.device)
    return F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)
