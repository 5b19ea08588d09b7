"""The one training loop, for every method and task. It owns optimiser, schedule, batches and checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from benchmarks.runs import joined
from tgt.costs import Costs
from tgt.method import Batch, Method, TrainingData

if TYPE_CHECKING:
    from benchmarks.runs.resume import Keeper

CHECKPOINTS = 5  # evaluations spread over a run, the last at its end
LOOK_EVERY = 25  # steps between two looks at the loss's value

_OPTIMISERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "adamw": (torch.optim.AdamW, {}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
}


class Diverged(RuntimeError):
    """The loss is not a finite number."""


@dataclass(frozen=True)
class Schedule:
    """How long and on how many samples a step. `match` says whose samples are equal for all methods.

    `samples`: each step shows the student 2 * batch samples; a method that generates takes its share of them from its
    generator. `real`: each step shows `batch` real samples; a method that generates adds its own on top.
    """

    steps: int
    batch: int
    match: str = "samples"
    weight_decay: float = 1e-4
    optimiser: str = "adamw"  # or "sgd", with Nesterov's momentum
    warm_up: float = 0.0  # share of a phase's steps in which the learning rate rises to its full value
    clip: float | None = None  # largest norm of the gradient

    def __post_init__(self) -> None:
        if self.optimiser not in _OPTIMISERS:
            raise ValueError(f"optimiser must be one of {', '.join(_OPTIMISERS)}, not {self.optimiser!r}")
        if not 0 <= self.warm_up < 1:
            raise ValueError(f"warm_up is a share of the steps, from 0 to below 1, not {self.warm_up}")
        if self.clip is not None and self.clip <= 0:
            raise ValueError(f"clip is the largest norm of the gradient, above 0, not {self.clip}")

    def optimisers(self, trained: list[nn.Parameter], lr: float, steps: int) -> tuple[Any, Any]:
        """The optimiser of a phase of so many steps, and its learning rate's course: a cosine, after warm-up if any."""
        kind, more = _OPTIMISERS[self.optimiser]
        optimiser = kind(trained, lr=lr, weight_decay=self.weight_decay, fused=True, **more)
        rising = round(self.warm_up * steps)
        decay = CosineAnnealingLR(optimiser, steps - rising)
        if not rising:
            return optimiser, decay
        rise = LinearLR(optimiser, 1 / (rising + 1), total_iters=rising)
        return optimiser, SequentialLR(optimiser, [rise, decay], [rising])

    def step_sizes(self, real_share: float) -> tuple[int, int]:
        """(real, generated) samples a step for a method's share of real samples."""
        if self.match == "samples" or real_share == 0:
            total = 2 * self.batch if self.match == "samples" else self.batch
            real = round(total * real_share)
            return real, total - real
        return self.batch, round(self.batch * (1 - real_share) / real_share)


def index_batches(count: int, size: int, rng: torch.Generator) -> Iterator[Tensor]:
    """Endless batches of indices: one shuffled pass over the samples after another, also across a batch's border."""
    queue = torch.empty(0, dtype=torch.long)
    while True:
        while len(queue) < size:
            queue = torch.cat([queue, torch.randperm(count, generator=rng)])
        yield queue[:size]
        queue = queue[size:]


def _batches(
    data: TrainingData, schedule: Schedule, real: int, generated: int, rng: torch.Generator, done: int
) -> Iterator[Batch]:
    """A batch a step after those that are done. Inputs that must be read are read ahead, for the next are known."""
    indices = islice(index_batches(len(data), 2 * schedule.batch, rng), done, schedule.steps)
    drawn = (chosen[:real] for chosen in indices)
    inputs: Any = data.inputs
    ahead = ((chosen, None) for chosen in drawn) if isinstance(inputs, Tensor) else inputs.ahead(drawn)
    for step, (chosen, read) in enumerate(ahead, done):
        batch = Batch(data, chosen.to(data.labels.device), generated, step / schedule.steps)
        if read is not None:
            batch.inputs = read if data.view is None else data.view.of_step(read, batch.progress)
        yield batch


def _phases(steps: int, restarts: tuple[float, ...]) -> dict[int, int]:
    """Length in steps of each phase by the number of steps before it; a phase begins where its share is reached."""
    first = [0, *sorted({next((i for i in range(steps) if i / steps >= share), steps) for share in restarts}), steps]
    return {begin: end - begin for begin, end in pairwise(first) if end > begin}


def _finite(loss: float, step: int) -> float:
    if not math.isfinite(loss):
        raise Diverged(f"the loss is {loss} at step {step}")
    return loss


def train(
    student: nn.Module,
    method: Method,
    data: TrainingData,
    schedule: Schedule,
    rng: torch.Generator,
    costs: Costs,
    evaluate: Callable[[int], None],
    watch: Callable[[int, float], None] = lambda step, loss: None,
    keeper: Keeper | None = None,
) -> None:
    """Train `student` in place; optimiser and schedule begin anew with each phase of a method that restarts them.

    Args:
        rng: draws the real samples of each step. Under `match="samples"` every method draws the same 2 * batch indices
            and takes the first of them, so paired runs see the same real samples.
        evaluate: called with the step at each checkpoint, student in eval mode. watch: step and loss, now and then.
        keeper: saves the state of the run between steps, and has that of an earlier part of it.

    Raises:
        Diverged: the loss became infinite or not a number.
    """
    real, num_generated = schedule.step_sizes(method.real_share)
    trained = [*student.parameters(), *method.parameters(student)]
    lengths = _phases(schedule.steps, method.restarts)
    checkpoints = {schedule.steps * (i + 1) // CHECKPOINTS for i in range(CHECKPOINTS)}
    optimiser, decay = schedule.optimisers(trained, method.config.lr, lengths.pop(0))
    student.train()
    parts = {"student": student, "method": method, "optimiser": optimiser, "decay": decay}
    some = partial(Batch, data, torch.arange(real, device=data.labels.device) % len(data), num_generated)
    done = keeper.begin(data, parts, lambda done: method.loss(student, some(done / schedule.steps))) if keeper else 0
    batches = _batches(data, schedule, real, num_generated, rng, done)
    for step in range(done + 1, schedule.steps + 1):
        if step - 1 in lengths:
            optimiser, decay = schedule.optimisers(trained, method.config.lr, lengths[step - 1])
            parts.update(optimiser=optimiser, decay=decay)
        with costs.phase("data"):
            batch = next(batches)
        with costs.phase("forward"):
            loss = torch.stack(list(method.loss(student, batch).values())).sum()
        with costs.phase("backward"):
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            joined.average(trained)
            if schedule.clip is not None:
                nn.utils.clip_grad_norm_(trained, schedule.clip)
        with costs.phase("optimiser"):
            optimiser.step()
            decay.step()
        costs.add("student_samples", real + num_generated)
        if step % LOOK_EVERY == 0 or step == schedule.steps:
            watch(step, _finite(loss.item(), step))
        if step in checkpoints:
            student.eval()
            with costs.phase("evaluate"), torch.no_grad():
                evaluate(step)
            student.train()
        if keeper:
            keeper.after(step)
    student.eval()
