"""TGT by noise with neighbours that are decoded and labelled once for all runs: where a decoder takes hours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tgt.guided import TGT, TGTConfig
from tgt.method import CHUNK, Batch, TrainingData
from tgt.teacher import Teacher


def neighbours(
    teacher: Teacher, inputs: Tensor, seed: int, sigma: float, copies: int, as_kept: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """`copies` decoded neighbours of each of `inputs` (B, ...), and the labeler's logits of them.

    Args:
        seed: of the noise, which nothing else decides. as_kept: decoded samples as they come back from where they are
            kept (rounded, say): it is these that are labelled.

    Returns:
        (B * copies, ...), those of a sample together, and (B * copies, L).
    """
    latents, rng = teacher.encode(inputs), torch.Generator().manual_seed(seed)
    noise = [sigma * torch.randn(latents.shape, generator=rng).to(latents) for _ in range(copies)]
    made = [as_kept(teacher.decode(latents + one)) for one in noise]
    decoded, logits = (torch.stack(part, 1).flatten(0, 1) for part in (made, [teacher.label(one) for one in made]))
    return decoded, logits


def in_memory(data: TrainingData, sigma: float, copies: int) -> tuple[Tensor, Tensor]:
    """The neighbours of all samples, as `TrainingData` may be given them."""
    chunks = enumerate(data.inputs.split(CHUNK))
    made = [neighbours(data.teacher, chunk, seed, sigma, copies, lambda decoded: decoded) for seed, chunk in chunks]
    decoded, logits = (torch.cat(parts) for parts in zip(*made, strict=True))
    return decoded, logits


@dataclass(frozen=True)
class StoredTGTConfig(TGTConfig):
    copies: int = 4  # neighbours of each training sample

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.copies < 1 or (self.explore, self.start) != ("isotropic", "data"):
            raise ValueError(f"copies must be at least 1, explore isotropic and start data, not {self}")


class StoredTGT(TGT):
    """As TGT, its neighbours drawn from `copies` of each sample: the same ones for all runs on the same samples.

    They depend on the teacher, the samples and sigma, and not on the student, so that ascent cannot have them.
    """

    Config = StoredTGTConfig
    variants = {
        "tgt-random-stored": {
            "about": "as tgt-random, from 4 neighbours of each sample on disk, made once, its seconds not counted",
            "role": "tgt", "extra": True, "tuned_as": "tgt-random", "only_for": "image",
            "tables": ["image"], "order": 102, "colour": "#c9a227",
        },
    }  # fmt: skip
    config: StoredTGTConfig

    def generate(self, student: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        copies = self.config.copies
        inputs, logits = self.data.neighbours(self.config.sigma, copies)
        own = batch.indices.repeat(-(-batch.num_generated // len(batch.indices)))[: batch.num_generated]
        chosen = own * copies + torch.randint(copies, own.shape, generator=self.rng, device=own.device)
        return self.data.shown(inputs[chosen], self.rng), logits[chosen]
