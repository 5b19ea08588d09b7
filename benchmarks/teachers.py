"""A task's generator and labeler: trained once, kept as safetensors under the hash of what they were made from.

`full`: trained on the whole training pool, as a released checkpoint would be. `same-data`: trained on the student's own
samples only. Neither ever sees validation or test samples.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import paths
from benchmarks.hashing import array_digest, digest, module_digest, seed_of
from benchmarks.metrics import calibration_error
from benchmarks.splits import Split
from benchmarks.tasks import Examples, Task

KINDS = ("full", "same-data")
PARTS = ("generator", "labeler")

#: Trains a network in place: (module, task, examples, recipe, split) -> what was measured of it.
Fit = Callable[[Any, Task, Examples, "Recipe", Split], dict[str, Any]]
_BATCH = 128


@dataclass(frozen=True)
class Recipe:
    """All that decides a teacher network's weights; its hash names the file."""

    task: str
    size: str
    part: str
    kind: str
    data_sha256: str
    steps: int
    lr: float
    code_sha256: str
    beta: float = 1.0

    @property
    def path(self) -> Path:
        name = f"{self.task}-{self.part}-{self.kind}-{digest(self.__dict__)[:16]}"
        return paths.cache() / "teachers" / f"{name}.safetensors"

    @property
    def trained(self) -> bool:
        return self.path.exists()


def training_indices(examples: Examples, kind: str, split: Split) -> np.ndarray:
    """Pool indices a teacher of this kind may see."""
    if kind == "full":
        return np.setdiff1d(np.arange(len(examples.pool_labels)), examples.validation)
    return split.indices


def unlabelled(examples: Examples, kind: str, split: Split) -> np.ndarray:
    """The inputs that a generator of this kind is trained on."""
    inputs = examples.pool_inputs[training_indices(examples, kind, split)]
    if kind == "full" and examples.extra_unlabelled is not None:
        inputs = np.concatenate([inputs, examples.extra_unlabelled])
    return inputs


def recipe(task: Task, size: str, part: str, kind: str, split: Split) -> Recipe:
    """The recipe of one network. Raises ValueError for an unknown part or kind."""
    if part not in PARTS or kind not in KINDS:
        raise ValueError(f"no teacher {kind!r} {part!r}: parts are {', '.join(PARTS)}; kinds are {', '.join(KINDS)}")
    examples = task.examples()
    indices = training_indices(examples, kind, split)
    data = {"inputs": examples.pool_inputs[indices], "labels": examples.pool_labels[indices]}
    if part == "generator" and kind == "full" and examples.extra_unlabelled is not None:
        data["extra"] = examples.extra_unlabelled
    if examples.passages is not None:
        data["passages"] = examples.passages
    spec = task.sizes[size]
    return Recipe(
        task=task.name if kind == "same-data" else task.examples.__name__,
        size=size,
        part=part,
        kind=kind,
        data_sha256=_data_digest(kind, task, part, split.sha256, data),
        steps=spec.generator_steps if part == "generator" else spec.labeler_steps,
        lr=task.lr[PARTS.index(part)],
        code_sha256=digest([module_digest(name) for name in ("benchmarks.teachers", *task.networks_code)]),
        beta=task.beta if part == "generator" else 0.0,
    )


_DIGESTS: dict[tuple, str] = {}


def _data_digest(kind: str, task: Task, part: str, split_sha256: str, data: dict[str, np.ndarray]) -> str:
    """Hash of training data, kept for the process: the full pool is 45 MB and every run asks for it."""
    key = (kind, task.examples, part, split_sha256 if kind == "same-data" else "")
    if key not in _DIGESTS:
        _DIGESTS[key] = array_digest(data)
    return _DIGESTS[key]


def networks_of(task: Task) -> dict[str, nn.Module]:
    """Fresh, untrained generator and labeler of a task, from a fixed start."""
    classes = task.examples().classes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("teacher", task.examples.__name__) % 2**32)
        built = task.networks()
        parts = {"generator": built.generator(), "labeler": built.labeler(classes)}
    return {name: module.to(memory_format=torch.channels_last) for name, module in parts.items()}  # type: ignore[call-overload]


