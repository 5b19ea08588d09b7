"""TGT that explores around what the generator's prior gives, not around the training points."""

from __future__ import annotations

from torch import Tensor

from tgt.method import Batch
from tgt.pooled import PooledTGT


class PriorTGT(PooledTGT):
    """x~ = Dec(z explored), z drawn from the prior: for retrieval the passages' vectors, whatever was asked so far."""

    def starting_points(self, batch: Batch) -> Tensor:
        return self.teacher.sample_prior(batch.num_generated, self.rng)
