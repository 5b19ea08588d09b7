"""What a full teacher says of the whole training pool, computed once and kept beside its weights.

Worth it where the labeler is expensive: a run then pays for its generated samples alone. The answers count as asked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.core import kept
from benchmarks.data.reading import Rows, concatenated
from benchmarks.task import Task
from benchmarks.teachers import store
from benchmarks.teachers.recipe import Recipe
from tgt import TrainingData, freeze
from tgt.method import CHUNK

_CHUNK = 512
KEPT = 2**28  # bytes at most of the logits, features or latents of a run's samples that memory keeps


def pool_answers(task: Task, part: str, recipe: Recipe) -> np.ndarray:
    """Logits (N, L) of the labeler or latents (N, ...) of the generator for the pool, memory-mapped from their file.

    A labeler that scores by vectors (it has `embed` and `score`) has these kept: scores of all passages would be large.
    """

    def make() -> np.ndarray:
        module = freeze(store.load(task, recipe)[part])
        ask = getattr(module, "embed", module) if part == "labeler" else module.encode
        with torch.no_grad():
            chunks = task.tensor(task.examples().pool_inputs).split(_CHUNK)
            return torch.cat([ask(chunk) for chunk in chunks]).numpy()  # type: ignore[operator]

    return np.load(kept.array(_path(recipe), make), mmap_mode="r")


def _path(recipe: Recipe) -> Path:
    """Named by the weights, not by the recipe: other weights, other answers."""
    return recipe.cached.with_name(f"{recipe.path.stem}-answers-{store.metadata(recipe.path)['sha256'][:16]}.npy")


class RunData(TrainingData):
    """Training samples of a run, and of a retrieval task the passages (L, T) that are searched; None of any other.

    What the teacher says of all samples, if it would take more than `KEPT`, is asked for anew at each reading, and
    each time counted.
    """

    def __init__(self, *args: Any, passages: Tensor | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self.passages = passages

    def _said(self, ask: Callable[[Tensor], Tensor]) -> Any:
        chunks = iter(self.inputs.split(CHUNK))
        first = ask(next(chunks))
        if first.nbytes * len(self) > KEPT * len(first):
            return Rows((len(self), *first.shape[1:]), lambda numbers: ask(self.inputs[numbers]), first)
        return concatenated(chain([first], map(ask, chunks)), len(self))


class LentData(RunData):
    """Training samples whose logits and latents come from files and are counted as if they were computed now."""

    def __init__(self, *args: Any, task: Task, recipes: dict[str, Recipe], indices: np.ndarray, **more: Any) -> None:
        super().__init__(*args, **more)
        self._task, self._recipes, self._indices = task, recipes, indices

    def _answers(self, part: str, counter: str) -> Tensor:
        self.teacher.costs.add(counter, len(self))
        found = pool_answers(self._task, part, self._recipes[part])[self._indices]
        return torch.from_numpy(found).to(self.labels.device)

    @cached_property
    def labeler_logits(self) -> Tensor:
        found = self._answers("labeler", "labeler_queries")
        return self.teacher.labeler.score(found) if hasattr(self.teacher.labeler, "score") else found  # type: ignore[operator]

    @cached_property
    def latents(self) -> Tensor:
        return self._answers("generator", "encodes")
