"""Points on a known d-dimensional manifold in R^D, with the generator and the labeler known exactly.

The manifold and what stands on it are the same for all D: a latent z ~ N(0, I_d) becomes 32 features tanh(A z), which
an isometry takes into R^D; the labeler reads the features back. So D can change while manifold, labels and the pool of
points stay; which of the points a run learns from is drawn anew for each D. One manifold and one labeler stand for a d.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.core.fingerprint import seed_of
from benchmarks.data.splits import Profile
from benchmarks.task import Examples, Size, Task

if TYPE_CHECKING:
    import torch
    from torch import nn

LATENT, INPUT = (2, 4, 8), (32, 128, 512)
FEATURES, CLASSES = 32, 4
POOL, VALIDATION, TEST = 8192, 512, 4096


def maps(latent: int, dimension: int) -> dict[str, np.ndarray]:
    """What is fixed: latents to features, features into R^D (orthonormal columns), features to classes."""
    rng = np.random.default_rng(seed_of("manifold", latent))
    features = rng.normal(size=(FEATURES, latent)) / np.sqrt(latent)
    hidden, bias = rng.normal(size=(64, FEATURES)) / np.sqrt(FEATURES) * 4, rng.normal(size=64)
    classes = rng.normal(size=(CLASSES, 64))
    logits = np.tanh(np.tanh(rng.normal(size=(4096, latent)) @ features.T) @ hidden.T + bias) @ classes.T
    classes *= 3 / logits.std(0)[:, None]  # all classes about as frequent, with logits as far apart
    offset = 3 * logits.mean(0) / logits.std(0)
    into = np.linalg.qr(
        np.random.default_rng(seed_of("manifold", latent, dimension)).normal(size=(dimension, FEATURES))
    )[0]
    found = {"features": features, "hidden": hidden, "bias": bias, "classes": classes, "offset": offset, "into": into}
    return {name: matrix.astype(np.float32) for name, matrix in found.items()}


def points(latents: np.ndarray, made_of: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (N, D) of latents (N, d), and the labeler's classes (N,) of them."""
    features = np.tanh(latents @ made_of["features"].T)
    logits = np.tanh(features @ made_of["hidden"].T + made_of["bias"]) @ made_of["classes"].T - made_of["offset"]
    return (features @ made_of["into"].T).astype(np.float32), logits.argmax(1)


class Manifold(Task):
    name = "manifold"
    title = "Manifold of {} dimensions in {}"
    note = "Points on a known manifold of {} dimensions in {}; labels are the labeler's own classes"
    domain = "vector"
    also = ("macro_f1",)
    profile = Profile("uniform")
    tuned_on = "manifold-4-in-128"
    defaults = {"lr": 4e-3, "temperature": 1.0, "sigma": 0.5, "step_size": 0.5}
    sizes = {
        "smoke": Size(budget=32, budgets=(16, 32), steps=10, batch=16, seeds=2, test_limit=500),
        "small": Size(budget=128, budgets=(32, 128, 512, 2048), steps=1000, batch=32, search_budgets=(64, 1024)),
    }
    computed = True
    students = {"student": "perceptron-64-64.v1"}
    teachers = {"generator": "manifold.v1", "labeler": "manifold.v1"}

    def __init__(self, latent: int, dimension: int) -> None:
        self.latent, self.dimension = latent, dimension
        self.name = f"manifold-{latent}-in-{dimension}"
        self.title, self.note = self.title.format(latent, dimension), self.note.format(latent, dimension)
        self.dataset = f"manifold_{latent}_{dimension}"
        super().__init__()

    @classmethod
    def all(cls) -> list[Task]:
        return [cls(latent, dimension) for latent in LATENT for dimension in INPUT]

    def data(self) -> Examples:
        made_of = maps(self.latent, self.dimension)
        rng = np.random.default_rng(seed_of("manifold-points", self.latent))
        drawn = rng.normal(size=(POOL + TEST, self.latent))
        inputs, labels = points(drawn.astype(np.float32), made_of)
        return Examples(
            pool_inputs=inputs[:POOL],
            pool_labels=labels[:POOL],
            validation=np.arange(POOL - VALIDATION, POOL),
            test_inputs=inputs[POOL:],
            test_labels=labels[POOL:],
            class_names=tuple(str(c) for c in range(CLASSES)),
        )

    def student(self, classes: int) -> nn.Module:
        from benchmarks.networks.vector import perceptron

        return perceptron(self.dimension, 64, classes)

    def teacher(self, classes: int) -> tuple[nn.Module, nn.Module]:
        from benchmarks.networks import manifold as nets

        made_of = maps(self.latent, self.dimension)
        return nets.Manifold(made_of), nets.Labeler(made_of)

    @staticmethod
    def augment(inputs: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Nothing: no change of a point is known to keep its class."""
        return inputs
