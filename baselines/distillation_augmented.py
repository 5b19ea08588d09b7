"""Distillation on augmented samples: the labeler is asked again for every augmented input."""

from __future__ import annotations

from torch import Tensor, nn

from baselines.distillation import Distillation
from tgt.method import Batch


class AugmentedDistillation(Distillation):
    """Consistent teaching (Beyer et al. 2022): student and labeler see the same augmented view."""

    variants = {
        "distillation-augmented": {
            "about": "distillation on flipped and shifted samples",
            "tables": ["image"],
            "order": 50,
            "colour": "#56B4E9",
        },
        "distillation-augmented-long": {
            "about": "as distillation-augmented, four times as many steps: consistent and patient",
            "schedule": 4,
            "extra": True,
            "tuned_as": "distillation-augmented",
            "tables": ["image"],
            "order": 52,
            "colour": "#1f6f9f",
        },
    }

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        views = self.data.augment(batch.inputs, self.rng)
        return self.terms(student(views), batch.labels, self.teacher.label(views))
