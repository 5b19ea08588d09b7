"""Distillation made for long-tailed labels: a logit-adjusted supervised term, a rebalanced labeler.

The supervised term is that of Menon et al. 2021 (arXiv 2007.07314, eq. 10). The labeler's softened distribution q is
rebalanced as in balanced knowledge distillation (BKD; Zhang et al. 2023, arXiv 2104.10510): q'_i = w_i q_i / sum_j w_j
q_j with the weights w_i = (1 - beta) / (1 - beta^n_i) of Cui et al. 2019 (arXiv 1901.05555) for a class of n_i samples.
BKD's own supervised term is plain cross-entropy (tau 0), its beta 0.9999 and its labeler one that has learned the long
tail as it is. beta 0 leaves the labeler's distribution alone, the default here: nothing is to be corrected where a
labeler was trained on classes equally frequent, or with logit adjustment itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.distillation import Distillation, DistillationConfig
from tgt.method import DISTILLATION_SEARCH, Batch, TrainingData


@dataclass(frozen=True)
class AdjustedDistillationConfig(DistillationConfig):
    tau: float = 1.0  # of the supervised term's adjustment; 0: none
    beta: float = 0.0  # of the labeler's weights: none at 0, towards 1 they are as 1 / n_i

    def __post_init__(self) -> None:
        if not 0 <= self.beta < 1:
            raise ValueError(f"beta must be at least 0 and below 1, not {self.beta}")
        if self.distance == "mse":
            raise ValueError("a rebalanced labeler is a distribution, and mse compares logits")


class AdjustedDistillation(Distillation):
    """w_sup * CE(f(x) + tau log(class prior), y) + w_kd * T^2 KL(q' || softmax(f(x) / T))."""

    Config = AdjustedDistillationConfig
    search = {**DISTILLATION_SEARCH, "tau": [0.0, 0.5, 1.0, 1.5], "beta": [0.0, 0.9, 0.99, 0.9999]}
    variants = {
        "distillation-logit-adjusted": {
            "about": "distillation, labels and labeler corrected for the long tail",
            "tables": ["image"],
            "long_tail": True,
            "order": 44,
            "colour": "#5e3c99",
        },
    }
    config: AdjustedDistillationConfig

    def __init__(self, config: AdjustedDistillationConfig, data: TrainingData, rng: torch.Generator) -> None:
        super().__init__(config, data, rng)
        count = data.class_counts.clamp_min(1).double()  # a class without samples counts as one, for log 0 forbids it
        self.adjustment = (config.tau * (count / count.sum()).log()).float()
        self.log_weights = ((1 - config.beta) / (1 - config.beta**count)).log().float()

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        c = self.config
        logits = student(batch.inputs)
        # Divided by the temperature these are log q + log w, up to what the softmax takes out.
        rebalanced = batch.labeler_logits + c.temperature * self.log_weights
        supervised = c.w_sup * F.cross_entropy(logits + self.adjustment, batch.labels)
        return {**self.terms(logits, batch.labels, rebalanced), "supervised": supervised}
