"""A custom method, to begin from: what is shown to the student beside the real samples is up to `generate`."""

from dataclasses import dataclass

import torch

from tgt import DISTILLATION_SEARCH, TGT, Pool, PoolConfig


@dataclass(frozen=True)
class MyMethodConfig(PoolConfig):  # lr, temperature, the weights of the loss's terms, the pool's size, ...
    between: float = 0.3  # how far from one training point towards another


class Between(TGT):
    def generate(self, student, batch):
        """`batch.num_generated` samples and the labeler's logits of them; `Pool` keeps them and shows them again."""
        first = self.data.latents[batch.indices]
        other = first[torch.randperm(len(first), generator=self.rng)]  # all chance comes from self.rng
        latents = torch.lerp(first, other, self.config.between)
        inputs = self.teacher.decode(latents[: batch.num_generated])  # asked through self.teacher, where it is counted
        return inputs, self.teacher.label(inputs)


class MyMethod(Pool, Between):
    """TGT's objective on points between two training points"""

    Config = MyMethodConfig
    # What is tried on validation samples, in as many settings as every method has: what `loss` and `generate` read.
    search = {**DISTILLATION_SEARCH, "w_tgt": [1.0, 2.0, 4.0], "between": [0.1, 0.3, 0.5]}
