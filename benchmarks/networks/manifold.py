"""The exact generator and labeler of a known manifold."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class _Known(nn.Module):
    """Matrices that are given, not learned."""

    features: Tensor
    hidden: Tensor
    bias: Tensor
    classes: Tensor
    offset: Tensor
    into: Tensor

    def __init__(self, made_of: dict[str, np.ndarray]) -> None:
        super().__init__()
        for name, matrix in made_of.items():
            self.register_buffer(name, torch.from_numpy(matrix))


class Manifold(_Known):
    """Latents (B, d) <-> points (B, D), both ways exact on the manifold."""

    def encode(self, inputs: Tensor) -> Tensor:
        features = (inputs @ self.into).clamp(-1 + 1e-6, 1 - 1e-6)
        return torch.atanh(features) @ torch.linalg.pinv(self.features).T

    def decode(self, latents: Tensor) -> Tensor:
        return (latents @ self.features.T).tanh() @ self.into.T

    def sample_prior(self, count: int, rng: torch.Generator) -> Tensor:
        return torch.randn(count, self.features.shape[1], generator=rng, device=rng.device)


class Labeler(_Known):
    """Points (B, D) -> logits (B, 4), a function of where the point stands on the manifold."""

    def forward(self, inputs: Tensor) -> Tensor:
        return ((inputs @ self.into) @ self.hidden.T + self.bias).tanh() @ self.classes.T - self.offset
