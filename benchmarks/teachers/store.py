"""A task's generator and labeler: trained once, kept as safetensors under the hash of what they were made from.

`full`: trained on the whole training pool, as a released checkpoint would be. `same-data`: trained on the student's own
samples only. Neither ever sees validation or test samples.
"""

from __future__ import annotations

import copy
import json
import time
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import nn

from benchmarks.core import kept
from benchmarks.core.environment import code_sha256, environment
from benchmarks.core.fingerprint import seed_of
from benchmarks.data.splits import Split
from benchmarks.task import Task
from benchmarks.teachers import own
from benchmarks.teachers.pretrained import as_given, judged
from benchmarks.teachers.recipe import PARTS, Recipe
from benchmarks.teachers.training import Fit, answers_of, drawn
from benchmarks.teachers.weights import as_trained, content_sha256, metadata

_OTHER_MACHINE = 0.01  # that a score may differ by, for other last bits


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
        Tampered: a file is not as it was when it was trained.
    """
    draw = max((recipe.draw for recipe in recipes if recipe.given_sha256), default=0)
    modules = networks_of(task, draw)
    for recipe in recipes:
        path = recipe.path
        if not recipe.trained:
            raise kept.Tampered(f"{path} was changed since it was trained, or removed; the next command trains it anew")
        if not _comes_trained(task, recipe):  # its file holds what was measured of it
            modules[recipe.part].load_state_dict(load_file(path))
        modules[recipe.part].eval()
        if kept.listed(path) is None:
            _at_first_sight(task, recipe, modules[recipe.part])
    return {recipe.part: modules[recipe.part] for recipe in recipes}


def _at_first_sight(task: Task, recipe: Recipe, module: nn.Module) -> None:
    """Enter a file from before there was a list, if it holds together: its labeler scores what the file says.

    Raises:
        Tampered: it does not, and was set aside.
    """
    path = recipe.cached
    if recipe.part == "labeler":
        examples, said = task.examples(), metadata(path)["metrics"]["test"][task.metric]
        counts = np.bincount(examples.pool_labels, minlength=examples.classes)
        answers = answers_of(module, task, examples.test_inputs)
        score = task.judge(answers, examples.test_labels, examples, counts)[task.metric]
        if score is None or not abs(score - said) < _OTHER_MACHINE:
            wrong = f"{path}: the labeler's {task.metric} is {score}, its file says {said}"
            kept.make_way(path, wrong)
            raise kept.Tampered(f"{wrong}; the next command trains it anew")
    kept.enter_if_writable(path)


def _comes_trained(task: Task, recipe: Recipe) -> bool:
    """Whether a network is a user's own and nothing is trained of it here."""
    return bool(recipe.given_sha256) and recipe.part not in task.fits()


def train(task: Task, recipe: Recipe, split: Split, anew: bool = False) -> dict[str, Any]:
    """Train one network unless its file is there; its metadata. Two processes asking at once train it once.

    Args:
        anew: train it all the same, into the cache, and leave what is committed as it is.
    """
    if recipe.trained and not anew:
        return metadata(recipe.path)

    def make() -> bytes:
        start = time.perf_counter()
        module = networks_of(task, recipe.draw)[recipe.part]
        if task.scale == "paper" and recipe.part == "labeler" and torch.cuda.is_available():
            module.cuda()
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
        return save(tensors, {"teacher": json.dumps(info)})

    path = kept.file(
        recipe.cached,
        make,
        lambda raw, to: to.write_bytes(raw),
        as_made=lambda path: as_trained(path, recipe.made_of),
        anew=anew,
    )
    return metadata(path)
