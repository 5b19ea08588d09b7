"""What retrieval tasks share: queries with the passages that answer them, over one small encyclopedia.

A class is a passage: for a query, labeler and student give scores over all passages, so every method of classification
is one of retrieval. A query with several passages is several training samples; tested, it is one with all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.data.questions import passages_of
from benchmarks.data.splits import Profile
from benchmarks.data.texts import SUMMARIES, unpack
from benchmarks.data.wordpieces import (
    PASSAGE_LENGTH,
    SPECIAL_TOKENS,
    in_vocabulary,
    vocabulary_of,
    word_pieces,
    words_of,
)
from benchmarks.task import Examples, RetrievalExamples, Size, Task
from benchmarks.tasks.texts import drop_words

if TYPE_CHECKING:
    import torch
    from torch import nn

TIED_WIDTH = 128  # of the vectors of a student that embeds all passages at every step
LENGTH = 32  # word pieces of a query, or of what is shown in a query's place
MIN_COUNT = 2  # of a word piece in passages and training queries: names are rare, and they are what is asked for
SMOKE = Size(
    budget=20, budgets=(20,), steps=8, batch=8, generator_steps=8, seeds=1, test_limit=100,
    defaults={"pool": 32, "renew": 4, "every": 4}, trials=2, few=500,
)  # fmt: skip
#: Variations of a task by the end of its name: what its title adds, whether the student's word vectors begin as the
#: teacher's main directions (pca), and whether it embeds the passages as well (tied).
STUDENTS = {
    "": ("", False, False),
    "-pca": ("; its word vectors begin as the teacher's main directions", True, False),
    "-tied": ("; the student embeds the passages as well", False, True),
    "-tied-pca": (
        "; the student embeds the passages as well, its word vectors begin as the teacher's main directions",
        True,
        True,
    ),
}


class RetrievalTask(Task):
    """Queries as tokens (N, T); a smoke size searches the first `few` passages.

    Args:
        suffix: which student learns it, and from what start: a key of `STUDENTS`.
    """

    version = 2
    domain = "retrieval"
    metric = "success_20"
    also: tuple[str, ...] = ("success_1", "success_100", "mrr_10", "ndcg_10")
    profile = Profile("uniform")
    references = {"teacher": "test", "BM25": "bm25", "TF-IDF": "tf-idf"}
    defaults = {"lr": 8e-3, "temperature": 1.0, "sigma": 0.5, "step_size": 5.0, "every": 20}
    search = {"temperature": [0.5, 1.0, 2.0], "sigma": [0.25, 0.5, 1.0], "step_size": [2.5, 5.0, 10.0]}
    teachers = {"generator": "query-copynet-256-256.v1", "labeler": "all-minilm.v1"}
    lr = (2e-3, 0.0)  # the labeler is not trained
    sigmas = (0.0, 0.25, 0.5, 1.0)
    distances = (5.0, 10.0, 15.0, 20.0)  # latents are 19.6 long
    augment = staticmethod(drop_words)

    def __init__(self, suffix: str = "") -> None:
        more, self.pca, self.tied = STUDENTS[suffix]
        self.family = self.tuned_on = self.name
        self.name, self.title = self.name + suffix, self.title + more
        self.students = {"student": f"bag-of-words{suffix}.v1"}
        super().__init__()

    @classmethod
    def all(cls) -> list[Task]:
        return [cls(suffix) for suffix in STUDENTS]

    def student(self, classes: int) -> nn.Module:
        from benchmarks.networks import retrieval as nets
        from benchmarks.networks.sentence_encoder import SentenceEncoder
        from benchmarks.networks.text import main_directions

        vocabulary, vectors = self._vocabulary(), self._vectors()
        tower = nets.BagTower(len(vocabulary), TIED_WIDTH if self.tied else vectors.shape[1])
        if self.pca:
            tower.words.weight.data = main_directions(SentenceEncoder(vocabulary).table, tower.words.embedding_dim)
        return nets.TiedStudent(tower, self._passages()) if self.tied else nets.QueryStudent(tower, vectors)

    def teacher(self, classes: int) -> tuple[nn.Module, nn.Module]:
        from benchmarks.networks.query_generator import QueryGenerator
        from benchmarks.networks.retrieval import DenseLabeler

        vocabulary, vectors = self._vocabulary(), self._vectors()
        return QueryGenerator(vocabulary, vectors, self._passages(), LENGTH), DenseLabeler(vocabulary, vectors)

    def fits(self) -> dict[str, Callable[..., dict[str, Any]]]:
        from benchmarks.teachers.retrieval import fit_generator, judge_labeler

        return {"generator": fit_generator, "labeler": judge_labeler}

    def judge(self, logits: torch.Tensor, labels: np.ndarray, examples: Examples, counts: np.ndarray) -> dict[str, Any]:
        """Ranking metrics of scores (N, L)."""
        from benchmarks.metrics.ranking import first_ranks, measure

        return measure(first_ranks(logits), labels)

    def hits(self, logits: torch.Tensor, labels: np.ndarray) -> np.ndarray:
        """Whether a relevant passage is among a query's first 20: what `success_20` is the mean of."""
        from benchmarks.metrics.ranking import first_ranks

        ranked = first_ranks(logits)[:, :20]
        return ((ranked[:, :, None] == labels[:, None]) & (labels[:, None] >= 0)).any((1, 2))

    def readable(self, tokens: np.ndarray) -> str:
        return words_of(tokens, self._vocabulary())

    def _vocabulary(self) -> np.ndarray:
        found = self.examples().vocabulary
        assert found is not None
        return found

    def _passages(self) -> torch.Tensor:
        """Their tokens (L, T)."""
        found = self.examples().passages
        assert found is not None
        return self.tensor(found)

    def _vectors(self) -> torch.Tensor:
        """The teacher's vectors of the passages (L, 384)."""
        from benchmarks.networks.sentence_encoder import passage_vectors

        found = self.examples()
        assert isinstance(found, RetrievalExamples)
        return passage_vectors(found.passage_texts)


