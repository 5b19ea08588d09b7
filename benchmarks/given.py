"""Teachers that come trained: they are judged, not trained, and stand behind the same doors as the suite's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.splits import Split
from benchmarks.tasks import Examples, Task
from benchmarks.teachers import Recipe, judge_labeler, training_indices


class Given(nn.Module):
    """A person's generator or labeler. What it lacks is told in plain words when a method asks for it."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.module = module

    def forward(self, inputs: Tensor) -> Tensor:
        return self.module(inputs)

    def encode(self, inputs: Tensor) -> Tensor:
        return self.module.encode(inputs)

    def decode(self, latents: Tensor) -> Tensor:
        return self.module.decode(latents)

    def sample_prior(self, count: int, rng: torch.Generator) -> Tensor:
        if not hasattr(self.module, "sample_prior"):
            raise ValueError("this task's generator has no sample_prior, which the method asks for")
        return self.module.sample_prior(count, rng)

    def state_dict(self, *args: Any, **more: Any) -> Any:
        """Each weight on its own: a safetensors file cannot hold two names of one."""
        return {name: weight.clone() for name, weight in super().state_dict(*args, **more).items()}


def as_given(module: Given, task: Task, examples: Examples, recipe: Recipe, split: Split) -> dict[str, Any]:
    """In place of training a generator."""
    if recipe.kind != "full":
        raise ValueError(f"{task.name} comes with its teacher, so there is none that saw the student's own data alone")
    return {}


def judged(module: Given, task: Task, examples: Examples, recipe: Recipe, split: Split) -> dict[str, Any]:
    """In place of training a labeler: its metrics on validation and test samples."""
    as_given(module, task, examples, recipe, split)
    labels = examples.pool_labels[training_indices(examples, recipe.kind, split)]
    return judge_labeler(module.eval(), task, examples, np.bincount(labels, minlength=examples.classes))
