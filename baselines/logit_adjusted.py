"""Logit adjustment (Menon et al. 2021, arXiv 2007.07314, eq. 10): a loss made for long-tailed labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tgt.method import LEARNING_RATES, Batch, Method, MethodConfig, TrainingData


@dataclass(frozen=True)
class LogitAdjustedConfig(MethodConfig):
    tau: float = 1.0  # 1 is consistent for balanced error; with it the loss is also balanced softmax


class LogitAdjusted(Method):
    """Cross-entropy on f(x) + tau * log(class prior), so that rare classes must win by a larger margin."""

    Config = LogitAdjustedConfig
    search = {"lr": LEARNING_RATES, "tau": [0.5, 1.0, 1.5]}
    variants = {
        "logit-adjusted": {
            "about": "plain training, loss adjusted for the long tail",
            "tables": ["image"],
            "long_tail": True,
            "order": 20,
            "colour": "#555555",
        },
        "balanced-softmax": {
            "about": "plain training by balanced softmax (Ren et al. 2020): logit-adjusted with tau 1",
            "fixed": {"tau": 1.0},
            "search": {"tau": []},
            "tables": ["image"],
            "long_tail": True,
            "extra": True,
            "order": 21,
            "colour": "#7f7f7f",
        },
    }
    config: LogitAdjustedConfig

    def __init__(self, config: LogitAdjustedConfig, data: TrainingData, rng: torch.Generator) -> None:
        super().__init__(config, data, rng)
        # A class without samples counts as one, for log 0 would forbid it.
        prior = data.class_counts.clamp_min(1).float()
        self.adjustment = config.tau * (prior / prior.sum()).log()

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return {"supervised": F.cross_entropy(student(batch.inputs) + self.adjustment, batch.labels)}
