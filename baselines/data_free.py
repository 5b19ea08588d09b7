"""Data-free adversarial distillation: a generator learnt from scratch, against the student, without any data.

With `distance="l1"` this is DFAD (Fang et al. 2019, arXiv 1912.11006); with `"kl"` its objective is that of ZSKT
(Micaelli & Storkey 2019, arXiv 1905.09768), which bounds what the generator gains from sheer size of the logits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tgt.losses import DISTANCES, Distance
from tgt.method import LEARNING_RATES, Batch, Method, MethodConfig, TrainingData


@dataclass(frozen=True)
class DataFreeConfig(MethodConfig):
    generator_lr: float = 1e-3
    noise_dim: int = 100
    width: int = 16
    student_steps: int = 5  # student updates between two updates of the generator
    distance: str = "kl"  # or "l1", "soft-ce", "mse"; at temperature 1


def l1(student: Tensor, labeler: Tensor, temperature: float = 1.0) -> Tensor:
    """Mean absolute difference of the logits, for each sample; the temperature plays no part."""
    return (student - labeler).abs().mean(-1)


class NoiseDecoder(nn.Module):
    """DFAD's generator: noise -> 4x-upsampled image. The last batch-norm without affine fixes the output's scale."""

    def __init__(self, noise_dim: int, width: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, height, size = shape
        self.first = nn.Linear(noise_dim, 2 * width * (height // 4) * (size // 4))
        self.body = nn.Sequential(
            nn.Unflatten(1, (2 * width, height // 4, size // 4)),
            nn.BatchNorm2d(2 * width),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(2 * width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, channels, 3, padding=1),
            nn.Tanh(),
            nn.BatchNorm2d(channels, affine=False),
        )

    def forward(self, noise: Tensor) -> Tensor:
        # The body's scale is that of images in [-1, 1], DFAD's convention; here images lie in [0, 1].
        return (self.body(self.first(noise)) + 1) / 2


class DataFree(Method):
    """Student and generator play on a distance of their outputs: the student lowers it, the generator raises it.

    No real sample and no label is used. Inputs must be images (B, C, H, W) with H and W multiples of 4.
    """

    Config = DataFreeConfig
    search = {
        "lr": LEARNING_RATES,
        "generator_lr": [3e-4, 1e-3, 3e-3],
        "noise_dim": [32, 100],
        "distance": ["kl", "l1"],
    }
    variants = {
        "data-free": {
            "about": "no data: a generator learnt from scratch against the student",
            "only_for": "image",
            "tables": ["image"],
            "order": 80,
            "colour": "#F0E442",
        },
    }
    config: DataFreeConfig

    def __init__(self, config: DataFreeConfig, data: TrainingData, rng: torch.Generator) -> None:
        super().__init__(config, data, rng)
        channels, height, width = data.inputs.shape[1:]
        with torch.random.fork_rng(devices=[]):  # layers draw their start from the global state: lend it this run's
            torch.manual_seed(int(torch.randint(2**62, (), generator=rng, device=rng.device)))
            self.decoder = NoiseDecoder(config.noise_dim, config.width, (channels, height, width))
        self.decoder.to(data.inputs.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = torch.optim.Adam(self.decoder.parameters(), lr=config.generator_lr)
        self.step = 0

    @property
    def real_share(self) -> float:
        return 0.0

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        if self.step % self.config.student_steps == 0:
            self.train_decoder(student, batch.num_generated)
        self.step += 1
        with torch.no_grad(), self.teacher.costs.phase("decode"):
            fakes = self.decoder(self.noise(batch.num_generated))
        self.teacher.costs.add("decodes", batch.num_generated)
        return {"generated": self.disagreement(student, fakes)}

    def disagreement(self, student: nn.Module, fakes: Tensor) -> Tensor:
        distance: Distance = {"l1": l1, **DISTANCES}[self.config.distance]
        return distance(student(fakes), self.teacher.label(fakes), 1.0).mean()

    def noise(self, count: int) -> Tensor:
        return torch.randn(count, self.config.noise_dim, generator=self.rng, device=self.rng.device)

    def train_decoder(self, student: nn.Module, count: int) -> None:
        """One step of the decoder up the disagreement; the student in eval mode, its gradients untouched."""
        was_training = student.training
        student.eval()
        with self.teacher.costs.phase("explore"):
            fakes = self.decoder(self.noise(count))
            disagreement = self.disagreement(student, fakes)
            parameters = list(self.decoder.parameters())
            for parameter, gradient in zip(parameters, torch.autograd.grad(-disagreement, parameters), strict=True):
                parameter.grad = gradient
            self.optimiser.step()
        self.teacher.costs.add("gradient_evaluations", count)
        student.train(was_training)
