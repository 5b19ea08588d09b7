"""Figure 1: what exploration shows the student. Originals, reconstructions, and neighbours at several distances."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import loop, runs, tables, tasks
from benchmarks.engine import one_thread
from benchmarks.paths import atomic
from benchmarks.records import Spec
from benchmarks.runs import Run

DISTANCES = (1.0, 2.0, 4.0, 8.0)  # L2 in the latent; isotropic noise of sigma s in 64 dimensions goes about 8 s
STEPS = 4  # ascent steps that share a distance
SHOWN = 6
STUDENT_SHARE = 2  # the student has had half of its updates: good already, and still at odds with the labeler


@dataclass(frozen=True)
class Column:
    """One way to make a neighbour, for all shown samples."""

    kind: str
    distance: float
    images: Any
    labeler: Any
    student: Any
    disagreement: Any


def run_of(task: str, size: str) -> Run:
    """The run whose student, half-trained by distillation, the picture looks at."""
    budget = tasks.get(task).sizes[size].budget
    return Run(Spec(task=task, size=size, teacher="full", budget=budget, seed=0, method="distillation"))


def columns(run: Run) -> tuple[Any, list[Column], tuple[str, ...]]:
    """Labels of the shown samples, the columns of the picture, class names."""
    import torch

    from benchmarks.methods import METHODS
    from tgt import Costs, ascend, kl

    one_thread()
    costs = Costs()
    data, student = runs.teacher_and_data(run, costs), runs.new_student(run)
    size = run.task.sizes[run.spec.size]
    method = METHODS[run.spec.method].load()(run.config, data, runs.generator("method", run.spec))
    schedule = loop.Schedule(max(size.steps // STUDENT_SHARE, 1), size.batch)
    loop.train(student, method, data, schedule, runs.generator("batches", run.spec), costs, lambda step: None)

    rng = runs.generator("figure", run.spec)
    # One sample of each of the first classes in a random order: rare classes have their turn.
    order = torch.randperm(len(data), generator=rng)
    present = [c for c in range(data.num_classes) if data.class_counts[c]]
    chosen = [int(order[(data.labels[order] == c).nonzero()[0]]) for c in present]
    index = torch.tensor(chosen)[torch.randperm(len(chosen), generator=rng)[:SHOWN]]
    start, teacher = data.latents[index], data.teacher

    def disagreement(latents: Any) -> Any:
        decoded = teacher.decode(latents)
        return kl(student(decoded), teacher.label(decoded))

    def column(kind: str, distance: float, images: Any) -> Column:
        with torch.no_grad():
            labels, guesses = teacher.label(images), student(images)
            return Column(kind, distance, images, labels.argmax(1), guesses.argmax(1), kl(guesses, labels))

    found = [column("original", 0, data.inputs[index]), column("reconstruction", 0, teacher.decode(start))]
    noise = torch.randn(start.shape, generator=rng)
    direction = noise / noise.norm(dim=1, keepdim=True)
    for distance in DISTANCES:
        found.append(column("random", distance, teacher.decode(start + distance * direction)))
    for distance in DISTANCES:
        # Ascent has no slope to follow where student and labeler agree exactly; a tenth of the way is noise.
        begun = start + 0.1 * distance * direction
        moved = ascend(begun, disagreement, STEPS, distance / STEPS, centre=start, radius=distance)
        found.append(column("gradient", distance, teacher.decode(moved)))
    return data.labels[index], found, run.task.examples().class_names


def draw(run: Run, path: Path) -> list[Path]:
    """Write the picture (PNG, PDF) and what it says as CSV."""
    from benchmarks.figures import plt, save

    labels, found, names = columns(run)
    figure, axes = plt.subplots(len(labels), len(found), figsize=(1.35 * len(found), 1.75 * len(labels)))
    rows = []
    for j, column in enumerate(found):
        for i, axis in enumerate(axes[:, j]):
            image = column.images[i].permute(1, 2, 0).numpy().clip(0, 1)
            axis.imshow(np.repeat(image, 3, 2) if image.shape[2] == 1 else image)
            axis.set(xticks=[], yticks=[])
            labeler, student = names[int(column.labeler[i])], names[int(column.student[i])]
            kl = float(column.disagreement[i])
            agree = labeler == student
            axis.set_xlabel(
                f"L {labeler}\nS {student}\nKL {kl:.2f}",
                fontsize=6.5,
                color="black" if agree else "#c00000",
            )
            for spine in axis.spines.values():
                spine.set(color="#888888" if agree else "#c00000", linewidth=0.8 if agree else 1.8)
            rows.append((i, names[int(labels[i])], column.kind, column.distance, labeler, student, kl))
        title = column.kind if not column.distance else f"{column.kind}\ndistance {column.distance:g}"
        axes[0, j].set_title(title, fontsize=8)
    for i, axis in enumerate(axes[:, 0]):
        axis.set_ylabel(names[int(labels[i])], fontsize=8)
    figure.suptitle(
        "Decoded neighbours of training samples: class by labeler (L) and by student (S), disagreement KL(L || S); "
        "red: they differ",
        fontsize=9,
        y=0.99,
    )
    figure.subplots_adjust(wspace=0.12, hspace=0.55, top=0.93)
    heads = ["sample", "label", "kind", "distance", "labeler", "student", "kl"]
    with atomic(path.with_suffix(".csv")) as temporary:
        temporary.write_text(tables.to_csv(pd.DataFrame(rows, columns=heads)))
    return [*save(figure, path), path.with_suffix(".csv")]
