"""CutMix distillation: images with a box of another image in them (Yun et al. 2019), labelled by the labeler.

Function matching (Beyer et al. 2022) with CutMix (arXiv 1905.04899) in the place of MixUp: the labeler is asked about
the mixed image, so labels are not mixed by area.
"""

from __future__ import annotations

import torch
from torch import Tensor

from baselines.distillation_mixup import MixupDistillation
from tgt.method import Batch


class CutMixDistillation(MixupDistillation):
    """As MixUp distillation, half of a step mixed; a box covers a share of 1 - lambda, lambda ~ Beta(alpha, alpha)."""

    variants = {
        "distillation-cutmix": {
            "about": "distillation, half of each step with a box of another sample",
            "only_for": "image",
            "tables": ["image"],
            "order": 64,
            "colour": "#8fbc3f",
        },
    }

    def mix(self, batch: Batch) -> Tensor:
        """`batch.num_generated` of the batch's images (B, C, H, W), each with a box of another of them."""
        first, second, weight = self.pairs(batch)
        height, width = batch.inputs.shape[-2:]
        side = (1 - weight).sqrt()
        rows, columns = self.span(height, side), self.span(width, side)
        box = rows[:, None, :, None] & columns[:, None, None, :]
        return torch.where(box, batch.inputs[second], batch.inputs[first])

    def span(self, size: int, share: Tensor) -> Tensor:
        """(B, size), true on a stretch of `share` of the places around one drawn evenly, cut off at the ends."""
        centre = torch.randint(size, share.shape, generator=self.rng, device=share.device)
        half = (share * size).floor().long() // 2
        places = torch.arange(size, device=share.device)
        return (places >= (centre - half)[:, None]) & (places < (centre + half)[:, None])
