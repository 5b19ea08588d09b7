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
    variants = {
        "one-hot": {
            "about": "plain training on the labels",
            "tables": ["image", "text", "retrieval", "vector"],
            "order": 10,
            "colour": "#999999",
        },
        "pretrained-one-hot": {
            "about": "plain training on the labels of a student that begins from pretrained weights",
            "student": "pretrained",
            "extra": True,
            "defaults": {"lr": 2e-4},
            "search": {"lr": [1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3]},
            "tables": ["text"],
            "order": 300,
            "colour": "#7f0000",
        },
    }
    config: OneHotConfig

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        logits = student(batch.inputs)
        return {"supervised": F.cross_entropy(logits, batch.labels, label_smoothing=self.config.label_smoothing)}
