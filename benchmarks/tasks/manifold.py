"""Points on a known d-dimensional manifold in R^D, with the generator and the labeler known exactly.

The manifold and what stands on it are the same for all D: a latent z ~ N(0, I_d) becomes 32 features tanh(A z), which
an isometry takes into R^D; the labeler reads the features back. So D can change while manifold, labels and the pool of
points stay; which of the points a run learns from is drawn anew for each D. One manifold and one labeler stand for a d.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.hashing import seed_of
from benchmarks.splits import Profile
from benchmarks.tasks.base import Examples, Networks, Size, Task

if TYPE_CHECKING:
    import torch

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


def _examples(latent: int, dimension: int) -> Examples:
    made_of = maps(latent, dimension)
    drawn = np.random.default_rng(seed_of("manifold-points", latent)).normal(size=(POOL + TEST, latent))
    inputs, labels = points(drawn.astype(np.float32), made_of)
    return Examples(
        pool_inputs=inputs[:POOL],
        pool_labels=labels[:POOL],
        validation=np.arange(POOL - VALIDATION, POOL),
        test_inputs=inputs[POOL:],
        test_labels=labels[POOL:],
        class_names=tuple(str(c) for c in range(CLASSES)),
    )


def _networks(latent: int, dimension: int) -> Networks:
    from benchmarks import manifold_networks as nets
    from benchmarks.given import as_given, judged

    made_of = maps(latent, dimension)
    return Networks(
        student=lambda classes: nets.student(dimension, classes),
        labeler=lambda classes: nets.Labeler(made_of),
        generator=lambda: nets.Manifold(made_of),
        fit={"generator": as_given, "labeler": judged},
    )


def _tensor(inputs: np.ndarray) -> torch.Tensor:
    import torch

    return torch.from_numpy(inputs)


def _named(latent: int, dimension: int) -> Callable[[], Examples]:
    @cache
    def examples() -> Examples:
        return _examples(latent, dimension)

    examples.__name__ = f"manifold_{latent}_{dimension}_examples"  # names the teachers' files
    return examples


TASKS = {
    (name := f"manifold-{latent}-in-{dimension}"): Task(
        name=name,
        title=f"Manifold of {latent} dimensions in {dimension}",
        note=f"Points on a known manifold of {latent} dimensions in {dimension}; labels are the labeler's own classes",
        profile=Profile("uniform"),
        sizes={
            "smoke": Size(
                budget=32,
                budgets=(16, 32),
                steps=10,
                batch=16,
                labeler_steps=0,
                generator_steps=0,
                seeds=2,
                test_limit=500,
            ),
            "small": Size(
                budget=128,
                budgets=(32, 128, 512, 2048),
                steps=1000,
                batch=32,
                labeler_steps=0,
                generator_steps=0,
            ),
        },
        examples=_named(latent, dimension),
        networks=partial(_networks, latent, dimension),
        tensor=_tensor,
        augment=lambda inputs, rng: inputs,
        domain="vector",
        metric="accuracy",
        also=("macro_f1",),
        defaults={"lr": 4e-3, "temperature": 1.0, "sigma": 0.5, "step_size": 0.5},
        tuned_on="manifold-4-in-128",
        networks_code=("benchmarks.manifold_networks", "benchmarks.tasks.manifold"),
    )
    for latent in LATENT
    for dimension in INPUT
}
