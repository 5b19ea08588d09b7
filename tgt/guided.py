"""Teacher-guided training (arXiv 2208.06825): learn from decoded, labelled neighbours of the training points."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tgt.explore import ascend, isotropic
from tgt.losses import DISTANCES
from tgt.method import DISTILLATION_SEARCH, Batch, Method, MethodConfig


@dataclass(frozen=True)
class TGTConfig(MethodConfig):
    """Hyper-parameters of teacher-guided training. The paper's own values are not known; these are this suite's."""

    explore: str = "isotropic"  # or "gradient": ascent after the noise
    start: str = "data"  # or "balanced" (every class equally likely), "prior" (ignore the training points)
    sigma: float = 1.0  # standard deviation of the noise, in latent units
    ascent_steps: int = 1
    step_size: float = 1.0
    normalise: str = "l2"  # or "sign", "none"
    radius: float | None = None  # of the ball around the starting latent, None: free
    share: float = 0.5  # of a step's samples that are generated
    distance: str = "kl"  # or "soft-ce", "mse"
    temperature: float = 4.0
    w_sup: float = 0.1  # this and the next as in the published distillation recipe of `baselines.distillation`
    w_kd: float = 0.9
    w_tgt: float = 1.0

    def __post_init__(self) -> None:
        for name, known in {
            "explore": ("isotropic", "gradient"),
            "start": ("data", "balanced", "prior"),
            "distance": tuple(DISTANCES),
        }.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        if not 0 < self.share < 1:
            raise ValueError(f"share must lie between 0 and 1, not {self.share}")


class TGT(Method):
    """R(f) = w_sup CE(f(x), y) + w_kd l_d(f(x), h(x)) + w_tgt l_d(f(x~), h(x~)), x~ = Dec(explored latent)."""

    Config = TGTConfig
    search = {**DISTILLATION_SEARCH, "w_tgt": [1.0, 2.0, 4.0], "sigma": [0.5, 1.0, 2.0, 3.0]}
    variants = {
        "tgt-random": {
            "about": "TGT, isotropic exploration around the batch", "role": "tgt", "fixed": {"explore": "isotropic"},
            "tables": ["image", "vector"], "order": 100, "colour": "#E69F00",
        },
        "tgt-gradient": {
            "about": "TGT, gradient-based exploration", "role": "tgt", "fixed": {"explore": "gradient"},
            "search": {"step_size": [1.0, 2.0, 4.0, 8.0]},
            "tables": ["image", "vector"], "order": 110, "colour": "#D55E00",
        },
        "tgt-random-long": {
            "about": "as tgt-random, four times as many steps", "role": "tgt", "fixed": {"explore": "isotropic"},
            "schedule": 4, "extra": True, "tuned_as": "tgt-random",
            "tables": ["image"], "order": 101, "colour": "#b87f00",
        },
        "tgt-gradient-long": {
            "about": "as tgt-gradient, four times as many steps", "role": "tgt", "fixed": {"explore": "gradient"},
            "schedule": 4, "extra": True, "tuned_as": "tgt-gradient",
            "tables": ["image"], "order": 111, "colour": "#a84a00",
        },
        "tgt-random-balanced": {
            "about": "TGT, isotropic, class-balanced starts", "role": "tgt",
            "fixed": {"explore": "isotropic", "start": "balanced"},
            "tables": ["image"], "long_tail": True, "order": 120, "colour": "#b37a00",
        },
        "tgt-gradient-balanced": {
            "about": "TGT, gradient-based, class-balanced starts", "role": "tgt",
            "fixed": {"explore": "gradient", "start": "balanced"}, "search": {"step_size": [1.0, 2.0, 4.0, 8.0]},
            "tables": ["image"], "long_tail": True, "order": 130, "colour": "#8f3f00",
        },
    }  # fmt: skip
    config: TGTConfig

    @property
    def real_share(self) -> float:
        return 1.0 - self.config.share

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        c = self.config
        distance = DISTANCES[c.distance]
        generated, targets = self.generate(student, batch)
        # One pass over both halves: the student's batch-norm sees one mixture, as it does for every rival.
        real_logits, generated_logits = student(torch.cat([batch.inputs, generated])).split(
            [len(batch.indices), len(generated)]
        )
        return {
            "supervised": c.w_sup * F.cross_entropy(real_logits, batch.labels),
            "distillation": c.w_kd * distance(real_logits, batch.labeler_logits, c.temperature).mean(),
            "generated": c.w_tgt * distance(generated_logits, targets, c.temperature).mean(),
        }

    def generate(self, student: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """`batch.num_generated` generated samples around the batch's latents, and the labeler's logits of them."""
        start = self.starting_points(batch)
        latents = isotropic(start, self.config.sigma, self.rng) if self.config.start != "prior" else start
        if self.config.explore == "gradient":
            latents = self.ascent(student, latents, start)
        generated = self.data.shown(self.teacher.decode(latents), self.rng)
        return generated, self.teacher.label(generated)

    def starting_points(self, batch: Batch) -> Tensor:
        """Latents (num_generated, ...) to explore around: the batch's own, class-balanced ones, or the prior's."""
        if self.config.start == "prior":
            return self.teacher.sample_prior(batch.num_generated, self.rng)
        if self.config.start == "balanced":
            return self.data.latents[self.data.balanced_indices(batch.num_generated, self.rng)]
        repeats = -(-batch.num_generated // len(batch.indices))
        return self.data.latents[batch.indices.repeat(repeats)[: batch.num_generated]]

    def ascent(self, student: nn.Module, latents: Tensor, centre: Tensor) -> Tensor:
        """Move latents towards more disagreement, the student in eval mode so that its statistics do not move."""
        c = self.config

        def disagreement(points: Tensor) -> Tensor:
            decoded = self.teacher.decode(points)
            return DISTANCES[c.distance](student(decoded), self.teacher.label(decoded), c.temperature)

        was_training = student.training
        student.eval()
        try:
            with self.teacher.costs.phase("explore"):
                return ascend(
                    latents,
                    disagreement,
                    c.ascent_steps,
                    c.step_size,
                    c.normalise,
                    centre=centre,
                    radius=c.radius,
                    micro_batch=self.teacher.micro_batch,
                )
        finally:
            student.train(was_training)
