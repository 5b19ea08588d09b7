"""Image networks: the compact student, the labeler, and the generator (a variational autoencoder)."""

from __future__ import annotations

from collections.abc import Callable

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


class Residual(nn.Module):
    """x + conv(x) (He et al. 2016), of one convolution that keeps the shape (B, width, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = conv(width, width)

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.branch(maps)


def labeler_cnn(channels: int, classes: int, width: int) -> nn.Sequential:
    """Four stages of widths w, 2w, 4w, 8w, the first at full resolution: (B, channels, H, W) -> (B, classes).

    At width 16 about twenty times the multiply-adds of the narrowest student.
    """
    layers: list[nn.Module] = [conv(channels, width)]
    for stage in (width, 2 * width, 4 * width):
        layers += [conv(stage, 2 * stage, 2), Residual(2 * stage)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, classes))


class VAE(nn.Module):
    """Convolutional variational autoencoder (Kingma & Welling 2014).

    It is trained under the prior N(0, I). `sample_prior` draws from a mixture of Gaussians that is fitted afterwards to
    the latents of the training images (ex-post density estimation, Ghosh et al. 2020, arXiv 1903.12436): under a small
    weight of the KL term they are not distributed as N(0, I). Until it is fitted the prior is N(0, I).

    Args:
        channels, size: images (B, channels, size, size) in [0, 1], size a multiple of 4.
        latent: dimension d of the latent. width: channels of the widest feature maps are 4 * width.
        components: largest number of Gaussians in the prior.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, channels: int, size: int, latent: int, width: int, components: int = 64) -> None:
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
            conv(2 * width, 4 * width),
            nn.PixelShuffle(2),
            conv(width, width),
            nn.Conv2d(width, 4 * channels, 3, 1, 1),
            nn.PixelShuffle(2),
            nn.Sigmoid(),
        )
        self.register_buffer("weights", F.one_hot(torch.tensor(0), components).float())  # of the Gaussians (K,)
        self.register_buffer("means", torch.zeros(components, latent))
        self.register_buffer("factors", torch.eye(latent).repeat(components, 1, 1))  # L with covariance L L^T

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (B, latent) of q(z | x)."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 4)

    def encode(self, images: Tensor) -> Tensor:
        return self.posterior(images)[0]

    def decode(self, latents: Tensor) -> Tensor:
        return self.decoder(latents)

    def sample_prior(self, count: int, rng: torch.Generator) -> Tensor:
        which = torch.multinomial(self.weights, count, replacement=True, generator=rng)
        noise = torch.randn(count, self.latent, 1, generator=rng, device=rng.device)
        return self.means[which] + (self.factors[which] @ noise).squeeze(2)

    def set_prior(self, weights: Tensor, means: Tensor, factors: Tensor) -> None:
        """The mixture of K Gaussians: weights (K,), means (K, d), lower triangles L (K, d, d) of covariances L L^T.

        Raises:
            ValueError: there are more of them than the network has room for.
        """
        if len(weights) > len(self.weights):
            raise ValueError(f"the prior has room for {len(self.weights)} Gaussians, not {len(weights)}")
        self.weights.zero_()[: len(weights)] = weights
        self.means[: len(weights)], self.factors[: len(weights)] = means, factors

    def loss(
        self,
        images: Tensor,
        beta: float,
        rng: torch.Generator,
        judge: Callable[[Tensor, Tensor], Tensor] | None = None,
        perception: float = 0.0,
        noise: float = 2.0,
    ) -> Tensor:
        """Negative evidence lower bound, and how far what is decoded strays from the class of its original.

        The KL term is weighted by beta (Higgins et al. 2017). With a judge two thirds of the images are decoded from a
        sample of the posterior and have to be restored; the others from one with N(0, s^2) added, s uniform in
        0..noise, and have to keep their class alone. KL(judge(x) || judge(Dec(z))) of all is weighted by `perception`.

        Args:
            images: (B, channels, size, size). judge: frozen, from two batches of images, originals and decoded, to the
                divergence of each pair (B,).
        """
        mean, log_variance = self.posterior(images)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        exact = len(images) if judge is None else 2 * len(images) // 3
        spread = noise * torch.rand(len(images), 1, generator=rng, device=mean.device)
        spread[:exact] = 0
        scale = (log_variance.exp() + spread.square()).sqrt()
        decoded = self.decode(mean + scale * torch.randn(mean.shape, generator=rng, device=mean.device))
        reconstruction = F.binary_cross_entropy(decoded[:exact], images[:exact], reduction="none").flatten(1).sum(1)
        bound = reconstruction.mean() + beta * divergence.mean()
        return bound if judge is None else bound + perception * judge(images, decoded).mean()
