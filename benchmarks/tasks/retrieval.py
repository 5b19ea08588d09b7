"""Retrieval tasks' examples: queries, each with the passages that answer it, over one small encyclopedia.

A class is a passage: for a query, labeler and student give scores over all passages, so every method of classification
is one of retrieval. A query with several passages is several training samples; tested, it is one with all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.retrieval_assets import ANSWERED, passages_of
from benchmarks.splits import Profile, linked
from benchmarks.tasks.base import Examples, Networks, Size, Task
from benchmarks.tasks.text import (
    SPECIAL,
    drop_words,
    in_vocabulary,
    sides,
    text_of,
    to_tensor,
    vocabulary_of,
    word_pieces,
)
from benchmarks.text_assets import SUMMARIES, normal, unpack

if TYPE_CHECKING:
    import torch
    from torch import nn

TIED_WIDTH = 128  # of the vectors of a student that embeds all passages at every step
LENGTH = 32  # word pieces of a query, or of what is shown in a query's place
PASSAGE_LENGTH = 128  # word pieces of a passage; half of them are shorter than 100
SPECIAL_TOKENS = (*SPECIAL, "[SEP]")
MIN_COUNT = 2  # of a word piece in passages and training queries: names are rare, and they are what is asked for
SECOND_TEST = 1000  # questions of the second test set
_FEW = 500  # passages of the smoke size


@dataclass(frozen=True)
class RetrievalExamples(Examples):
    """Labels are passage numbers: of a training sample (N,), of a tested query (N, R), filled up with -1.

    Attributes:
        passage_texts, test_texts: passages and test queries in words.
        pool_relevant: the pool's passages (N, R), as the test queries' are given.
    """

    passage_texts: tuple[str, ...] = field(kw_only=True)
    test_texts: tuple[str, ...] = field(kw_only=True)
    pool_relevant: np.ndarray = field(kw_only=True)

    @property
    def pool_answers(self) -> np.ndarray:
        return self.pool_relevant


@lru_cache(maxsize=1)
def described_examples() -> RetrievalExamples:
    return _described(None)


@lru_cache(maxsize=1)
def few_described_examples() -> RetrievalExamples:
    return _described(_FEW)


@lru_cache(maxsize=1)
def answered_examples() -> RetrievalExamples:
    return _answered(None)


@lru_cache(maxsize=1)
def few_answered_examples() -> RetrievalExamples:
    return _answered(_FEW)


def _described(passages: int | None) -> RetrievalExamples:
    """Short descriptions of articles; equal descriptions, and near duplicates of an article, stand on one side."""
    arrays = SUMMARIES.load()
    descriptions = unpack(arrays["description"])[:passages]
    described = [normal(text) for text in descriptions]
    articles = np.flatnonzero([bool(text) for text in described])
    names, query = np.unique([described[i] for i in articles], return_inverse=True)
    group = linked(query, arrays["copy"][articles])
    side = sides(group, "wiki-titles")
    texts = [descriptions[i] for i in articles]
    relevant = _padded([articles[query == q] for q in range(len(names))])[query]
    # Tested, a query is one however many articles it has.
    first = np.isin(np.arange(len(query)), np.unique(query, return_index=True)[1])
    keep = (side == 0) | first
    pool, test = np.flatnonzero(keep & (side < 2)), np.flatnonzero(keep & (side == 2))
    return _examples(passages, texts, articles, relevant, pool, side[pool] == 1, {"test": test})


def _answered(passages: int | None) -> RetrievalExamples:
    """Natural Questions that a summary answers by DPR's rule: dev to train on, test to test on, TriviaQA beside it.

    The dev questions that none answers are for the generator, which needs no answers.
    """
    arrays = ANSWERED.load()
    copy, positive = arrays["copy"], arrays["positive"]
    found = np.split(arrays["passage"], arrays["first"][1:-1])
    if passages is not None:
        found, positive = [part[part < passages] for part in found], np.where(positive < passages, positive, -1)
    answered = np.array([len(part) > 0 for part in found])
    free, dev, test, trivia = (
        np.flatnonzero((arrays["source"] == source) & (answered == wanted))
        for source, wanted in ((0, False), (0, True), (1, True), (2, True))
    )
    trivia = trivia[:SECOND_TEST]
    free, dev = (part[~np.isin(copy[part], copy[np.concatenate([test, trivia])])] for part in (free, dev))
    side = sides(copy[dev], "nq-wiki")
    trained, validated = dev[(side != 2) & (positive[dev] >= 0)], dev[side == 2]
    # To be trained on a question needs a positive; to be judged by, passages that answer it are enough.
    trained = trained[~np.isin(copy[trained], copy[validated])]
    free = free[~np.isin(copy[free], copy[validated])]
    order = np.concatenate([trained, validated, test, trivia])
    relevant = _padded([found[i] for i in order])
    label = np.where(positive[order] >= 0, positive[order], relevant[:, 0])
    pool = np.arange(len(trained) + len(validated))
    tested = np.arange(len(pool), len(order))
    texts = [text.removesuffix("?") for text in unpack(arrays["question"])]  # as DPR does: one source has none
    return _examples(
        passages,
        [texts[i] for i in order],
        label,
        relevant,
        pool,
        pool >= len(trained),
        {"test": tested[: len(test)], "trivia": tested[len(test) :]},
        [texts[i] for i in free],
    )


def _padded(lists: list[np.ndarray]) -> np.ndarray:
    found = np.full((len(lists), max(map(len, lists))), -1, np.int64)
    for row, numbers in zip(found, lists, strict=True):
        row[: len(numbers)] = numbers
    return found


def _examples(
    searched: int | None,
    texts: list[str],
    labels: np.ndarray,
    relevant: np.ndarray,
    pool: np.ndarray,
    validation: np.ndarray,
    tests: dict[str, np.ndarray],
    free: Sequence[str] = (),
) -> RetrievalExamples:
    articles = SUMMARIES.load()
    passage_texts = passages_of(articles)[:searched]
    passages = word_pieces(passage_texts, PASSAGE_LENGTH)
    queries, unanswered = word_pieces(texts, LENGTH), word_pieces(list(free), LENGTH)
    read = passages, queries[pool[~validation]], unanswered
    vocabulary = vocabulary_of(np.concatenate([part.ravel() for part in read]), SPECIAL_TOKENS, MIN_COUNT)
    queries = in_vocabulary(queries, vocabulary)
    test = tests.pop("test")
    return RetrievalExamples(
        pool_inputs=queries[pool],
        pool_labels=labels[pool].astype(np.int64),
        validation=np.flatnonzero(validation),
        test_inputs=queries[test],
        test_labels=relevant[test],
        class_names=tuple(unpack(articles["title"])[:searched]),
        extra_unlabelled=in_vocabulary(unanswered, vocabulary) if free else None,
        vocabulary=vocabulary,
        passages=in_vocabulary(passages, vocabulary),
        passage_texts=tuple(passage_texts),
        test_texts=tuple(texts[i] for i in test),
        pool_relevant=relevant[pool],
        other_tests={name: (queries[chosen], relevant[chosen]) for name, chosen in tests.items()},
    )


def judge(scores: torch.Tensor, relevant: np.ndarray, examples: Examples, counts: np.ndarray) -> dict[str, Any]:
    """Ranking metrics of scores (N, L)."""
    from benchmarks.rankings import first_ranks, measure

    return measure(first_ranks(scores), relevant)


def hits(scores: torch.Tensor, relevant: np.ndarray) -> np.ndarray:
    """Whether a relevant passage is among a query's first 20: what `success_20` is the mean of."""
    from benchmarks.rankings import first_ranks

    ranked = first_ranks(scores)[:, :20]
    return ((ranked[:, :, None] == relevant[:, None]) & (relevant[:, None] >= 0)).any((1, 2))


