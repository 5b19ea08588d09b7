"""Plain training on the labels: what a student learns without any teacher."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from tgt.method import LEARNING_RATES, Batch, Method, MethodConfig


@dataclass(frozen=True)
class OneHotConfig(MethodConfig):
    label_smoothing: float = 0.0


class OneHot(Method):
    """Cross-entropy on the one-hot labels."""

    Config = OneHotConfig
    search = {"lr": LEARNING_RATES, "label_smoothing": [0.0, 0.1, 0.2]}
    config: OneHotConfig

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        logits = student(batch.inputs)
        return {"supervised": F.cross_entropy(logits, batch.labels, label_smoothing=self.config.label_smoothing)}
