"""How retrieval teachers are made: a published encoder as it is, and a query generator trained on its vectors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor

from benchmarks.data.questions import bm25
from benchmarks.data.splits import Split
from benchmarks.metrics.overlap import token_f1
from benchmarks.metrics.ranking import DEEPEST, first_ranks, measure
from benchmarks.networks.query_generator import QueryGenerator
from benchmarks.networks.retrieval import DenseLabeler
from benchmarks.networks.text import present
from benchmarks.task import RetrievalExamples, Task
from benchmarks.teachers import training
from benchmarks.teachers.recipe import Recipe, training_indices
from benchmarks.teachers.training import descend, generator_of

_BATCH = 64
_CHUNK = 512
_SPAN = 16  # words of the spans that the generator reads beside the queries


def judge_labeler(
    module: DenseLabeler, task: Task, examples: RetrievalExamples, recipe: Recipe, split: Split
) -> dict[str, Any]:
    """Nothing is trained. Measured: the encoder on validation and test queries, two searches by words on the test."""
    none = np.zeros(examples.classes)
    found = training.judge_labeler(module.eval(), task, examples, none)
    for name, (inputs, relevant) in examples.other_tests.items():
        scores = task.judge(training.logits_of(module, task, inputs), relevant, examples, none)
        found["test"] |= {f"{name}_{metric}": value for metric, value in scores.items()}
    passages, queries = list(examples.passage_texts), list(examples.test_texts)
    for name, ranked in (("bm25", bm25(passages, queries, DEEPEST)), ("tf-idf", _tf_idf(passages, queries))):
        found[name] = measure(ranked, examples.test_labels)
    return found


def _tf_idf(passages: list[str], queries: list[str]) -> np.ndarray:
    vectors = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    searched = vectors.fit_transform(passages)
    return first_ranks(torch.from_numpy((vectors.transform(queries) @ searched.T).toarray()))


def fit_generator(
    module: QueryGenerator, task: Task, examples: RetrievalExamples, recipe: Recipe, split: Split
) -> dict[str, Any]:
    """Writes queries from noisy vectors: each from its own or from its passage's, and beside them spans of passages.

    Each step shows equally many queries with a passage, spans, and where there are any queries without a passage.
    Reported: `_judge_generator` on validation queries, from their own vectors and (`from_passage`) from their
    passages'.
    """
    indices = training_indices(examples, recipe.kind, split)
    queries = task.tensor(examples.pool_inputs[indices])
    rng = generator_of("generator", recipe)
    assert examples.passages is not None
    groups = [queries, _spans(task.tensor(examples.passages), queries.shape[1], rng)]
    if recipe.kind == "full" and examples.extra_unlabelled is not None:
        groups.append(task.tensor(examples.extra_unlabelled))
    share, ends = _BATCH // len(groups), np.cumsum([len(group) for group in groups])
    chosen = [
        torch.randint(end - len(group), end, (recipe.steps, share), generator=rng)
        for group, end in zip(groups, ends, strict=True)
    ]
    drawn, places = torch.cat(chosen, dim=1).unique(return_inverse=True)  # others need not pass through the encoder
    texts = torch.cat(groups)[drawn]
    is_query, is_span = drawn < ends[0], ((drawn >= ends[0]) & (drawn < ends[1])).long()
    module.eval()
    with torch.no_grad():
        vectors = torch.cat([module.encode(chunk) for chunk in texts.split(_CHUNK)])
    passages = module.passages * vectors.shape[1] ** 0.5
    none = torch.full((int(ends[-1] - ends[1]),), -1)
    own = torch.cat([torch.from_numpy(examples.pool_labels[indices]), torch.arange(len(passages)), none])[drawn]

    def loss(index: Tensor) -> Tensor:
        by_passage = (torch.rand(len(index), 1, generator=rng) < 0.5) & is_query[index, None]
        latents = torch.where(by_passage, passages[own[index]], vectors[index])
        return module.loss(latents, texts[index], is_span[index], own[index], rng)

    descend(module, recipe, places, loss, clip=1.0, frozen=module.encoder)
    few = examples.validation[:500]
    held_out, labels = task.tensor(examples.pool_inputs[few]), torch.from_numpy(examples.pool_labels[few])
    with torch.no_grad():
        found = _judge_generator(module, module.encode(held_out), held_out, labels, task.sigmas, rng)
        return found | {"from_passage": _judge_generator(module, passages[labels], held_out, labels, task.sigmas, rng)}


def _judge_generator(
    module: QueryGenerator, latents: Tensor, wanted: Tensor, own: Tensor, sigmas: Iterable[float], rng: torch.Generator
) -> dict[str, dict[str, float]]:
    """Of queries decoded from noisy latents (B, 384), means by noise scale.

    `restored_words`: share of the wanted query's words (B, T) that stand in their places. `token_f1`: overlap of the
    words of both in any order. `finds_own`: share that has its own passage (B,) among the labeler's first 20.
    """
    found: dict[str, dict[str, float]] = {"restored_words": {}, "token_f1": {}, "finds_own": {}}
    for sigma in sigmas:
        noisy = latents + sigma * torch.randn(latents.shape, generator=rng)
        made = torch.cat([module.decode(chunk) for chunk in noisy.split(_BATCH)])
        ranked = first_ranks(module.encode(made) @ module.passages.T, 20)
        for name, value in (
            ("restored_words", (made == wanted)[present(wanted)].float().mean().item()),
            ("token_f1", token_f1(made.numpy(), wanted.numpy())),
            ("finds_own", float((ranked == own.numpy()[:, None]).any(1).mean())),
        ):
            found[name][f"{sigma:g}"] = value
    return found


def _spans(passages: Tensor, length: int, rng: torch.Generator) -> Tensor:
    """One span (L, length) of up to `_SPAN` words from a random place of each passage (L, T)."""
    words = present(passages).sum(1)
    first = (torch.rand(len(passages), generator=rng) * (words - _SPAN).clamp_min(1)).long()
    places = torch.arange(length)
    taken = passages.gather(1, (first[:, None] + places).clamp_max(passages.shape[1] - 1))
    return torch.where(places < _SPAN, taken, 0)
