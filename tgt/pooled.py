"""Generated samples kept in a pool: made and labelled once, shown many times. For expensive decoders and labelers."""

from __future__ import annotations

import sys
from dataclasses import dataclass, make_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tgt.guided import TGT, TGTConfig
from tgt.method import Batch, Method

_CHUNK = 64  # samples made at a time while the pool is filled


@dataclass(frozen=True)
class PoolConfig(TGTConfig):
    pool: int = 4000  # samples kept
    renew: int = 25  # of them made anew each time, the oldest first; 0: the first ones stay
    every: int = 10  # steps between two renewals

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.renew <= self.pool or self.pool < 1 or self.every < 1:
            raise ValueError(f"renew must lie between 0 and pool; pool and every must be at least 1, not {self}")


class Pool:
    """Mix in before a method that has `generate`: what that gives, around points drawn from all data, is kept.

    Each step shows `batch.num_generated` samples drawn evenly from the pool. A pool of all steps' samples with nothing
    renewed is fresh generation in another order; a smaller one asks decoder and labeler less often.
    """

    config: Any
    rng: torch.Generator
    step = 0

    def generate(self, student: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        c = self.config
        if self.step == 0:
            made = [self.make(student, batch.data, min(_CHUNK, c.pool - n)) for n in range(0, c.pool, _CHUNK)]
            self.inputs, self.targets = (torch.cat(parts) for parts in zip(*made, strict=True))
        elif c.renew and self.step % c.every == 0:
            first = (self.step // c.every - 1) * c.renew
            oldest = torch.arange(first, first + c.renew, device=self.targets.device) % c.pool
            self.inputs[oldest], self.targets[oldest] = self.make(student, batch.data, c.renew)
        self.step += 1
        chosen = torch.randint(c.pool, (batch.num_generated,), generator=self.rng, device=self.targets.device)
        return self.inputs[chosen], self.targets[chosen]

    def make(self, student: nn.Module, data: Any, count: int) -> tuple[Tensor, Tensor]:
        """`count` new samples and the labeler's logits of them."""
        device = data.labels.device
        drawn = torch.randint(len(data), (count,), generator=self.rng, device=device)
        return super().generate(student, Batch(data, drawn, count))  # type: ignore[misc]


def pooled(base: type[Method], variants: dict[str, dict[str, Any]] | None = None) -> type[Method]:
    """A class `Pooled<Base>` of the module that calls this: a method that has `generate`, with its samples in a pool.

    Assign it to that name at the top of a file; `variants` are its rows. Its Config refuses what either parent's does.
    """
    module, name = sys._getframe(1).f_globals["__name__"], f"Pooled{base.__name__}"
    config: Any = PoolConfig
    parents = (base.Config, PoolConfig)
    if not issubclass(PoolConfig, base.Config):

        def check(self: Any) -> None:  # each in its turn, for a parent's check need not call the other's
            for parent in parents:
                getattr(parent, "__post_init__", lambda self: None)(self)

        config = make_dataclass("Config", [], bases=parents, frozen=True, namespace={"__post_init__": check})
        config.__module__, config.__qualname__ = module, f"{name}.Config"  # where pickle finds it
    return type(name, (Pool, base), {"Config": config, "variants": variants or {}, "__module__": module})


@dataclass(frozen=True)
class PooledTGTConfig(PoolConfig):
    direction: str = "ascent"  # or "random": a step of the same length anywhere, the control of the ascent's direction

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.direction not in ("ascent", "random"):
            raise ValueError(f"direction must be one of ascent, random, not {self.direction!r}")


class PooledTGT(Pool, TGT):
    """TGT with a pool. It is filled by noise alone: ascent needs a student that has learned something."""

    Config = PooledTGTConfig
    search = {**TGT.search, "step_size": [1.0, 2.0, 4.0, 8.0]}
    variants = {
        "tgt-random-pool": {
            "about": "TGT, isotropic, neighbours kept in a pool and labelled once", "role": "tgt",
            "fixed": {"explore": "isotropic"}, "search": {"step_size": []}, "pool_of": "tgt-random",
            "tables": ["text", "retrieval"], "order": 210, "colour": "#E69F00",
        },
        "tgt-gradient-pool": {
            "about": "TGT, gradient-based, neighbours kept in a pool", "role": "tgt",
            "fixed": {"explore": "gradient"}, "pool_of": "tgt-gradient",
            "tables": ["text", "retrieval"], "order": 220, "colour": "#D55E00",
        },
    }  # fmt: skip
    config: PooledTGTConfig

    def ascent(self, student: nn.Module, latents: Tensor, centre: Tensor) -> Tensor:
        if self.step == 0:
            return latents
        if self.config.direction == "random":
            direction = torch.randn(latents.shape, generator=self.rng, device=latents.device)
            norm = direction.flatten(1).norm(dim=1).view(-1, *[1] * (latents.dim() - 1))
            return latents + self.config.ascent_steps * self.config.step_size * direction / norm
        return super().ascent(student, latents, centre)
