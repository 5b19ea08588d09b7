"""TGT that explores around what the generator's prior gives, not around the training points."""

from __future__ import annotations

from torch import Tensor

from tgt.method import Batch
from tgt.pooled import PooledTGT


class PriorTGT(PooledTGT):
    """x~ = Dec(z explored), z drawn from the prior: for retrieval the passages' vectors, whatever was asked so far."""

    variants = {
        "tgt-random-passages-pool": {
            "about": "as tgt-random-pool, around passages instead of queries", "role": "tgt",
            "fixed": {"explore": "isotropic"}, "search": {"step_size": []}, "pool_of": "tgt-random-passages",
            "only_for": "retrieval", "tables": ["retrieval"], "needs_prior": True, "order": 280, "colour": "#b37a00",
        },
        "tgt-gradient-passages-pool": {
            "about": "as tgt-gradient-pool, around passages instead of queries", "role": "tgt",
            "fixed": {"explore": "gradient"}, "pool_of": "tgt-gradient-passages",
            "only_for": "retrieval", "tables": ["retrieval"], "needs_prior": True, "order": 290, "colour": "#8f3f00",
        },
    }  # fmt: skip

    def starting_points(self, batch: Batch) -> Tensor:
        return self.teacher.sample_prior(batch.num_generated, self.rng)
