"""How image teachers are trained: a variational autoencoder, and a classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.core.fingerprint import seed_of
from benchmarks.data.splits import Split
from benchmarks.networks.image import VAE, labeler_cnn
from benchmarks.task import Examples, Task
from benchmarks.teachers.recipe import Recipe, training_indices, unlabelled
from benchmarks.teachers.training import BATCH, batches, descend, drawn, generator_of, judge_labeler
from tgt import freeze, kl

_JUDGE_WIDTH, _JUDGE_SHARE = 8, 0.25  # of the judge's network, and of the generator's steps that it is trained for
_JUDGE_LR = 4e-3
_AVERAGED = 16  # a classifier's weights are averaged over the last one in so many of its steps, with falling weights
_FITTED, _TO_A_GAUSSIAN = 20_000, 250  # latents at most that the prior is fitted to, and to each of its Gaussians


def fit_vae(module: VAE, task: Task, examples: Examples, recipe: Recipe, split: Split) -> dict[str, Any]:
    """A VAE, and then its prior. Reported: its reconstruction of validation inputs that no network saw.

    Where the task gives the perceptual term a weight, decoded images have to keep the class that a small classifier
    gives their originals, also under noise in the latent. That classifier, the judge, is trained here on the labelled
    samples that a labeler of the same kind is trained on: of the classes the generator then knows what a small labeler
    knows, and every method that decodes has its part of it.
    """
    inputs = task.tensor(unlabelled(examples, recipe.kind, split))
    rng = generator_of("generator", recipe)
    judge = _judge(inputs.shape[1], task, examples, recipe, split, rng) if recipe.perception else None
    descend(
        module,
        recipe,
        batches(len(inputs), recipe.steps, rng),
        lambda index: module.loss(inputs[index], recipe.beta, rng, judge, recipe.perception),
        clip=1000.0,
    )
    with torch.no_grad():
        fit_prior(module, inputs, rng, recipe.steps * BATCH)
        held_out = task.tensor(examples.pool_inputs[examples.validation[:1000]])[:]
        latents = module.encode(held_out)
        error = (module.decode(latents) - held_out).square().mean().item()
    return {
        "reconstruction_mse": error,
        "explained_variance": 1 - error / held_out.var().item(),
        "active_dimensions": int((latents.var(0) > 0.01).sum()),
        "latent_norm": latents.norm(dim=1).mean().item(),
        "prior_components": int((module.weights > 0).sum()),
    }


def _judge(
    channels: int, task: Task, examples: Examples, recipe: Recipe, split: Split, rng: torch.Generator
) -> Callable[[Tensor, Tensor], Tensor]:
    """Divergence of what a small classifier says of images and of their decoded counterparts, each (B, C, H, W).

    Both are augmented alike first: what only a single view of a picture shows does not persuade the judge.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("judge", recipe.data_sha256, *drawn(recipe.draw)) % 2**63)
        judge: nn.Module = labeler_cnn(channels, examples.classes, _JUDGE_WIDTH)
    judge = judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    _descend_classifier(
        judge, task, examples, replace(recipe, steps=max(int(_JUDGE_SHARE * recipe.steps), 1), lr=_JUDGE_LR), split, rng
    )
    freeze(judge)

    def divergence(images: Tensor, decoded: Tensor) -> Tensor:
        state = rng.get_state()
        shown = judge(task.augment(images, rng))
        rng.set_state(state)
        return kl(judge(task.augment(decoded, rng)), shown)

    return divergence


@torch.no_grad()
def fit_prior(module: VAE, inputs: Tensor, rng: torch.Generator, most: int = _FITTED) -> None:
    """A mixture of Gaussians on samples of the posterior of training inputs (N, ...), the aggregate posterior.

    Decoded samples of more and smaller Gaussians look to the labeler more like real images, though held-out latents
    are not more likely under them (results/ledger/evidence/teachers-prior.csv).

    Args:
        most: latents at most; a short training is not worth many.
    """
    chosen = torch.randperm(len(inputs), generator=rng)[: min(most, _FITTED)]
    posterior = [module.posterior(inputs[index]) for index in chosen.split(512)]
    mean, log_variance = (torch.cat(parts) for parts in zip(*posterior, strict=True))
    latents = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=rng)
    count = min(max(len(latents) // _TO_A_GAUSSIAN, 1), len(module.weights))
    seed = int(torch.randint(2**31, (), generator=rng))
    mixture = GaussianMixture(count, reg_covar=1e-3, tol=1e-2, max_iter=30, random_state=seed)
    mixture.fit(latents.double().numpy())
    factors = np.linalg.cholesky(mixture.covariances_)
    module.set_prior(*(torch.from_numpy(found).float() for found in (mixture.weights_, mixture.means_, factors)))


def fit_classifier(module: Any, task: Task, examples: Examples, recipe: Recipe, split: Split) -> dict[str, Any]:
    """A classifier with augmentation and logit adjustment (Menon et al. 2021), which is void where classes balance."""
    counts = _descend_classifier(module, task, examples, recipe, split, generator_of("labeler", recipe))
    return judge_labeler(module, task, examples, counts)


def _descend_classifier(
    module: nn.Module, task: Task, examples: Examples, recipe: Recipe, split: Split, rng: torch.Generator
) -> np.ndarray:
    """Training samples of each class (L,)."""
    indices = training_indices(examples, recipe.kind, split)
    inputs = task.tensor(examples.pool_inputs[indices])
    labels = torch.from_numpy(examples.pool_labels[indices])
    counts = torch.bincount(labels, minlength=examples.classes).clamp_min(1).float()
    adjustment = (counts / counts.sum()).log()
    device = next(module.parameters()).device
    labels, adjustment = labels.to(device), adjustment.to(device)

    def loss(index: torch.Tensor) -> torch.Tensor:
        shown = task.augment(inputs[index], rng).to(device)
        return F.cross_entropy(module(shown) + adjustment, labels[index.to(device)])

    average = max(1 - _AVERAGED / recipe.steps, 0.0)
    descend(module, recipe, batches(len(inputs), recipe.steps, rng), loss, average=average, weight_decay=0.05)
    return counts.numpy()
