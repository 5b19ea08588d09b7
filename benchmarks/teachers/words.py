"""Teachers by a word: pretrained models of timm and transformers beside or in place of those trained here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.data.splits import Split
from benchmarks.data.wordpieces import all_pieces
from benchmarks.task import Examples, Task
from benchmarks.teachers.recipe import Recipe, training_indices
from benchmarks.teachers.training import batches, descend, generator_of, judge_labeler
from tgt.features import features, head

_TIMM = "timm/"
_CHUNK = 64


def parts(words: Sequence[str]) -> set[str]:
    """Which parts of the teacher one word (a labeler) or two (generator, labeler) name."""
    return {"labeler"} if len(words) == 1 else {"generator", "labeler"}


def facts(
    words: Sequence[str], trained: Callable[..., Any], fits: Callable[..., Any], names: dict[str, str]
) -> dict[str, Any]:
    """`teacher`, `fits` and `teachers` of a task's class whose teacher is words.

    Args:
        trained, fits, names: the class's own, which give what no word names.
    """

    def teacher(self: Task, classes: int) -> tuple[nn.Module, nn.Module]:
        labeler = labeler_of(words[-1], self, classes)
        return (trained(self, classes)[0] if len(words) == 1 else generator_of_word(words[0], self)), labeler

    def own_fits(self: Task) -> dict[str, Any]:
        kept = {"generator": fits(self)["generator"]} if len(words) == 1 else {}
        return kept | ({"labeler": fit_head} if words[-1].startswith(_TIMM) else {})

    networks = {part: kept for part, kept in names.items() if part not in parts(words)}
    return {"teacher": teacher, "fits": own_fits, "teachers": networks}


def labeler_of(word: str, task: Task, classes: int) -> nn.Module:
    """A classifier for a task's inputs. Raises ValueError for what cannot be had or does not fit."""
    from benchmarks.networks.pretrained_text import Classifier
    from tgt import hub

    with _had(word, task):
        if word.startswith(_TIMM):
            return hub.timm_labeler(word.removeprefix(_TIMM), num_classes=classes).requires_grad_(False)
        place = _place(word, task)
        return Classifier(place, _words(task)) if task.domain == "text" else hub.transformers_labeler(place)


def generator_of_word(word: str, task: Task) -> nn.Module:
    """An autoencoder of diffusers for images, a masked language model for texts. Raises ValueError, as `labeler_of`."""
    from benchmarks.networks.pretrained_text import MaskedLanguageModel
    from tgt import hub

    with _had(word, task):
        place = _place(word, task)
        if task.domain == "text":
            return MaskedLanguageModel(place, _words(task))
        return hub.diffusers_generator(place, task.examples().pool_inputs.shape[-1])


@contextmanager
def _had(word: str, task: Task) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, ImportError) as error:
        raise ValueError(f"{task.name}: teacher {word!r} cannot be had: {str(error).splitlines()[0]}") from error


def _place(word: str, task: Task) -> str:
    """A folder beside the task's file if there is one of this name, else the word."""
    file = getattr(sys.modules.get(type(task).__module__), "__file__", None)
    beside = Path(file or "").parent / Path(word).expanduser()
    return str(beside) if beside.is_dir() else word


def _words(task: Task) -> list[str]:
    vocabulary, names = task.examples().vocabulary, list(all_pieces())
    if vocabulary is None:
        raise ValueError(f"{task.name}: its tokens are of no known vocabulary; give texts as strings")
    return [names[piece] for piece in vocabulary]


def fit_head(module: nn.Module, task: Task, examples: Examples, recipe: Recipe, split: Split) -> dict[str, Any]:
    """Train the last layer of a pretrained classifier alone, on features that are computed once."""
    indices = training_indices(examples, recipe.kind, split)
    module.eval()
    with torch.no_grad():
        chunks = task.tensor(examples.pool_inputs[indices]).split(_CHUNK)
        seen = torch.cat([features(module, chunk)[0] for chunk in chunks])
    labels, layer = torch.from_numpy(examples.pool_labels[indices]), head(module).requires_grad_()
    steps = batches(len(seen), recipe.steps, generator_of("labeler", recipe))
    descend(layer, recipe, steps, lambda index: F.cross_entropy(layer(seen[index]), labels[index]))
    return judge_labeler(module, task, examples, np.bincount(labels.numpy(), minlength=examples.classes))
