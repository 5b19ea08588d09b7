"""Image networks: the compact student, the labeler, and the generator (a variational autoencoder)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def student_cnn(channels: int, classes: int, widths: tuple[int, ...] = (16, 32, 32)) -> nn.Sequential:
    """Stride-2 convolutions and global average pooling: (B, channels, H, W) -> (B, classes)."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip((channels, *widths), widths, strict=False):
        layers.append(conv(inputs, outputs, 2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))


def labeler_cnn(channels: int, classes: int, width: int) -> nn.Sequential:
    """Five convolutions, about twenty times the student's multiply-adds: (B, channels, H, W) -> (B, classes)."""
    return nn.Sequential(
        conv(channels, width, 2),
        conv(width, 2 * width),
        conv(2 * width, 2 * width, 2),
        conv(2 * width, 4 * width),
        conv(4 * width, 4 * width, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(4 * width, classes),
    )


class VAE(nn.Module):
    """Convolutional variational autoencoder (Kingma & Welling 2014) with prior N(0, I).

    Args:
        channels, size: images (B, channels, size, size) in [0, 1], size a multiple of 4.
        latent: dimension d of the latent. width: channels of the widest feature maps are 2 * width.
    """

    def __init__(self, channels: int, size: int, latent: int, width: int) -> None:
        super().__init__()
        self.latent = latent
        side = size // 4
        self.encoder = nn.Sequential(
            conv(channels, width, 2),
            conv(width, 2 * width, 2),
            nn.Flatten(),
            nn.Linear(2 * width * side**2, 2 * latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent, 2 * width * side**2),
            nn.Unflatten(1, (2 * width, side, side)),
            conv(2 * width, 2 * width),
            nn.Conv2d(2 * width, 4 * width, 3, 1, 1),
            nn.PixelShuffle(2),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 4 * channels, 3, 1, 1),
            nn.PixelShuffle(2),
            nn.Sigmoid(),
        )

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (B, latent) of q(z | x)."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 4)

    def encode(self, images: Tensor) -> Tensor:
        return self.posterior(images)[0]

    def decode(self, latents: Tensor) -> Tensor:
        return self.decoder(latents)

    def sample_prior(self, count: int, rng: torch.Generator) -> Tensor:
        return torch.randn(count, self.latent, generator=rng, device=rng.device)

    def loss(self, images: Tensor, beta: float, rng: torch.Generator) -> Tensor:
        """Negative evidence lower bound for each image, the KL term weighted by beta (Higgins et al. 2017)."""
        mean, log_variance = self.posterior(images)
        noise = torch.randn(mean.shape, generator=rng, device=mean.device)
        decoded = self.decode(mean + (0.5 * log_variance).exp() * noise)
        reconstruction = F.binary_cross_entropy(decoded, images, reduction="none").flatten(1).sum(1)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        return (reconstruction + beta * divergence).mean()