def load(task: Task, recipe: Recipe) -> nn.Module:
    """The trained network. Raises ValueError if the file's weights do not have the hash written when they were made."""
    tensors = load_file(recipe.path)
    if content_sha256(tensors) != metadata(recipe)["sha256"]:
        raise ValueError(f"{recipe.path} was changed since it was trained; delete it and it is trained anew")
    module = networks_of(task)[recipe.part]
    module.load_state_dict(tensors)
    return module.eval()


def metadata(recipe: Recipe) -> dict[str, Any]:
    """What was written beside the weights: content hash, recipe, metrics, seconds."""
    with safe_open(recipe.path, framework="np") as file:
        return json.loads(file.metadata()["teacher"])


def content_sha256(tensors: dict[str, Tensor]) -> str:
    return array_digest({name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()})


def train(task: Task, recipe: Recipe, split: Split) -> dict[str, Any]:
    """Train one network unless its file is there; its metadata. Two processes asking at once train it once."""
    recipe.path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(recipe.path.with_suffix(".lock")):
        if not recipe.trained:
            examples = task.examples()
            start = time.perf_counter()
            module = networks_of(task)[recipe.part]
            fits: dict[str, Fit] = {"generator": fit_vae, "labeler": fit_classifier, **task.networks().fit}
            metrics = fits[recipe.part](module, task, examples, recipe, split)
            tensors = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
            info = {
                "sha256": content_sha256(tensors),
                "recipe": recipe.__dict__,
                "metrics": metrics,
                "seconds": round(time.perf_counter() - start, 1),
            }
            with paths.atomic(recipe.path) as temporary:
                save_file(tensors, temporary, metadata={"teacher": json.dumps(info)})
    return metadata(recipe)


def batches(count: int, steps: int, rng: torch.Generator, size: int = _BATCH) -> Iterator[Tensor]:
    """Indices of random samples, `size` a step or all there are."""
    for _ in range(steps):
        yield torch.randint(count, (min(size, count),), generator=rng)


def optimiser_of(module: nn.Module, recipe: Recipe) -> tuple[torch.optim.Optimizer, Any]:
    """AdamW on what is to be trained, and its one-cycle schedule."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=recipe.lr, weight_decay=1e-2)
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.lr, recipe.steps, pct_start=0.2)


def fit_vae(module: Any, task: Task, examples: Examples, recipe: Recipe, split: Split) -> dict[str, Any]:
    """A VAE on unlabelled inputs. Reported: its reconstruction of validation inputs that no network saw."""
    inputs = task.tensor(unlabelled(examples, recipe.kind, split))
    rng = torch.Generator().manual_seed(seed_of("generator", recipe.data_sha256) % 2**63)
    optimiser, schedule = optimiser_of(module, recipe)
    module.train()
    for index in batches(len(inputs), recipe.steps, rng):
        optimiser.zero_grad(set_to_none=True)
        module.loss(inputs[index], recipe.beta, rng).backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1000.0)
        optimiser.step()
        schedule.step()
    module.eval()
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
    rng = torch.Generator().manual_seed(seed_of("labeler", recipe.data_sha256) % 2**63)
    optimiser, schedule = optimiser_of(module, recipe)
    module.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # dropout has no generator of its own
        for index in batches(len(inputs), recipe.steps, rng):
            optimiser.zero_grad(set_to_none=True)
            logits = module(task.augment(inputs[index], rng))
            F.cross_entropy(logits + adjustment, labels[index]).backward()
            optimiser.step()
            schedule.step()
    return judge_labeler(module.eval(), task, examples, counts.numpy())


def judge_labeler(module: nn.Module, task: Task, examples: Examples, train_counts: np.ndarray) -> dict[str, Any]:
    """Metrics and calibration of a trained labeler on validation and test samples."""
    found = {}
    for name, inputs, labels in (
        ("validation", examples.pool_inputs[examples.validation], examples.pool_labels[examples.validation]),
        ("test", examples.test_inputs, examples.test_labels),
    ):
        logits = logits_of(module, task, inputs)
        scores = task.judge(logits, labels, examples, train_counts)
        found[name] = {**scores, "calibration_error": calibration_error(logits.softmax(1).numpy(), labels)}
    return found


def logits_of(module: nn.Module, task: Task, inputs: np.ndarray) -> Tensor:
    """(N, L) for stored inputs (N, ...)."""
    with torch.no_grad():
        return torch.cat([module(part) for part in task.tensor(inputs).split(512)])
