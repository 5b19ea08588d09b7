"""How good a task's teachers are: the labeler on held-out data, and the generator as the labeler sees it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.core.fingerprint import seed_of
from benchmarks.metrics.classification import FEW
from benchmarks.report.artefact import write_text
from benchmarks.report.grid import to_csv
from benchmarks.runs.execute import teacher_and_data
from benchmarks.runs.run import Run
from benchmarks.runs.scheduler import one_thread

SAMPLES, NEIGHBOURS = 500, 2000
_OF_QUERIES = ("token_f1", "finds_own")


def measure(runs: Iterable[Run]) -> pd.DataFrame:
    """One row a noise scale, of each run's teacher.

    Columns, of validation inputs that neither network was trained on: `agreement`, the share of decoded neighbours
    that the labeler gives the class it gives the original; `entropy` of its label in nats; `classes`, the effective
    number of classes among the labels (exp of the entropy of their mean). Of training samples: `few_shot`, the
    share of decoded neighbours that the labeler puts into a few-shot class (`few_shot_data`: the share of the
    samples themselves). Beside them the labeler's score on the test set, and how well the generator restores: of
    images the variance its reconstruction explains, of texts the share of words restored at the noise scale. Of
    queries also, of those that the generator writes from a validation query's vector or (`from_passage`) its passage's:
    `token_f1` with that query, and `finds_own`, the share that has its passage among the labeler's first 20.
    """
    one_thread()
    return pd.DataFrame([row for run in runs for row in _rows(run)])


def _rows(run: Run) -> Iterator[dict]:
    import torch

    from tgt import Costs, isotropic

    examples, data = run.task.examples(), teacher_and_data(run, Costs())
    teacher, rare = data.teacher, data.class_counts < FEW
    rng = torch.Generator().manual_seed(seed_of("fidelity", run.spec.task) % 2**63)
    chosen = torch.randperm(len(examples.validation), generator=rng)[:SAMPLES].numpy()
    inputs = run.task.tensor(examples.pool_inputs[examples.validation[chosen]])
    own = teacher.label(inputs).argmax(1)
    latents = teacher.encode(inputs)
    generator = run.teachers["generator"]["metrics"]
    for sigma in run.task.sigmas:  # 0: plain reconstruction
        label = teacher.label(teacher.decode(isotropic(latents, sigma, rng))).softmax(1)
        around = data.latents[torch.randint(len(data), (NEIGHBOURS,), generator=rng)]
        drawn = teacher.label(teacher.decode(isotropic(around, sigma, rng))).argmax(1)
        yield {
            "task": run.spec.task,
            "teacher": run.spec.teacher,
            "labeler_score": run.teachers["labeler"]["metrics"]["test"][run.task.metric],
            "explained_variance": generator.get("explained_variance", math.nan),
            "sigma": sigma,
            **{name: at.get(f"{sigma:g}", math.nan) for name, at in of_texts(generator).items()},
            "agreement": (label.argmax(1) == own).float().mean().item(),
            "entropy": torch.special.entr(label).sum(1).mean().item(),
            "classes": torch.special.entr(label.mean(0)).sum().exp().item(),
            "few_shot": rare[drawn].float().mean().item(),
            "few_shot_data": rare[data.labels].float().mean().item(),
        }


def of_texts(metrics: dict[str, Any]) -> dict[str, dict[str, float]]:
    """By column and noise scale, what was measured of a generator of texts once it was trained."""
    from_passage = metrics.get("from_passage", {})
    return {
        "restored_words": metrics.get("restored_words", {}),
        **{name: metrics.get(name, {}) for name in _OF_QUERIES},
        **{f"from_passage_{name}": from_passage.get(name, {}) for name in _OF_QUERIES},
    }


def write(frame: pd.DataFrame, folder: Path) -> Path:
    """teachers.csv; what was measured before of other tasks and kinds of teacher stays in it."""
    path = folder / "teachers.csv"
    if path.exists():
        before = pd.read_csv(path)
        measured = set(zip(frame.task, frame.teacher, strict=True))
        kept = [pair not in measured for pair in zip(before.task, before.teacher, strict=True)]
        frame = pd.concat([before[kept], frame])
    return write_text(path, to_csv(frame))


def lines(frame: pd.DataFrame) -> list[str]:
    """The same in words."""
    out = []
    for (task, teacher), rows in frame.groupby(["task", "teacher"], sort=False):
        score, variance = rows[["labeler_score", "explained_variance"]].mean()
        kept, words = (_by_sigma(rows, name) for name in ("agreement", "restored_words"))
        restores = (
            f"explains {100 * variance:.0f} % of the variance"
            if variance == variance
            else f"restores of the words {words}"
        )
        if rows["token_f1"].notna().any():
            f1, finds = (_by_sigma(rows, f"from_passage_{name}") for name in _OF_QUERIES)
            restores += f"; from a passage it writes queries of token F1 {f1}, that find the passage in {finds}"
        out.append(
            f"{task}, teacher {teacher}: labeler {100 * score:.1f} % on the test set; generator {restores}; "
            f"the labeler keeps its class on {kept}"
        )
    return out


def _by_sigma(rows: pd.DataFrame, name: str) -> str:
    means = rows.groupby("sigma")[name].mean()
    return ", ".join(f"{100 * share:.0f} % (sigma {sigma:g})" for sigma, share in means.items())