def _networks(examples: Callable[[], RetrievalExamples], tied: bool = False, pca: bool = False) -> Networks:
    from benchmarks import retrieval_networks as nets
    from benchmarks.retrieval_teachers import fit_generator, judge_labeler
    from benchmarks.sentence_encoder import SentenceEncoder, passage_vectors

    found = examples()
    vocabulary, passages = found.vocabulary, found.passages
    assert vocabulary is not None
    assert passages is not None
    vectors = passage_vectors(found.passage_texts)

    def student(classes: int) -> nn.Module:
        tower = nets.BagTower(len(vocabulary), TIED_WIDTH if tied else vectors.shape[1])
        if pca:
            tower.words.weight.data = nets.main_directions(SentenceEncoder(vocabulary).table, tower.words.embedding_dim)
        return nets.TiedStudent(tower, to_tensor(passages)) if tied else nets.QueryStudent(tower, vectors)

    return Networks(
        student=student,
        labeler=lambda classes: nets.DenseLabeler(vocabulary, vectors),
        generator=lambda: nets.QueryGenerator(vocabulary, vectors, LENGTH),
        fit={"generator": fit_generator, "labeler": judge_labeler},
    )


_COMMON: dict[str, Any] = {
    "profile": Profile("uniform"),
    "tensor": to_tensor,
    "augment": drop_words,
    "judge": judge,
    "hits": hits,
    "domain": "retrieval",
    "metric": "success_20",
    "defaults": {"lr": 8e-3, "temperature": 1.0, "sigma": 0.5, "step_size": 5.0, "every": 20},
    "search": {
        "lr": [4e-3, 8e-3, 1.6e-2],
        "temperature": [0.5, 1.0, 2.0],
        "sigma": [0.25, 0.5, 1.0],
        "step_size": [2.5, 5.0, 10.0],
    },
    "lr": (2e-3, 0.0),  # the labeler is not trained
    "networks_code": (
        "benchmarks.retrieval_networks",
        "benchmarks.retrieval_teachers",
        "benchmarks.sentence_encoder",
        "benchmarks.text_networks",
    ),
    "sigmas": (0.0, 0.25, 0.5, 1.0),
    "distances": (5.0, 10.0, 15.0, 20.0),  # latents are 19.6 long
}
_SMOKE = Size(
    budget=20,
    budgets=(20,),
    steps=8,
    batch=8,
    labeler_steps=0,
    generator_steps=8,
    seeds=1,
    test_limit=100,
    defaults={"pool": 32, "renew": 4, "every": 4},
    trials=2,
)
_STUDENTS = {
    "": ("", {}),
    "-pca": ("; its word vectors begin as the teacher's main directions", {"pca": True}),
    "-tied": ("; the student embeds the passages as well", {"tied": True}),
    "-tied-pca": (
        "; the student embeds the passages as well, its word vectors begin as the teacher's main directions",
        {"tied": True, "pca": True},
    ),
}


