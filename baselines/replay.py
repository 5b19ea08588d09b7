"""Memory replay: what a generator made stays in reach of the student after the generator has moved on.

As the image pool of CMI (Fang et al. 2021, arXiv 2105.08584) and Fast-DFKD (Fang et al. 2022, arXiv 2112.06253), which
keeps all that was ever made; here the oldest samples make way for new ones, and the labeler's logits are kept too.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Replay:
    """The last `size` samples that were added, with their targets."""

    def __init__(self, size: int) -> None:
        self.size, self.added = size, 0

    def __len__(self) -> int:
        return min(self.added, self.size)

    def add(self, inputs: Tensor, targets: Tensor) -> None:
        """Keep inputs (B, ...) and targets (B, ...) in the place of the oldest; of more than `size`, the last."""
        inputs, targets = inputs[-self.size :].detach(), targets[-self.size :].detach()
        if self.added == 0:
            self.inputs, self.targets = (part.new_empty(self.size, *part.shape[1:]) for part in (inputs, targets))
        places = (self.added + torch.arange(len(inputs), device=inputs.device)) % self.size
        self.inputs[places], self.targets[places] = inputs, targets
        self.added += len(inputs)

    def sample(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """`count` samples and their targets, evenly drawn with replacement."""
        chosen = torch.randint(len(self), (count,), generator=rng, device=rng.device)
        return self.inputs[chosen], self.targets[chosen]
