"""How teachers of vectors are made: principal components, and a perceptron."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.data.splits import Split
from benchmarks.networks.vector import PrincipalComponents
from benchmarks.task import Examples, Task
from benchmarks.teachers.recipe import Recipe, training_indices, unlabelled
from benchmarks.teachers.training import batches, descend, generator_of, judge_labeler


def fit_components(
    module: PrincipalComponents, task: Task, examples: Examples, recipe: Recipe, split: Split
) -> dict[str, Any]:
    """Reported: the share of the variance of validation inputs that the components keep."""
    module.fit(task.tensor(unlabelled(examples, recipe.kind, split)))
    held_out = task.tensor(examples.pool_inputs[examples.validation])
    error = (module.decode(module.encode(held_out)) - held_out).square().mean().item()
    spread = (held_out - held_out.mean(0)).square().mean().item()
    return {"reconstruction_mse": error, "explained_variance": 1 - error / spread if spread else 0.0}


def fit_perceptron(module: nn.Module, task: Task, examples: Examples, recipe: Recipe, split: Split) -> dict[str, Any]:
    """Cross-entropy on the labels."""
    indices = training_indices(examples, recipe.kind, split)
    inputs, labels = task.tensor(examples.pool_inputs[indices]), torch.from_numpy(examples.pool_labels[indices])
    steps = batches(len(inputs), recipe.steps, generator_of("labeler", recipe))
    descend(
        module, recipe, steps, lambda index: F.cross_entropy(module(inputs[index]), labels[index]), weight_decay=0.1
    )
    return judge_labeler(module, task, examples, np.bincount(labels.numpy(), minlength=examples.classes))
