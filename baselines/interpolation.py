"""Distillation with decoded samples from between two training points: latent mixup in the place of exploration."""

from __future__ import annotations

import torch
from torch import Tensor

from tgt.guided import TGT
from tgt.method import DISTILLATION_SEARCH, Batch
from tgt.pooled import pooled


class Interpolation(TGT):
    """TGT's objective with x~ = Dec(a z_i + (1 - a) z_j + nu), a uniform on [0, 1], j any training point."""

    search = {**DISTILLATION_SEARCH, "w_tgt": [1.0, 2.0, 4.0], "sigma": [0.0, 0.5, 1.0, 2.0]}

    def starting_points(self, batch: Batch) -> Tensor:
        one = super().starting_points(batch)
        device = batch.indices.device
        other = self.data.latents[torch.randint(len(self.data), (len(one),), generator=self.rng, device=device)]
        share = torch.rand(len(one), generator=self.rng, device=device).view(-1, *[1] * (one.dim() - 1))
        return share * one + (1 - share) * other


PooledInterpolation = pooled(
    Interpolation,
    {
        "interpolation-pool": {
            "about": "distillation, half of each step decoded from between training points",
            "pool_of": "interpolation",
            "tables": ["text"],
            "order": 180,
            "colour": "#b58fd6",
        },
    },
)
