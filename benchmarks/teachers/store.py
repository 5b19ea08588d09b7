"""A task's generator and labeler: trained once, kept as safetensors under the hash of what they were made from.

`full`: trained on the whole training pool, as a released checkpoint would be. `same-data`: trained on the student's own
samples only. Neither ever sees validation or test samples.
"""

from __future__ import annotations

import copy
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmarks.core import paths
from benchmarks.core.environment import code_sha256, environment
from benchmarks.core.fingerprint import array_digest, seed_of
from benchmarks.data.splits import Split
from benchmarks.task import Task
from benchmarks.teachers import own
from benchmarks.teachers.pretrained import as_given, judged
from benchmarks.teachers.recipe import PARTS, Recipe
from benchmarks.teachers.training import Fit, drawn


def networks_of(task: Task, draw: int = 0) -> dict[str, nn.Module]:
    """Fresh, untrained generator and labeler of a task, from each draw's fixed start.

    Those that a custom task brings are copies of what its `teacher` gave, which is asked once.
    """
    if task.own & set(PARTS):
        return dict(zip(PARTS, copy.deepcopy(own.given(task, draw)[0]), strict=True))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("teacher", f"{task.data_name}_examples", *drawn(draw)) % 2**32)
        parts = dict(zip(PARTS, task.teacher(task.examples().classes), strict=True))
    return {name: module.to(memory_format=torch.channels_last) for name, module in parts.items()}


def load(task: Task, *recipes: Recipe) -> dict[str, nn.Module]:
    """The trained networks of recipes of one task, by part.

    Raises:
        ValueError: a file's weights do not have the hash that was written when they were made.
    """
    draw = max((recipe.draw for recipe in recipes if recipe.given_sha256), default=0)
    modules = networks_of(task, draw)
    for recipe in recipes:
        if _comes_trained(task, recipe):  # its file holds what was measured of it
            continue
        tensors = load_file(recipe.path)
        if content_sha256(tensors) != metadata(recipe.path)["sha256"]:
            raise ValueError(f"{recipe.path} was changed since it was trained; delete it and it is trained anew")
        modules[recipe.part].load_state_dict(tensors)
    return {recipe.part: modules[recipe.part].eval() for recipe in recipes}


def _comes_trained(task: Task, recipe: Recipe) -> bool:
    """Whether a network is a user's own and nothing is trained of it here."""
    return bool(recipe.given_sha256) and recipe.part not in task.fits()


def metadata(path: Path) -> dict[str, Any]:
    """What was written beside the weights in a file: content hash, recipe, metrics, seconds."""
    with safe_open(path, framework="np") as file:
        return json.loads(file.metadata()["teacher"])


def content_sha256(tensors: dict[str, Tensor]) -> str:
    return array_digest({name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()})


def train(task: Task, recipe: Recipe, split: Split, anew: bool = False) -> dict[str, Any]:
    """Train one network unless its file is there; its metadata. Two processes asking at once train it once.

    Args:
        anew: train it all the same, into the cache, and leave what is committed as it is.
    """
    if recipe.trained and not anew:
        return metadata(recipe.path)
    recipe.cached.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(recipe.cached.with_suffix(".lock")):
        if anew or not recipe.trained:
            start = time.perf_counter()
            module = networks_of(task, recipe.draw)[recipe.part]
            fits: dict[str, Fit] = {"generator": as_given, "labeler": judged, **task.fits()}
            metrics = fits[recipe.part](module, task, task.examples(), recipe, split)
            # Copies: a file cannot hold two names of one tensor, which a custom network may have.
            tensors = {name: tensor.detach().contiguous().clone() for name, tensor in module.state_dict().items()}
            given = _comes_trained(task, recipe)
            if given:
                tensors = {}  # the user has them
            info = {
                "sha256": recipe.given_sha256 if given else content_sha256(tensors),
                "recipe": asdict(recipe),
                "metrics": metrics,
                "seconds": round(time.perf_counter() - start, 1),
                "code_sha256": code_sha256(),
                "environment": environment(),
            }
            with paths.atomic(recipe.cached) as temporary:
                save_file(tensors, temporary, metadata={"teacher": json.dumps(info)})
    return metadata(recipe.cached)