def _tasks(
    name: str,
    title: str,
    note: str,
    examples: Callable[[], RetrievalExamples],
    few: Callable[[], RetrievalExamples],
    small: Size,
) -> dict[str, Task]:
    """A task and its variations: which student learns it, and from what start."""
    return {
        name + suffix: Task(
            name=name + suffix,
            title=title + more,
            note=note,
            sizes={
                "smoke": replace(_SMOKE, examples=few, networks=partial(_networks, few, **options)),
                "small": small,
            },
            examples=examples,
            networks=partial(_networks, examples, **options),
            readable=lambda tokens: text_of(examples(), tokens),
            also=(
                "success_1", "success_100", "mrr_10", "ndcg_10", *(["trivia_success_20"] if name == "nq-wiki" else [])
            ),
            references={"teacher": "test", "BM25": "bm25", "TF-IDF": "tf-idf"},
            tuned_on="wiki-titles",
            family_name=name,
            **_COMMON,
        )
        for suffix, (more, options) in _STUDENTS.items()
    }  # fmt: skip


TASKS = {
    **_tasks(
        "wiki-titles",
        "Short descriptions to articles",
        "Stand-in for Natural Questions, with labels that are sure: Wikipedia's short descriptions are the queries, "
        "10,033 articles' summaries the passages, split by article: 6,904 to train on, 925 for validation, 1,831 for "
        "testing; equal descriptions keep all their articles",
        described_examples,
        few_described_examples,
        Size(
            budget=500,
            budgets=(250, 500, 2000, 6904),
            steps=500,
            batch=32,
            labeler_steps=0,
            generator_steps=1500,
            keep_answers=True,
        ),
    ),
    **_tasks(
        "nq-wiki",
        "Natural Questions over summaries",
        "Stand-in for the paper's Natural Questions over all of Wikipedia: the same 10,033 summaries, which answer few "
        "of the questions. Relevance is weak, DPR's rule: a passage that holds an answer's words; bare numbers, and "
        "answers that more than 50 passages hold, are left out. Of 8,757 dev questions 627 are trained on (with an "
        "answering passage among BM25's first 100) and 315 are for validation; of 3,610 test questions 957 have an "
        "answering passage; 1,000 questions of TriviaQA are a second test set",
        answered_examples,
        few_answered_examples,
        Size(
            budget=250,
            budgets=(100, 250, 627),
            steps=500,
            batch=32,
            labeler_steps=0,
            generator_steps=1500,
            keep_answers=True,
        ),
    ),
}
