"""Data-free distillation: a generator learnt from scratch against student and labeler, without any data.

The generator's loss is that of Choi et al. 2020 (arXiv 2005.04136, there for quantisation), with the terms as the CMI
code base has them. It seeks samples on which student and labeler differ (ZSKT, Micaelli & Storkey 2019, arXiv
1905.09768: the Kullback-Leibler divergence, which does not grow with the sheer size of logits as DFAD's L1 does, Fang
et al. 2019, arXiv 1912.11006) among those that look to the labeler like its training data. Three terms tell these: one
class stands out in each answer, and all classes are answered equally often (the one-hot and the information-entropy
loss of DAFL, Chen et al. 2019, arXiv 1904.01186); the inputs of the labeler's batch-norm layers have the mean and the
variance that these layers remember (DeepInversion, Yin et al. 2020, arXiv 1912.08795).
The student learns from a memory of what was made, as in CMI (Fang et al. 2021, arXiv 2105.08584), not from the last
batch alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.replay import Replay
from tgt.losses import kl
from tgt.method import DISTILLATION_SEARCH, LEARNING_RATES, Batch, Method, MethodConfig, TrainingData


@dataclass(frozen=True)
class DataFreeConfig(MethodConfig):
    lr: float = 3.2e-2
    generator_lr: float = 3e-3
    noise_dim: int = 100
    width: int = 16  # channels of the generator's last feature maps; twice as many before
    student_steps: int = 5  # student updates between two updates of the generator
    memory: int = 150  # batches of the generator that the student draws from
    temperature: float = 4.0  # of the student's distillation
    w_adversarial: float = 1.0
    w_one_hot: float = 1.0
    w_balance: float = 5.0
    w_batch_norm: float = 0.3

    def __post_init__(self) -> None:
        weights = {field.name: getattr(self, field.name) for field in fields(self) if field.name.startswith("w_")}
        if negative := [name for name, weight in weights.items() if weight < 0]:
            raise ValueError(f"weights of the generator's loss may not be negative: {', '.join(negative)}")
        if min(self.student_steps, self.memory, self.noise_dim, self.width) < 1:
            raise ValueError(f"student_steps, memory, noise_dim and width must be at least 1, not {self}")


class NoiseDecoder(nn.Sequential):
    """Noise (B, noise_dim) -> images (B, C, H, W) in [0, 1].

    CMI's generator, narrower, and without its batch-norm before the sigmoid, with which a student of Fashion-MNIST
    hardly learnt in a trial.

    Raises:
        ValueError: H or W is no multiple of 4.
    """

    def __init__(self, noise_dim: int, width: int, shape: tuple[int, int, int]) -> None:
        channels, height, size = shape
        if height % 4 or size % 4:
            raise ValueError(f"data-free makes images whose sides are multiples of 4, not {height} x {size}")
        super().__init__(
            nn.Linear(noise_dim, 2 * width * (height // 4) * (size // 4)),
            nn.Unflatten(1, (2 * width, height // 4, size // 4)),
            nn.BatchNorm2d(2 * width),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(2 * width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, channels, 3, padding=1),
            nn.Sigmoid(),
        )


class DataFree(Method):
    """The student learns from a memory of fakes; every few steps the generator learns from both and makes a new batch.

    No real sample and no label is used. Inputs must be images (B, C, H, W) with H and W multiples of 4. While the
    generator learns the student is in eval mode, as with CMI and DeepInversion; DFAD and DAFL leave it in train mode.
    """

    Config = DataFreeConfig
    version = 2
    search = {
        "lr": LEARNING_RATES,
        "temperature": DISTILLATION_SEARCH["temperature"],
        "w_adversarial": [0.3, 1.0, 3.0],
        "w_batch_norm": [0.1, 0.3, 1.0],
    }
    variants = {
        "data-free": {
            "about": "no data: a generator learnt from scratch against student and labeler",
            "only_for": "image",
            "tables": ["image"],
            "order": 80,
            "colour": "#F0E442",
        },
        "data-free-long": {
            "about": "as data-free, for eight times the task's steps",
            "only_for": "image",
            "schedule": 8,
            "extra": True,
            "tables": ["image"],
            "order": 81,
            "colour": "#a39b00",
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
        self.optimiser = torch.optim.Adam(self.decoder.parameters(), lr=config.generator_lr, betas=(0.5, 0.999))
        layers = [module for module in self.teacher.labeler.modules() if isinstance(module, nn.BatchNorm2d)]
        self.norms = [norm for norm in layers if norm.track_running_stats]
        self.memory: Replay | None = None
        self.step = 0

    @property
    def real_share(self) -> float:
        return 0.0

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        if self.memory is None:
            self.memory = Replay(self.config.memory * batch.num_generated)
        if self.step % self.config.student_steps == 0:
            self.memory.add(*self.train_decoder(student, batch.num_generated))
        self.step += 1
        fakes, logits = self.memory.sample(batch.num_generated, self.rng)
        return {"generated": kl(student(fakes), logits, self.config.temperature).mean()}

    def train_decoder(self, student: nn.Module, count: int) -> tuple[Tensor, Tensor]:
        """One step of the decoder down its loss; the fakes (count, C, H, W) it was taken on, and their logits."""
        was_training = student.training
        student.eval()
        costs, parameters = self.teacher.costs, list(self.decoder.parameters())
        with costs.phase("explore"):
            noise = torch.randn(count, self.config.noise_dim, generator=self.rng, device=self.rng.device)
            fakes = self.decoder(noise)
            with self.inputs_of_norms() as seen:
                logits = self.teacher.label(fakes)
            loss = torch.stack(list(self.terms(logits, student(fakes), seen).values())).sum()
            for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                parameter.grad = gradient
            self.optimiser.step()
        costs.add("decodes", count)
        costs.add("gradient_evaluations", count)
        student.train(was_training)
        return fakes, logits

    def terms(self, logits: Tensor, student_logits: Tensor, seen: list[Tensor]) -> dict[str, Tensor]:
        """The generator's loss: labeler's and student's logits (B, L), and what the batch-norm layers were given."""
        c = self.config
        shares = logits.softmax(1).mean(0)
        terms = {
            "adversarial": -c.w_adversarial * kl(student_logits, logits).mean(),
            "one_hot": c.w_one_hot * F.cross_entropy(logits, logits.argmax(1)),
            "balance": -c.w_balance * torch.special.entr(shares).sum(),
        }
        if seen:  # a labeler without batch-norm remembers nothing of its data
            distances = [distance(norm, inputs) for norm, inputs in zip(self.norms, seen, strict=True)]
            terms["batch_norm"] = c.w_batch_norm * torch.stack(distances).sum()
        return terms

    @contextmanager
    def inputs_of_norms(self) -> Iterator[list[Tensor]]:
        """What the labeler's batch-norm layers are given in the block, in their order."""
        seen: list[Tensor] = []
        hooks = [norm.register_forward_pre_hook(lambda module, args: seen.append(args[0])) for norm in self.norms]
        try:
            yield seen
        finally:
            for hook in hooks:
                hook.remove()


def distance(norm: nn.BatchNorm2d, inputs: Tensor) -> Tensor:
    """|mean - running mean| + |variance - running variance| of inputs (B, C, H, W), Euclidean over the channels."""
    values = inputs.permute(0, 2, 3, 1).reshape(-1, inputs.shape[1])  # a view: images lie channels last
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean = values.mean(0)
    variance = (values - mean).square().mean(0)
    return (mean - norm.running_mean).norm() + (variance - norm.running_var).norm()
