"""Networks of vectors (B, D): principal components as a generator, perceptrons as labeler and student."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PrincipalComponents(nn.Module):
    """Whitened principal components: latents (B, d) <-> vectors (B, D). What is beyond the components is lost."""

    mean: Tensor
    axes: Tensor
    scale: Tensor

    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("axes", torch.eye(latent, width))
        self.register_buffer("scale", torch.ones(latent))

    def fit(self, inputs: Tensor) -> None:
        """To vectors (N, D); an axis along which nothing varies has latents of zero."""
        self.mean.copy_(inputs.mean(0))
        _, spread, axes = torch.linalg.svd(inputs - self.mean, full_matrices=False)
        found = min(len(self.scale), len(spread))
        self.scale.zero_()[:found] = spread[:found] / len(inputs) ** 0.5
        self.axes.zero_()[:found] = axes[:found]

    def encode(self, inputs: Tensor) -> Tensor:
        return (inputs - self.mean) @ self.axes.T / self.scale.clamp_min(1e-6)

    def decode(self, latents: Tensor) -> Tensor:
        return (latents * self.scale) @ self.axes + self.mean

    def sample_prior(self, count: int, rng: torch.Generator) -> Tensor:
        return torch.randn(count, len(self.scale), generator=rng, device=rng.device)


def perceptron(width: int, hidden: int, classes: int) -> nn.Sequential:
    """Vectors (B, width) -> logits (B, classes), two hidden layers."""
    return nn.Sequential(
        nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, classes)
    )
