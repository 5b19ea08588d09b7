"""How text teachers are trained: a denoising autoencoder over frozen states, and a fine-tuned MiniLM."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks import teachers
from benchmarks.hashing import seed_of
from benchmarks.splits import Split
from benchmarks.tasks import Examples, Task
from benchmarks.teachers import Recipe
from benchmarks.text_networks import TextAutoencoder, TextLabeler, present

_GENERATOR_BATCH, _LABELER_BATCH = 64, 32


def fit_autoencoder(
    module: TextAutoencoder, task: Task, examples: Examples, recipe: Recipe, split: Split
) -> dict[str, Any]:
    """Restores unlabelled texts from noisy latents. Reported: the share of validation words restored, by noise scale.

    The encoder is frozen, so its states of the texts that will be drawn are computed once, in half precision.
    """
    texts = task.tensor(teachers.unlabelled(examples, recipe.kind, split))
    rng = torch.Generator().manual_seed(seed_of("generator", recipe.data_sha256) % 2**63)
    order = list(teachers.batches(len(texts), recipe.steps, rng, _GENERATOR_BATCH))
    drawn, places = torch.cat(order).unique(return_inverse=True)
    texts = texts[drawn]
    module.eval()  # or dropout, which has no generator of its own, would blur what the encoder says
    with torch.no_grad():
        states = torch.cat([module.encoder(chunk).half() for chunk in texts.split(512)])
    optimiser, schedule = teachers.optimiser_of(module, recipe)
    module.train()
    module.encoder.eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for index in places.split(len(order[0])):
            optimiser.zero_grad(set_to_none=True)
            module.loss(states[index].float(), texts[index], rng).backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    module.eval()
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
    indices = teachers.training_indices(examples, recipe.kind, split)
    texts = task.tensor(examples.pool_inputs[indices])
    labels = torch.from_numpy(examples.pool_labels[indices])
    rng = torch.Generator().manual_seed(seed_of("labeler", recipe.data_sha256) % 2**63)
    optimiser, schedule = teachers.optimiser_of(module, recipe)
    module.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for index in teachers.batches(len(texts), recipe.steps, rng, _LABELER_BATCH):
            half = len(index) // 2
            shown = torch.cat([texts[index[:half]], task.augment(texts[index[half:]], rng)])
            optimiser.zero_grad(set_to_none=True)
            F.cross_entropy(module(shown), labels[index]).backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    counts = np.bincount(examples.pool_labels[indices], minlength=examples.classes)
    return teachers.judge_labeler(module.eval(), task, examples, counts)
