"""Figure 1: what exploration shows the student. Originals, reconstructions, and neighbours at several distances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from benchmarks.records.record import Spec
from benchmarks.registry import tasks
from benchmarks.registry.experiments import BASELINE
from benchmarks.report import overviews, reproduction, style
from benchmarks.report.artefact import write_text
from benchmarks.report.grid import to_csv
from benchmarks.runs import execute, loop
from benchmarks.runs.run import Run
from benchmarks.runs.scheduler import one_thread
from tgt import Costs, ascend, kl

STEPS = 4  # ascent steps that share a distance
SHOWN = {"image": 6, "text": 10, "retrieval": 10}
MEASURED = {"smoke": 10, "small": 64}  # samples that the mean disagreement is of, the shown ones among them
STUDENT_SHARE = 2  # the student has had half of its updates: good already, and still at odds with the labeler


def run_of(task: str, size: str) -> Run:
    """The run whose student, half-trained by distillation, the picture looks at."""
    budget = tasks.get(task).sizes[size].budget
    return Run(Spec(task=task, size=size, teacher="full", budget=budget, seed=0, method=BASELINE))


def measured(run: Run) -> pd.DataFrame:
    """One row a way to make a neighbour, at an L2 distance in the latent, and a sample; the shown ones come first.

    Disagreement is measured on decoded inputs: of texts on their words, not on soft ones.
    """
    one_thread()
    data, student = _half_trained(run)
    rng = execute.generator("figure", run)
    index = _chosen(data, SHOWN[run.task.domain], rng)[: MEASURED[run.spec.size]]
    start, teacher, names = data.latents[index], data.teacher, run.task.examples().class_names
    own = teacher.label(data.inputs[index]).argmax(1)

    def disagreement(latents: Any) -> Any:
        decoded = teacher.decode(latents)
        return kl(student(decoded), teacher.label(decoded))

    def column(kind: str, distance: float, inputs: Any) -> pd.DataFrame:
        with torch.no_grad():
            labels, guesses = teacher.label(inputs), student(inputs)
        found = {
            "sample": range(len(index)),
            "label": [names[i] for i in data.labels[index]],
            "kind": kind,
            "distance": distance,
            "labeler": [names[i] for i in labels.argmax(1)],
            "student": [names[i] for i in guesses.argmax(1)],
            "kl": kl(guesses, labels).tolist(),
            "labeler_kept": (labels.argmax(1) == own).numpy(),
            "inputs": list(inputs),
        }
        texts = [run.task.readable(one.numpy()) for one in inputs]
        return pd.DataFrame(found if None in texts else found | {"text": texts})

    found = [column("original", 0, data.inputs[index]), column("reconstruction", 0, teacher.decode(start))]
    noise = torch.randn(start.shape, generator=rng)
    direction = noise / noise.flatten(1).norm(dim=1).view(-1, *[1] * (noise.dim() - 1))
    for distance in run.task.distances:
        found.append(column("random", distance, teacher.decode(start + distance * direction)))
    for distance in run.task.distances:
        # Ascent has no slope to follow where student and labeler agree exactly; a tenth of the way is noise.
        begun = start + 0.1 * distance * direction
        moved = ascend(begun, disagreement, STEPS, distance / STEPS, centre=start, radius=distance)
        found.append(column("gradient", distance, teacher.decode(moved)))
    return pd.concat(found, ignore_index=True)


def _half_trained(run: Run) -> tuple[Any, torch.nn.Module]:
    """The run's data, and its student as it is in the middle of its training."""
    costs = Costs()
    data, student = execute.teacher_and_data(run, costs), execute.new_student(run)
    method = run.row.load()(run.config, data, execute.generator("method", run))
    schedule = replace(run.schedule, steps=max(run.task.size.steps // STUDENT_SHARE, 1))
    with execute.private_randomness(run):
        loop.train(student, method, data, schedule, execute.order_of(run), costs, lambda step: None)
    return data, student


def _chosen(data: Any, count: int, rng: torch.Generator) -> torch.Tensor:
    """All samples by number, first `count` to be shown: one of each class in turn, so that rare ones are among them."""
    order = torch.randperm(len(data), generator=rng)
    present = [c for c in range(data.num_classes) if data.class_counts[c]]
    of_class = [order[data.labels[order] == c] for c in present]
    first, second = ([found[k] for found in of_class if len(found) > k] for k in (0, 1))
    chosen = torch.stack(first)[torch.randperm(len(first), generator=rng)]
    shown = torch.cat([chosen, torch.stack([*second, *first])])[:count]
    return torch.cat([shown, order[~torch.isin(order, shown)]])


def draw(run: Run, path: Path) -> list[Path]:
    """Write the picture (PNG, PDF), what it says as CSV (of texts also as Markdown), and the mean disagreement."""
    found = measured(run)
    means = found.groupby(["kind", "distance"], sort=False).agg(
        samples=("kl", "size"), kl=("kl", "mean"), kl_error=("kl", "sem"), labeler_kept=("labeler_kept", "mean")
    )
    table = found[found["sample"] < SHOWN[run.task.domain]].drop(columns="labeler_kept")
    written = style.save(_PICTURES[run.task.domain](table), path, (".png", ".pdf"), size=run.spec.size)
    written += [
        write_text(path.with_suffix(".csv"), to_csv(table.drop(columns="inputs"))),
        write_text(path.with_name(f"{path.name}-disagreement.csv"), to_csv(means.reset_index())),
    ]
    if "text" in table:
        text = reproduction.decoded_text(run.task, [*overviews.decoded(table)])
        written.append(write_text(path.with_suffix(".md"), text))
    return written


_RED = "#c00000"
_NAME = 28  # letters of a class that a picture of texts shows
_CAPTION = "{} by labeler (L) and by student (S), disagreement KL(L || S); red: they differ"


def _images(table: pd.DataFrame) -> Figure:
    ways = table.groupby(["kind", "distance"], sort=False)
    count = table["sample"].nunique()
    figure = Figure(figsize=(1.35 * len(ways), 1.75 * count))
    axes = figure.subplots(count, len(ways))
    for j, ((kind, distance), rows) in enumerate(ways):
        for axis, row in zip(axes[:, j], rows.to_dict("records"), strict=True):
            image = row["inputs"].permute(1, 2, 0).numpy().clip(0, 1)
            axis.imshow(np.repeat(image, 3, 2) if image.shape[2] == 1 else image)
            axis.set(xticks=[], yticks=[])
            agree = row["labeler"] == row["student"]
            said = f"L {row['labeler']}\nS {row['student']}\nKL {row['kl']:.2f}"
            axis.set_xlabel(said, fontsize=6.5, color="black" if agree else _RED)
            for spine in axis.spines.values():
                spine.set(color="#888888" if agree else _RED, linewidth=0.8 if agree else 1.8)
            if j == 0:
                axis.set_ylabel(row["label"], fontsize=8)
        title = kind if not distance else f"{kind}\ndistance {distance:g}"
        axes[0, j].set_title(title, fontsize=8)
    figure.suptitle(f"Decoded neighbours of training samples: {_CAPTION.format('class')}", fontsize=9, y=0.99)
    figure.subplots_adjust(wspace=0.12, hspace=0.55, top=0.93)
    return figure


def _texts(table: pd.DataFrame, what: str = "class") -> Figure:
    shown = table[table["sample"] < 4].groupby("sample")
    lines = sum(len(rows) + 2 for _, rows in shown)
    figure = Figure(figsize=(15, 0.2 * lines + 0.4))
    figure.text(0, 1, f"Decoded neighbours of training texts: {_CAPTION.format(what)}", fontsize=9, va="bottom")
    # The classes' columns are as wide as the longest name that stands in them.
    longest = min(max(table["labeler"].str.len().max(), table["student"].str.len().max()), _NAME)
    width = max(0.09, 0.0063 * longest)
    second, third = 0.94 - width, 0.94 - 2 * width
    words_shown = round(130 * (third - 0.1) / 0.66)
    line = 1
    for _, rows in shown:
        figure.text(0, 1 - line / lines, rows["label"].iloc[0], fontsize=8, weight="bold", va="top")
        for row in rows.to_dict("records"):
            line += 1
            text = _cut(row["text"], words_shown)
            colour = "black" if row["labeler"] == row["student"] else _RED
            classes = {third: f"L {_cut(row['labeler'], _NAME)}", second: f"S {_cut(row['student'], _NAME)}"}
            told = {0.01: overviews.way(row), 0.1: text, **classes, 0.94: f"KL {row['kl']:.2f}"}
            for x, words in told.items():
                figure.text(x, 1 - line / lines, words, fontsize=7.5, color=colour, va="top")
        line += 2
    return figure


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 3] + "..."


_PICTURES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "image": _images,
    "text": _texts,
    "retrieval": partial(_texts, what="first passage"),
}
