"""Features of a classifier: what its last linear layer is given. Of any module, without its cooperation."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def head(module: nn.Module) -> nn.Linear:
    """The last `nn.Linear` of a module. Raises ValueError where there is none."""
    found = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    if not found:
        raise ValueError(f"{type(module).__name__} has no linear layer to take features from")
    return found[-1]


def features(module: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """(features (B, D), logits (B, L)) of inputs (B, ...). Raises ValueError where no linear layer gives the logits."""
    seen: list[tuple[Tensor, Tensor]] = []
    handle = head(module).register_forward_hook(lambda layer, given, found: seen.append((given[0], found)))
    try:
        logits = module(inputs)
    finally:
        handle.remove()
    # In another precision than the layer's (autocast) the logits are a copy of what it gave.
    if len(seen) != 1 or (seen[0][1] is not logits and not seen[0][1].to(logits.dtype).equal(logits)):
        raise ValueError(f"the last linear layer of {type(module).__name__} does not give its logits")
    return seen[0][0].to(logits.dtype), logits


def start_anew(layer: nn.Linear, rng: torch.Generator) -> nn.Linear:
    """The layer with PyTorch's usual start, U(-1 / sqrt(inputs), 1 / sqrt(inputs)), drawn from `rng`."""
    bound = layer.in_features**-0.5
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound, generator=rng)
    return layer
