"""Distances between a student's and a labeler's outputs (the l_d of the objective)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

#: (student logits (B, L), labeler logits (B, L), temperature) -> a distance for each sample (B,)
Distance = Callable[[Tensor, Tensor, float], Tensor]


def kl(student: Tensor, labeler: Tensor, temperature: float = 1.0) -> Tensor:
    """T^2 * KL(labeler_T || student_T) for each sample (Hinton et al. 2015, eq. 1-2).

    The factor T^2 keeps the size of the gradient about the same for all temperatures.
    """
    log_student = F.log_softmax(student / temperature, dim=-1)
    log_labeler = F.log_softmax(labeler / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_student, log_labeler, reduction="none", log_target=True).sum(-1)


def soft_cross_entropy(student: Tensor, labeler: Tensor, temperature: float = 1.0) -> Tensor:
    """T^2 * cross-entropy of the student under the labeler's softened distribution, for each sample.

    Its gradient in the student is that of `kl`; as an ascent objective it differs, for it also rewards samples on which
    the labeler itself is unsure.
    """
    target = F.softmax(labeler / temperature, dim=-1)
    return -(temperature**2) * (target * F.log_softmax(student / temperature, dim=-1)).sum(-1)


def mse(student: Tensor, labeler: Tensor, temperature: float = 1.0) -> Tensor:
    """Mean squared difference of the logits, for each sample (Ba & Caruana 2014); the temperature plays no part."""
    return (student - labeler).square().mean(-1)


DISTANCES: dict[str, Distance] = {"kl": kl, "soft-ce": soft_cross_entropy, "mse": mse}