def padded(lists: list[np.ndarray]) -> np.ndarray:
    """Lists of passage numbers as one array (N, R), filled up with -1."""
    found = np.full((len(lists), max(map(len, lists))), -1, np.int64)
    for row, numbers in zip(found, lists, strict=True):
        row[: len(numbers)] = numbers
    return found


def summaries(count: int | None) -> tuple[list[str], list[str]]:
    """The first `count` articles, or all, and their titles."""
    articles = SUMMARIES.load()
    return passages_of(articles)[:count], unpack(articles["title"])[:count]


def examples_of_pairs(
    passages: Sequence[str],
    names: Sequence[str],
    texts: list[str],
    labels: np.ndarray,
    query: np.ndarray,
    side: np.ndarray,
) -> RetrievalExamples:
    """`examples_over` of pairs of a query and a passage, by their numbers (N,), each on a side: 0, 1 or 2.

    Validated or tested, a query is one however many passages it has.
    """
    relevant = padded([labels[query == number] for number in range(query.max() + 1)])[query]
    first = np.isin(np.arange(len(query)), np.unique(query, return_index=True)[1])
    kept = (side == 0) | first
    pool, test = np.flatnonzero(kept & (side < 2)), np.flatnonzero(kept & (side == 2))
    return examples_over(passages, names, texts, labels, relevant, pool, side[pool] == 1, {"test": test})


def examples_over(
    passage_texts: Sequence[str],
    names: Sequence[str],
    texts: list[str],
    labels: np.ndarray,
    relevant: np.ndarray,
    pool: np.ndarray,
    validation: np.ndarray,
    tests: dict[str, np.ndarray],
    free: Sequence[str] = (),
) -> RetrievalExamples:
    """Examples of queries over passages, each with a name.

    Args:
        texts: queries (N,) with the passage that each is trained on, `labels` (N,), and all relevant ones (N, R).
        pool: indices of the queries to train on; `validation`: which of these are for validation.
        tests: indices by test set, "test" among them. free: further queries, for the generator.
    """
    passages = word_pieces(list(passage_texts), PASSAGE_LENGTH)
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
        class_names=tuple(names),
        extra_unlabelled=in_vocabulary(unanswered, vocabulary) if free else None,
        vocabulary=vocabulary,
        passages=in_vocabulary(passages, vocabulary),
        passage_texts=tuple(passage_texts),
        test_texts=tuple(texts[i] for i in test),
        pool_relevant=relevant[pool],
        other_tests={name: (queries[chosen], relevant[chosen]) for name, chosen in tests.items()},
    )
