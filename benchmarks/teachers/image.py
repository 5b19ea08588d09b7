"""How image teachers are trained: a variational autoencoder, and a classifier."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from benchmarks.data.splits import Split
from benchmarks.task import Examples, Task
from benchmarks.teachers.recipe import Recipe, training_indices, unlabelled
from benchmarks.teachers.training import batches, descend, generator_of, judge_labeler


def fit_vae(module: Any, task: Task, examples: Examples, recipe: Recipe, split: Split) -> dict[str, Any]:
    """A VAE on unlabelled inputs. Reported: its reconstruction of validation inputs that no network saw."""
    inputs = task.tensor(unlabelled(examples, recipe.kind, split))
    rng = generator_of("generator", recipe)
    descend(
        module,
        recipe,
        batches(len(inputs), recipe.steps, rng),
        lambda index: module.loss(inputs[index], recipe.beta, rng),
        clip=1000.0,
    )
    held_out = task.tensor(examples.pool_inputs[examples.validation[:1000]])
    with torch.no_grad():
        latents = module.encode(held_out)
        error = (module.decode(latents) - held_out).square().mean().item()
    variance = held_out.var().item()
    return {
        "reconstruction_mse": error,
        "explained_variance": 1 - error / variance,
        "active_dimensions": int((latents.var(0) > 0.01).sum()),
        "latent_norm": latents.norm(dim=1).mean().item(),
    }


def fit_classifier(module: Any, task: Task, examples: Examples, recipe: Recipe, split: Split) -> dict[str, Any]:
    """A classifier with augmentation and logit adjustment (Menon et al. 2021), which is void where classes balance."""
    indices = training_indices(examples, recipe.kind, split)
    inputs = task.tensor(examples.pool_inputs[indices])
    labels = torch.from_numpy(examples.pool_labels[indices])
    counts = torch.bincount(labels, minlength=examples.classes).clamp_min(1).float()
    adjustment = (counts / counts.sum()).log()
    rng = generator_of("labeler", recipe)
    augment = task.augment
    assert augment is not None

    def loss(index: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(module(augment(inputs[index], rng)) + adjustment, labels[index])

    descend(module, recipe, batches(len(inputs), recipe.steps, rng), loss)
    return judge_labeler(module, task, examples, counts.numpy())
