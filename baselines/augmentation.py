"""Distillation, half of each step augmented views of real samples that the labeler is asked about."""

from __future__ import annotations

from torch import Tensor, nn

from tgt.guided import TGT
from tgt.method import DISTILLATION_SEARCH, Batch
from tgt.pooled import pooled


class Augmentation(TGT):
    """TGT's objective with x~ an augmented training sample: only where the samples come from differs."""

    search = {**DISTILLATION_SEARCH, "w_tgt": [1.0, 2.0, 4.0]}

    def generate(self, student: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        repeats = -(-batch.num_generated // len(batch.indices))
        inputs = self.data.inputs[batch.indices.repeat(repeats)[: batch.num_generated]]
        views = self.data.augment(inputs, self.rng)
        return views, self.teacher.label(views)


PooledAugmentation = pooled(
    Augmentation,
    {
        "augmentation-pool": {
            "about": "distillation, half of each step augmented (text: words dropped)",
            "pool_of": "augmentation",
            "tables": ["text"],
            "order": 150,
            "colour": "#56B4E9",
        },
    },
)
