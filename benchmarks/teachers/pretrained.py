"""Parts of a teacher that come trained: they are judged, not trained, and kept as the suite's own are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.core.errors import tell
from benchmarks.data.splits import Split
from benchmarks.task import Examples, Task
from benchmarks.teachers.recipe import Recipe, training_indices
from benchmarks.teachers.training import judge_labeler, logits_of

_FEW = 16  # samples that pass through once before all do


def as_given(module: Any, task: Task, examples: Examples, recipe: Recipe, split: Split) -> dict[str, Any]:
    """In place of training a generator. Raises ValueError for a teacher of the student's own data: there is none."""
    _comes_trained(task, recipe)
    if "generator" in task.own:
        inputs = task.tensor(examples.pool_inputs[:_FEW])
        with torch.no_grad():
            decoded = module.decode(module.encode(inputs))
        if told := _no_counterpart(decoded, inputs, task.domain):
            raise ValueError(f"{task.name}: {told}")
        if task.domain == "image" and not (decoded.min() >= -0.1 and decoded.max() <= 1.1):
            span = f"{decoded.min():.2g} to {decoded.max():.2g}"
            tell(f"{task.name}: decoded images range from {span}, inputs from 0 to 1; does the generator scale back?")
    return {}


def judged(module: Any, task: Task, examples: Examples, recipe: Recipe, split: Split) -> dict[str, Any]:
    """In place of training a labeler: its metrics on validation and test samples. Raises ValueError for no logits."""
    _comes_trained(task, recipe)
    module.eval()
    if "labeler" in task.own:
        logits = logits_of(module, task, examples.pool_inputs[:_FEW])
        if told := no_logits(logits, examples.classes):
            raise ValueError(f"{task.name}: the labeler {told}")
    labels = examples.pool_labels[training_indices(examples, recipe.kind, split)]
    return judge_labeler(module, task, examples, np.bincount(labels, minlength=examples.classes))


def no_logits(found: Any, classes: int) -> str:
    """Why what a labeler answers is no batch of logits (B, classes); empty where it may be."""
    if not isinstance(found, Tensor) or found.dim() != 2:
        return (
            f"must give logits (B, {classes}), not {tuple(found.shape) if isinstance(found, Tensor) else type(found)}"
        )
    if found.shape[1] != classes:
        return f"gives {tuple(found.shape)}, not logits of {classes} classes"
    if not found.isfinite().all():
        return "gives NaN or infinity"
    if found.min() >= 0 and torch.allclose(found.sum(1), torch.ones(len(found)), atol=1e-3):
        return "gives probabilities, not logits: take the softmax out of it, or return their logarithm"
    return ""


def _comes_trained(task: Task, recipe: Recipe) -> None:
    if recipe.kind != "full":
        raise ValueError(f"{task.name} comes with its teacher, so there is none that saw the student's own data alone")


def _no_counterpart(decoded: Any, inputs: Tensor, domain: str) -> str:
    if not isinstance(decoded, Tensor):
        return f"decode gives {type(decoded).__name__}, not a tensor"
    soft = domain in ("text", "retrieval") and decoded.dim() == 3
    if decoded.shape[: inputs.dim() if soft else None] != inputs.shape:
        return f"decode gives {tuple(decoded.shape)} for inputs {tuple(inputs.shape)}"
    return "" if decoded.isfinite().all() else "decode gives NaN or infinity"
