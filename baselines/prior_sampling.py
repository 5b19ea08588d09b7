"""Distillation with decoded samples of the generator's prior: a generator without the training points' guidance."""

from __future__ import annotations

from dataclasses import dataclass

from tgt.guided import TGT, TGTConfig
from tgt.method import DISTILLATION_SEARCH
from tgt.pooled import pooled


@dataclass(frozen=True)
class PriorSamplingConfig(TGTConfig):
    start: str = "prior"


class PriorSampling(TGT):
    """TGT's objective with x~ = Dec(z), z drawn from the prior: only where the samples come from differs.

    The strongest simple rival: if it wins, exploring around training points bought nothing.
    """

    Config = PriorSamplingConfig
    search = {**DISTILLATION_SEARCH, "w_tgt": [1.0, 2.0, 4.0]}
    variants = {
        "prior-sampling": {
            "about": "distillation, half of each step decoded from the generator's prior",
            "tables": ["image", "vector"],
            "needs_prior": True,
            "order": 90,
            "colour": "#CC79A7",
        },
        "prior-sampling-long": {
            "about": "as prior-sampling, four times as many steps",
            "schedule": 4,
            "extra": True,
            "tuned_as": "prior-sampling",
            "tables": ["image"],
            "needs_prior": True,
            "order": 91,
            "colour": "#a8527f",
        },
    }


PooledPriorSampling = pooled(
    PriorSampling,
    {
        "prior-sampling-pool": {
            "about": "as prior-sampling, from a pool decoded and labelled once",
            "pool_of": "prior-sampling",
            "needs_prior": True,
            "tables": ["text", "retrieval"],
            "order": 190,
            "colour": "#CC79A7",
        },
    },
)
