"""What the training of every teacher shares: batches, one loop, and the judgement of a labeler."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks.core.fingerprint import seed_of
from benchmarks.data.reading import concatenated
from benchmarks.data.splits import Split
from benchmarks.data.stored import Samples
from benchmarks.task import Examples, Task
from benchmarks.teachers.recipe import Recipe

#: Trains a network in place: (module, task, examples, recipe, split) -> what was measured of it.
Fit = Callable[[Any, Task, Examples, Recipe, Split], dict[str, Any]]
BATCH = 128
#: How often guesses may score higher than what is told to be at chance: a binomial test's level.
BY_CHANCE = 0.01


def drawn(draw: int) -> tuple[int, ...]:
    """The axis of a seed that a draw of the teacher adds; the first adds none."""
    return (draw,) if draw else ()


def generator_of(part: str, recipe: Recipe) -> torch.Generator:
    """Random numbers of one training; of its data, so that the same data give the same network."""
    return torch.Generator().manual_seed(seed_of(part, recipe.data_sha256, *drawn(recipe.draw)) % 2**63)


def batches(count: int, steps: int, rng: torch.Generator, size: int = BATCH) -> Iterator[Tensor]:
    """Indices of random samples, `size` a step or all there are."""
    for _ in range(steps):
        yield torch.randint(count, (min(size, count),), generator=rng)


def descend(
    module: nn.Module,
    recipe: Recipe,
    steps: Iterable[Tensor],
    loss: Callable[[Tensor], Tensor],
    clip: float | None = None,
    frozen: nn.Module | None = None,
    average: float | None = None,
    weight_decay: float = 1e-2,
) -> None:
    """Train what is to be trained of a module by AdamW under a one-cycle schedule; it ends in eval mode.

    Args:
        steps: indices of each step's samples. loss: indices -> the loss of these samples.
        clip: largest norm of the gradient. frozen: a part that stays in eval mode.
        average: decay a step of the moving average of weights and buffers that is kept in place of the last ones.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=recipe.lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.lr, recipe.steps, pct_start=0.2)
    averaged = None
    if average is not None:
        averaged = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(average), use_buffers=True)
    module.train()
    if frozen is not None:
        frozen.eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # dropout has no generator of its own
        for index in steps:
            optimiser.zero_grad(set_to_none=True)
            loss(index).backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(module.parameters(), clip)
            optimiser.step()
            schedule.step()
            if averaged is not None:
                averaged.update_parameters(module)
    if averaged is not None:
        module.load_state_dict(averaged.module.state_dict())
    module.eval()


def logits_of(module: nn.Module, task: Task, inputs: Samples) -> Tensor:
    """(N, L) for stored inputs (N, ...), on the CPU wherever the module computes."""
    device = next((tensor.device for tensor in module.parameters()), torch.device("cpu"))
    with torch.no_grad():
        return concatenated((module(part.to(device)).cpu() for part in task.tensor(inputs).split(512)), len(inputs))


def answers_of(module: nn.Module, task: Task, inputs: Samples) -> Any:
    """What a task judges of a network: its logits (N, L), or its ranks (N, K) where the task has these."""
    return logits_of(module, task, inputs) if task.ranks is None else task.ranks(module, inputs)


def judge_labeler(module: nn.Module, task: Task, examples: Examples, train_counts: np.ndarray) -> dict[str, Any]:
    """Metrics of a trained labeler on validation and test samples."""
    held_out = examples.pool_inputs[examples.validation], examples.pool_answers[examples.validation]
    return {
        name: task.judge(answers_of(module, task, inputs), labels, examples, train_counts)
        for name, (inputs, labels) in (("validation", held_out), ("test", (examples.test_inputs, examples.test_labels)))
    }


def at_chance(task: Task, scores: dict[str, Any]) -> str:
    """What to tell of a labeler whose test scores are no better than guessing; empty of others.

    One that the suite trains for the few steps of the smoke size is expected to be.
    """
    from scipy.stats import binom  # only now: it takes half a second

    labels = task.examples().test_labels
    if labels.ndim != 1 or "balanced_accuracy" not in scores or (task.scale == "smoke" and "labeler" not in task.own):
        return ""
    counts = np.bincount(labels)
    share, classes, there = counts.max() / len(labels), task.examples().classes, counts[counts > 0]
    # Of guesses: the mean of the classes' shares of hits varies as one share of so many samples.
    as_many = len(there) ** 2 / (1 / there).sum()
    guesses = {"accuracy": (share, len(labels)), "balanced_accuracy": (1 / classes, as_many)}
    if any(scores[name] * n > binom.isf(BY_CHANCE, int(n), one) for name, (one, n) in guesses.items()):
        return ""
    return (
        f"The labeler is at chance ({100 * scores['accuracy']:.1f} % accuracy, the most frequent class has "
        f"{100 * share:.1f} %): it has nothing to teach. Are its classes in the order of the labels, are labels right?"
    )
