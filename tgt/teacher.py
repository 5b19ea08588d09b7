"""The frozen teacher of a student: a generator (encoder, decoder) and a labeler, with every call counted."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from tgt.costs import Costs
from tgt.features import features


class Generator(Protocol):
    """An encoder-decoder of the domain. Any `nn.Module` with these methods serves, the last for who samples a prior."""

    def encode(self, inputs: Tensor) -> Tensor:
        """Inputs (B, ...) -> latents (B, ...), deterministic (for a VAE: the posterior's mean)."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """Latents -> inputs of the domain, differentiable in the latents."""
        ...

    def sample_prior(self, count: int, rng: torch.Generator) -> Tensor:
        """`count` latents drawn from the prior that the decoder was trained for."""
        ...


def freeze(module: nn.Module) -> nn.Module:
    """Put a module in eval mode and exclude its parameters from gradients; gradients still pass through it."""
    return module.eval().requires_grad_(False)


class Teacher:
    """Generator and labeler, frozen, behind counters.

    Counted: `labeler_queries`, `encodes`, `decodes` (samples passed through each) and `gradient_evaluations` (samples
    whose gradient came back through the decoder to a latent).

    Args:
        generator: a module that follows `Generator`; None where no method asks for one.
        labeler: a module from inputs (B, ...) to logits (B, L); None where no method asks for one.
        costs: where to count; a fresh `Costs` by default.
    """

    def __init__(self, generator: nn.Module | None, labeler: nn.Module | None, costs: Costs | None = None) -> None:
        self._generator = None if generator is None else freeze(generator)
        self._labeler = None if labeler is None else freeze(labeler)
        self.costs = costs or Costs()

    @property
    def generator(self) -> nn.Module:
        """The frozen generator itself. Raises ValueError if this teacher has none."""
        if self._generator is None:
            raise ValueError("this teacher has no generator: the method asks for encode, decode or sample_prior")
        return self._generator

    @property
    def labeler(self) -> nn.Module:
        """The frozen labeler itself. Raises ValueError if this teacher has none."""
        if self._labeler is None:
            raise ValueError("this teacher has no labeler: the method asks for labels of its own")
        return self._labeler

    @property
    def micro_batch(self) -> int | None:
        """Latents whose gradients memory has room for at a time, by the generator's `micro_batch`; None for all."""
        return getattr(self.generator, "micro_batch", None)

    def label(self, inputs: Tensor) -> Tensor:
        """Labeler's logits (B, L); differentiable in `inputs` if they require a gradient."""
        self.costs.add("labeler_queries", len(inputs))
        with self.costs.phase("labeler"), torch.set_grad_enabled(inputs.requires_grad):
            return self.labeler(inputs)

    def features(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Labeler's features (B, D) and logits (B, L), by one query; ValueError where it has none (`tgt.features`)."""
        self.costs.add("labeler_queries", len(inputs))
        with self.costs.phase("labeler"), torch.set_grad_enabled(inputs.requires_grad):
            return features(self.labeler, inputs)

    def encode(self, inputs: Tensor) -> Tensor:
        """Latents of `inputs`, without a graph."""
        self.costs.add("encodes", len(inputs))
        with self.costs.phase("encode"), torch.no_grad():
            return self.generator.encode(inputs)  # type: ignore[operator]

    def decode(self, latents: Tensor) -> Tensor:
        """Decoded samples; differentiable in `latents` if they require a gradient."""
        self.costs.add("decodes", len(latents))
        with self.costs.phase("decode"), torch.set_grad_enabled(latents.requires_grad):
            decoded = self.generator.decode(latents)  # type: ignore[operator]
        if decoded.requires_grad:
            decoded.register_hook(lambda gradient: self.costs.add("gradient_evaluations", len(gradient)))
        return decoded

    def sample_prior(self, count: int, rng: torch.Generator) -> Tensor:
        """`count` latents from the generator's prior. Raises ValueError if it has none."""
        if not callable(getattr(self.generator, "sample_prior", None)):
            raise ValueError("this teacher's generator has no prior to sample from: it lacks sample_prior")
        return self.generator.sample_prior(count, rng)  # type: ignore[operator]
