"""The two explorations of a latent's neighbourhood: isotropic noise, and ascent on the student-labeler disagreement."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def isotropic(latents: Tensor, sigma: float, rng: torch.Generator) -> Tensor:
    """z + nu with nu ~ N(0, sigma^2 I). Latents (B, ...) in, latents of the same shape out."""
    noise = torch.randn(latents.shape, generator=rng, device=latents.device, dtype=latents.dtype)
    return latents + sigma * noise


def _norm(latents: Tensor) -> Tensor:
    """L2 norm of each sample's whole latent, shaped (B, 1, ...) to broadcast."""
    norm = latents.flatten(1).norm(dim=1).clamp_min(1e-12)
    return norm.view(-1, *[1] * (latents.dim() - 1))


def project(latents: Tensor, centre: Tensor, radius: float) -> Tensor:
    """The nearest points in the L2 balls of `radius` around `centre`, sample by sample."""
    offset = latents - centre
    return centre + offset * (radius / _norm(offset)).clamp_max(1.0)


def ascend(
    latents: Tensor,
    disagreement: Callable[[Tensor], Tensor],
    steps: int = 1,
    step_size: float = 1.0,
    normalise: str = "l2",
    centre: Tensor | None = None,
    radius: float | None = None,
    micro_batch: int | None = None,
) -> Tensor:
    """z <- z + eta * g for `steps` steps, with g the gradient in z of the disagreement of student and labeler.

    Only z moves: gradients are taken with respect to it alone, so no parameter's `.grad` is written.

    Args:
        latents: starting points (B, ...).
        disagreement: latents -> l_d(f(Dec(z)), h(Dec(z))) for each sample (B,).
        steps: number of ascent steps; 0 returns the starting points.
        step_size: eta. With `normalise="l2"` it is the length of each step in latent units.
        normalise: `l2` (g / |g|), `sign` (sign of g, as in FGSM) or `none` (g as it is).
        centre: centre of the projection ball; the starting points by default.
        radius: project onto the ball of this radius around `centre` after each step; None leaves z free.
        micro_batch: points whose gradient is taken together, as memory allows; None takes all at once.

    Returns:
        Detached latents of the same shape.

    Raises:
        ValueError: unknown `normalise`.
    """
    if normalise not in {"l2", "sign", "none"}:
        raise ValueError(f"normalise must be l2, sign or none, not {normalise!r}")
    centre = latents.detach() if centre is None else centre
    point = latents.detach()
    for _ in range(steps):
        # The sum over samples gives each sample its own gradient, because no sample's disagreement depends on another.
        parts = [part.requires_grad_() for part in point.split(micro_batch or len(point))]
        gradient = torch.cat([torch.autograd.grad(disagreement(part).sum(), part)[0] for part in parts])
        if normalise == "l2":
            gradient = gradient / _norm(gradient)
        elif normalise == "sign":
            gradient = gradient.sign()
        point = point.detach() + step_size * gradient
        if radius is not None:
            point = project(point, centre, radius)
    return point.detach()
