"""Distillation on real unlabelled samples: what a generator could at best give, for it was trained on these."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tgt.guided import TGT
from tgt.method import DISTILLATION_SEARCH, Batch
from tgt.pooled import pooled


class UnlabelledDistillation(TGT):
    """TGT's objective with x~ drawn from the generator's own training samples: only where they come from differs.

    An oracle rather than a rival: whoever holds these samples needs no generator; who holds only a released one does.
    """

    search = {**DISTILLATION_SEARCH, "w_tgt": [1.0, 2.0, 4.0]}
    variants = {
        "distillation-unlabelled": {
            "about": "distillation, half of each step real samples that the generator was trained on: an oracle",
            "role": "oracle",
            "tables": ["image"],
            "order": 70,
            "colour": "#000000",
        },
    }

    def generate(self, student: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        pool = self.data.unlabelled
        inputs = pool[torch.randint(len(pool), (batch.num_generated,), generator=self.rng, device=pool.device)]
        inputs = self.data.shown(inputs, self.rng)
        return inputs, self.teacher.label(inputs)


PooledUnlabelledDistillation = pooled(
    UnlabelledDistillation,
    {
        "distillation-unlabelled-pool": {
            "about": "as distillation-unlabelled, from a pool of them labelled once: the oracle of a generator's pool",
            "role": "oracle",
            "pool_of": "distillation-unlabelled",
            "tables": ["text", "retrieval"],
            "order": 140,
            "colour": "#000000",
        },
    },
)
