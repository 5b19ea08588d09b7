"""How text teachers are trained: a denoising autoencoder over frozen states, and a fine-tuned MiniLM."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.data.splits import Split
from benchmarks.networks.text import TextAutoencoder, TextLabeler, present
from benchmarks.task import Examples, Task
from benchmarks.teachers.recipe import Recipe, training_indices, unlabelled
from benchmarks.teachers.training import batches, descend, generator_of, judge_labeler

_GENERATOR_BATCH, _LABELER_BATCH = 64, 32


def fit_autoencoder(
    module: TextAutoencoder, task: Task, examples: Examples, recipe: Recipe, split: Split
) -> dict[str, Any]:
    """Restores unlabelled texts from noisy latents. Reported: the share of validation words restored, by noise scale.

    The encoder is frozen, so its states of the texts that will be drawn are computed once, in half precision.
    """
    texts = task.tensor(unlabelled(examples, recipe.kind, split))
    rng = generator_of("generator", recipe)
    order = list(batches(len(texts), recipe.steps, rng, _GENERATOR_BATCH))
    drawn, places = torch.cat(order).unique(return_inverse=True)
    texts = texts[drawn]
    module.eval()  # or dropout, which has no generator of its own, would blur what the encoder says
    with torch.no_grad():
        states = torch.cat([module.encoder(chunk).half() for chunk in texts.split(512)])
    descend(
        module,
        recipe,
        places.split(len(order[0])),
        lambda index: module.loss(states[index].float(), texts[index], rng),
        clip=1.0,
        frozen=module.encoder,
    )
    held_out = task.tensor(examples.pool_inputs[examples.validation[:500]])
    words = present(held_out)
    restored = {}
    with torch.no_grad():
        latents = module.encode(held_out)
        for sigma in task.sigmas:
            noise = torch.randn(latents.shape, generator=rng)
            found = module.decode(latents + sigma * noise)
            restored[f"{sigma:g}"] = (found == held_out)[words].float().mean().item()
    return {"restored_words": restored}


def fit_labeler(module: TextLabeler, task: Task, examples: Examples, recipe: Recipe, split: Split) -> dict[str, Any]:
    """Cross-entropy on the labels, all weights trained, half of the texts of a batch augmented (words dropped)."""
    indices = training_indices(examples, recipe.kind, split)
    texts = task.tensor(examples.pool_inputs[indices])
    labels = torch.from_numpy(examples.pool_labels[indices])
    rng = generator_of("labeler", recipe)

    def loss(index: torch.Tensor) -> torch.Tensor:
        half = len(index) // 2
        shown = torch.cat([texts[index[:half]], task.augment(texts[index[half:]], rng)])
        return F.cross_entropy(module(shown), labels[index])

    descend(module, recipe, batches(len(texts), recipe.steps, rng, _LABELER_BATCH), loss, clip=1.0)
    counts = np.bincount(examples.pool_labels[indices], minlength=examples.classes)
    return judge_labeler(module, task, examples, counts)
