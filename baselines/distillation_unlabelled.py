"""Distillation on real unlabelled samples: what a generator could at best give, for it was trained on these."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tgt.guided import TGT
from tgt.method import DISTILLATION_SEARCH, Batch


class UnlabelledDistillation(TGT):
    """TGT's objective with x~ drawn from the generator's own training samples: only where they come from differs.

    A ceiling rather than a rival: whoever holds these samples needs no generator; who holds only a released one does.
    """

    search = {**DISTILLATION_SEARCH, "w_tgt": [1.0, 2.0, 4.0]}

    def generate(self, student: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        pool = self.data.unlabelled
        inputs = pool[torch.randint(len(pool), (batch.num_generated,), generator=self.rng, device=pool.device)]
        return inputs, self.teacher.label(inputs)
