"""A look at a finished run: what the student agrees on with its labeler, and what its method made."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.core.fingerprint import seed_of
from benchmarks.data.checks import contents
from benchmarks.metrics.classification import FEW
from benchmarks.runs import loop
from benchmarks.runs.run import Run
from benchmarks.teachers.answer_cache import LentData
from tgt import TGT, Batch, Pool, TrainingData, isotropic, kl

SAMPLES, EXPLORED = 256, 32
_BYTES = 2**25  # that the samples of one kind take at most


def _few(data: TrainingData) -> int:
    """How many samples are looked at: fewer of large ones."""
    return min(SAMPLES, max(_BYTES // (4 * data.inputs.shape[1:].numel()), 1))


@torch.no_grad()
def diagnose(run: Run, student: nn.Module, method: Any, data: TrainingData) -> dict[str, float]:
    """The numbers of `analysis.diagnostics.MEANING` that a finished run has. Its costs must have been read before.

    What a method makes is seen by letting it take further steps that nobody learns from, on a copy of the student; of
    one with a pool, in its pool.
    """
    rng = run.device.generator(seed_of("diagnose", run.spec.task, run.spec.budget, run.spec.seed) % 2**63)
    real = torch.randperm(len(data), generator=rng, device=rng.device)[: _few(data)]
    asked = {"held_out": _held_out(run, data), "real": (data.inputs[real], _known(data, real))}
    if (made := made_samples(method, student, data, run.schedule)) is not None:
        asked["made"] = made
    found: dict[str, float] = {}
    answers = {}
    for name, (inputs, theirs) in asked.items():
        ours = student(inputs)
        answers[name] = ours, theirs
        found[f"{name}_agreement"] = (ours.argmax(1) == theirs.argmax(1)).float().mean().item()
        found[f"{name}_kl"] = kl(ours, theirs).mean().item()
    found["predicted_classes"], found["labelled_classes"] = map(_effective, answers["held_out"])
    found["real_classes"] = _effective(answers["real"][1])
    if made is not None:
        inputs, logits = made
        label = logits.softmax(1)
        found["made_entropy"] = torch.special.entr(label).sum(1).mean().item()
        found["made_classes"] = _effective(logits)
        rows = contents(inputs.cpu().numpy())
        known = {row for part in data.inputs.split(SAMPLES) for row in contents(part.cpu().numpy())}
        found["made_duplicates"] = 1 - len(set(rows)) / len(rows)
        found["made_copies"] = sum(row in known for row in rows) / len(rows)
        rare = data.class_counts < FEW
        if run.task.domain != "retrieval" and rare.any() and not rare.all():
            found["made_few_shot"] = rare[label.argmax(1)].float().mean().item()
            found["real_few_shot"] = rare[data.labels].float().mean().item()
    if isinstance(method, TGT) and all(cls in (TGT, Pool) for cls in type(method).__mro__ if "generate" in vars(cls)):
        found |= _explored(method, student, data, rng)
    return {name: value for name, value in found.items() if math.isfinite(value)}


#: Held-out inputs and the labeler's logits of them, of the task that this process was last at work on.
_HELD_OUT: dict[tuple[str, ...], tuple[Tensor, Tensor]] = {}


def _held_out(run: Run, data: TrainingData) -> tuple[Tensor, Tensor]:
    """Test inputs that are the same for all runs of a task, and the labeler's logits; asked for once a process."""
    key = run.spec.task, run.spec.size, run.teachers["labeler"]["sha256"], run.spec.place
    if key not in _HELD_OUT:
        _HELD_OUT.clear()
        inputs = run.task.examples().test_inputs
        rng = np.random.default_rng(seed_of("diagnose", run.spec.task))
        shown = run.device.tensor(run.task.tensor(inputs[rng.permutation(len(inputs))[: _few(data)]]))[:]
        _HELD_OUT[key] = shown, data.teacher.labeler(shown)
    return _HELD_OUT[key]


def _known(data: TrainingData, chosen: Tensor) -> Tensor:
    """The labeler's logits of training samples: as the run has them, or of these alone."""
    has_them = "labeler_logits" in vars(data) or isinstance(data, LentData)
    return data.labeler_logits[chosen] if has_them else data.teacher.labeler(data.inputs[chosen])


def made_samples(
    method: Any, student: nn.Module, data: TrainingData, schedule: loop.Schedule
) -> tuple[Tensor, Tensor] | None:
    """A few of what a method shows beside its batch's real samples, and the labeler's logits of them.

    None where it shows nothing else.
    """
    if isinstance(method, Pool):
        chosen = torch.randperm(len(method.inputs), generator=torch.Generator().manual_seed(0))[: _few(data)]
        return method.inputs[chosen], method.targets[chosen]
    probe = copy.deepcopy(student).train()
    shown: list[Tensor] = []

    def look(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if module.training:  # ascent looks at the student in eval mode: what it tries on the way is not shown
            shown.append(inputs[0].detach())

    probe.register_forward_pre_hook(look)
    real, num_generated = schedule.step_sizes(method.real_share)
    batches = loop.index_batches(len(data), max(real, 1), torch.Generator().manual_seed(0))
    made: list[Tensor] = []
    for _ in range(math.ceil(_few(data) / max(num_generated, real))):
        shown.clear()
        batch = Batch(data, next(batches)[:real].to(data.labels.device), num_generated)
        with torch.enable_grad():
            method.loss(probe, batch)
        made += [_beside(inputs, batch.inputs) for inputs in shown if inputs.shape[1:] == data.inputs.shape[1:]]
    found = torch.cat(made)[: _few(data)] if made else data.inputs[:0]
    return (found, data.teacher.labeler(found)) if len(found) else None


def _beside(shown: Tensor, real: Tensor) -> Tensor:
    """What follows the batch's own samples in one of the student's inputs; all of it where they were changed."""
    return shown[len(real) :] if shown[: len(real)].equal(real) else shown


def _explored(method: TGT, student: nn.Module, data: TrainingData, rng: torch.Generator) -> dict[str, float]:
    """How far exploration goes from its starting points, in the latent, in the input and in disagreement."""
    c, teacher = method.config, method.teacher
    batch = Batch(data, torch.randint(len(data), (EXPLORED,), generator=rng, device=rng.device), EXPLORED)
    start = method.starting_points(batch)
    noise = isotropic(start, c.sigma, rng) if c.start != "prior" else start
    with torch.enable_grad():
        end = method.ascent(student, noise, start) if c.explore == "gradient" else noise
    decoded = [teacher.decode(latents) for latents in (start, noise, end)]
    theirs = [teacher.labeler(inputs) for inputs in decoded]
    rise = [kl(student(inputs), label).mean().item() for inputs, label in zip(decoded, theirs, strict=True)]
    before, _, after = decoded
    moved = (after - before).square().mean().sqrt() if before.is_floating_point() else (after != before).float().mean()
    return {
        "latent_distance": (end - start).flatten(1).norm(dim=1).mean().item(),
        "input_distance": moved.item(),
        "class_kept": (theirs[0].argmax(1) == theirs[2].argmax(1)).float().mean().item(),
        **dict(zip(("disagreement_start", "disagreement_noise", "disagreement_end"), rise, strict=True)),
    }


def _effective(logits: Tensor) -> float:
    """Effective number of classes among the highest logits of samples (N, L): exp of the entropy of their shares."""
    return torch.special.entr(logits.argmax(1).bincount() / len(logits)).sum().exp().item()
