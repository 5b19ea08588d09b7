"""Data-free distillation with a generator that is given: the student sees decoded prior samples and no real one.

What "data-free" can mean where a generator learnt from scratch (`baselines.data_free`) has nothing to draw with, as
with text: no sample and no label of the task is used, but the generator has read unlabelled text of the domain.
"""

from __future__ import annotations

from torch import Tensor, nn

from baselines.prior_sampling import PriorSampling
from tgt.losses import DISTANCES
from tgt.method import LEARNING_RATES, Batch
from tgt.pooled import pooled


class PriorOnly(PriorSampling):
    """l_d(f(x~), h(x~)) with x~ = Dec(z), z drawn from the prior."""

    search = {"lr": LEARNING_RATES, "temperature": [1.0, 2.0, 4.0]}

    @property
    def real_share(self) -> float:
        return 0.0

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        generated, targets = self.generate(student, batch)
        distance = DISTANCES[self.config.distance]
        return {"generated": distance(student(generated), targets, self.config.temperature).mean()}


PooledPriorOnly = pooled(
    PriorOnly,
    {
        "prior-only-pool": {
            "about": "data-free with a given generator: decoded prior samples alone",
            "pool_of": "prior-only",
            "needs_prior": True,
            "tables": ["text"],
            "order": 200,
            "colour": "#8c6d31",
        },
    },
)
