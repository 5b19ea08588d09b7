"""How retrieval teachers are made: a published encoder as it is, and a query generator trained on its vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor

from benchmarks.data.questions import bm25
from benchmarks.data.splits import Split
from benchmarks.metrics.ranking import DEEPEST, first_ranks, measure
from benchmarks.networks.retrieval import DenseLabeler, QueryGenerator
from benchmarks.networks.text import present
from benchmarks.task import RetrievalExamples, Task
from benchmarks.teachers.recipe import Recipe, training_indices
from benchmarks.teachers.training import descend, generator_of, logits_of

_BATCH = 64
_CHUNK = 512
_SPAN = 16  # words of the spans that the generator reads beside the queries


def judge_labeler(
    module: DenseLabeler, task: Task, examples: RetrievalExamples, recipe: Recipe, split: Split
) -> dict[str, Any]:
    """Nothing is trained. Measured: the encoder on validation and test queries, two searches by words on the test."""
    module.eval()
    none = np.zeros(examples.classes)
    found: dict[str, Any] = {}
    for name, inputs, relevant in (
        ("validation", examples.pool_inputs[examples.validation], examples.pool_answers[examples.validation]),
        ("test", examples.test_inputs, examples.test_labels),
        *((name, *test) for name, test in examples.other_tests.items()),
    ):
        found[name] = task.judge(logits_of(module, task, inputs), relevant, examples, none)
    for name in examples.other_tests:
        found["test"] |= {f"{name}_{metric}": value for metric, value in found.pop(name).items()}
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
    Reported: the share of a validation query's words that stand where they should, by noise scale, from its own vector
    and (`from_passage`) from its passage's.
    """
    indices = training_indices(examples, recipe.kind, split)
    queries = task.tensor(examples.pool_inputs[indices])
    rng = generator_of("generator", recipe)
    assert examples.passages is not None
    groups = [queries, _spans(task.tensor(examples.passages), queries.shape[1], rng)]
    if recipe.kind == "full" and examples.extra_unlabelled is not None:
        groups.append(task.tensor(examples.extra_unlabelled))
    share, ends = _BATCH // len(groups), np.cumsum([len(group) for group in groups])
    order = torch.cat(
        [
            torch.randint(end - len(group), end, (recipe.steps, share), generator=rng)
            for group, end in zip(groups, ends, strict=True)
        ],
        dim=1,
    )
    drawn, places = order.unique(return_inverse=True)  # others need not pass through the encoder
    texts = torch.cat(groups)[drawn]
    has_passage, is_span = drawn < ends[0], ((drawn >= ends[0]) & (drawn < ends[1])).long()
    module.eval()
    with torch.no_grad():
        own = torch.cat([module.encode(chunk) for chunk in texts.split(_CHUNK)])
    passages = module.passages * own.shape[1] ** 0.5
    labels = torch.from_numpy(examples.pool_labels[indices])[drawn.clamp_max(len(queries) - 1)]

    def loss(index: Tensor) -> Tensor:
        by_passage = (torch.rand(len(index), 1, generator=rng) < 0.5) & has_passage[index, None]
        latents = torch.where(by_passage, passages[labels[index]], own[index])
        return module.loss(latents, texts[index], is_span[index], rng)

    descend(module, recipe, places, loss, clip=1.0, frozen=module.encoder)
    chosen = examples.validation[:500]
    held_out = task.tensor(examples.pool_inputs[chosen])
    with torch.no_grad():
        starts = {"restored_words": module.encode(held_out), "from_passage": passages[examples.pool_labels[chosen]]}
        return {
            name: {f"{sigma:g}": _restored(module, latents, held_out, sigma, rng) for sigma in task.sigmas}
            for name, latents in starts.items()
        }


def _restored(module: QueryGenerator, latents: Tensor, texts: Tensor, sigma: float, rng: torch.Generator) -> float:
    found = module.decode(latents + sigma * torch.randn(latents.shape, generator=rng))
    return (found == texts)[present(texts)].float().mean().item()


def _spans(passages: Tensor, length: int, rng: torch.Generator) -> Tensor:
    """One span (L, length) of up to `_SPAN` words from a random place of each passage (L, T)."""
    words = present(passages).sum(1)
    first = (torch.rand(len(passages), generator=rng) * (words - _SPAN).clamp_min(1)).long()
    places = torch.arange(length)
    taken = passages.gather(1, (first[:, None] + places).clamp_max(passages.shape[1] - 1))
    return torch.where(places < _SPAN, taken, 0)
