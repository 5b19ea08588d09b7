"""Text tasks' examples: movie sentences in five classes, questions by type, encyclopedia summaries by topic.

Inputs are word pieces of one small vocabulary that generator, labeler and student share, so that a gradient can pass
through soft tokens. The vocabulary is made of text that is not for testing.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from benchmarks.hashing import seed_of
from benchmarks.tasks.base import Examples
from benchmarks.text_assets import MINILM, MOVIES, QUESTIONS, SUMMARIES, normal, unpack

SPECIAL = ("[PAD]", "[UNK]", "[CLS]")  # our first tokens; the last stands before a text where a network wants it
PAD, UNKNOWN, CLS = range(3)
MIN_COUNT = 3  # of a word piece in the text that is trained on, or it is unknown
TEST, VALIDATION = 0.2, 0.1  # shares of the texts


@lru_cache(maxsize=1)
def movie_examples() -> Examples:
    """Sentences by mean human score, cut at -2.4, -0.8, 0.8 and 2.4; all sentences of a movie stand on one side.

    Sentences whose movie is not known are for training only. For the generator: sentences of the same kind without a
    score, none of a movie that is for validation or testing.
    """
    arrays = MOVIES.load()
    texts, scores, movie, copy = unpack(arrays["text"]), arrays["score"], arrays["movie"], arrays["copy"]
    labelled = _first_of_each(np.flatnonzero(~np.isnan(scores)), copy)
    side = _sides(movie[labelled], "movie-5")
    held_out = labelled[side > 0]
    free = np.isnan(scores) & ~np.isin(movie, movie[held_out]) & ~np.isin(copy, copy[labelled])
    return _examples(
        texts,
        labelled,
        np.digitize(scores[labelled], (-2.4, -0.8, 0.8, 2.4)),
        side,
        ("very negative", "negative", "neutral", "positive", "very positive"),
        length=40,
        unlabelled=_first_of_each(np.flatnonzero(free), copy),
    )


MIN_QUESTIONS = 10  # of a class: 2 for testing, 1 for validation, 7 to train on


@lru_cache(maxsize=1)
def question_examples() -> Examples:
    """TREC's fine classes with at least 10 questions; near duplicates stand on one side."""
    arrays = QUESTIONS.load()
    texts, labels, copy = unpack(arrays["text"]), arrays["label"], arrays["copy"]
    distinct = _first_of_each(np.arange(len(texts)), np.unique([normal(t) for t in texts], return_inverse=True)[1])
    counts = np.bincount(labels[distinct])
    kept = np.flatnonzero(counts >= MIN_QUESTIONS)
    chosen = distinct[np.isin(labels[distinct], kept)]
    names = unpack(arrays["names"])
    label = np.searchsorted(kept, labels[chosen])
    side = _sides(copy[chosen], "trec-50", label)
    return _examples(texts, chosen, label, side, tuple(names[k] for k in kept), length=24)


@lru_cache(maxsize=1)
def summary_examples() -> Examples:
    """Eleven topics of Wikipedia summaries; uncategorised ones are for the generator."""
    arrays = SUMMARIES.load()
    texts, labels, copy = unpack(arrays["text"]), arrays["label"], arrays["copy"]
    names = unpack(arrays["names"])
    none = names.index("Uncategorized")
    chosen = np.flatnonzero(labels != none)
    kept = np.array([k for k in range(len(names)) if k != none])
    label = np.searchsorted(kept, labels[chosen])
    side = _sides(copy[chosen], "wiki-topic", label)
    unlabelled = np.flatnonzero((labels == none) & ~np.isin(copy, copy[chosen]))
    return _examples(texts, chosen, label, side, tuple(names[k] for k in kept), length=64, unlabelled=unlabelled)


def _first_of_each(indices: np.ndarray, copy: np.ndarray) -> np.ndarray:
    """Of texts that are copies of each other only the first."""
    return np.sort(indices[np.unique(copy[indices], return_index=True)[1]])


def _sides(groups: np.ndarray, name: str, labels: np.ndarray | None = None) -> np.ndarray:
    """0 (training), 1 (validation) or 2 (test) for each text, the same for all texts of a group and for all seeds.

    Groups below 0 are for training. With `labels` (of each text) the shares hold within each class.
    """
    rng = np.random.default_rng(seed_of("validation", name))
    order = rng.permutation(np.unique(groups[groups >= 0]))
    rank = np.full(groups.max() + 1, -1)
    rank[order] = np.arange(len(order))
    side = np.zeros(len(groups), np.int64)
    taken: dict[int, int] = {}  # a group that meets two classes stays where its first class put it
    for label in [None] if labels is None else np.unique(labels):
        members = np.flatnonzero(groups >= 0 if label is None else labels == label)
        members = members[np.argsort(rank[groups[members]], kind="stable")]
        share = (np.arange(len(members)) + 1) / len(members)
        for member, reached in zip(members, share, strict=True):
            wanted = 2 if reached <= TEST else 1 if reached <= TEST + VALIDATION else 0
            side[member] = taken.setdefault(int(groups[member]), wanted)
    return side


def _examples(
    texts: list[str],
    chosen: np.ndarray,
    labels: np.ndarray,
    side: np.ndarray,
    names: tuple[str, ...],
    length: int,
    unlabelled: np.ndarray | None = None,
) -> Examples:
    def of(indices: np.ndarray) -> list[str]:
        return [texts[i] for i in indices]

    pool, test = np.flatnonzero(side < 2), np.flatnonzero(side == 2)
    extra = np.zeros(0, np.int64) if unlabelled is None else unlabelled
    pieces = [
        word_pieces(of(chosen[pool]), length),
        word_pieces(of(extra), length),
        word_pieces(of(chosen[test]), length),
    ]
    # Word pieces of text that is trained on; what occurs in validation or test text alone is unknown there.
    trained = np.concatenate([pieces[0][side[pool] == 0].ravel(), pieces[1].ravel()])
    special = np.array([_pieces()[name] for name in SPECIAL])
    frequent = np.flatnonzero(np.bincount(trained, minlength=len(_pieces())) >= MIN_COUNT)
    vocabulary = np.concatenate([special, np.setdiff1d(frequent, special)])
    token = np.full(len(_pieces()), UNKNOWN, np.int32)
    token[vocabulary] = np.arange(len(vocabulary))
    inputs = [token[array] for array in pieces]
    return Examples(
        pool_inputs=inputs[0],
        pool_labels=labels[pool].astype(np.int64),
        validation=np.flatnonzero(side[pool] == 1),
        test_inputs=inputs[2],
        test_labels=labels[test].astype(np.int64),
        class_names=names,
        extra_unlabelled=inputs[1] if len(extra) else None,
        vocabulary=vocabulary,
    )


@lru_cache(maxsize=1)
def _pieces() -> dict[str, int]:
    return {piece: i for i, piece in enumerate(unpack(MINILM.load()["vocabulary"]))}


def word_pieces(texts: list[str], length: int) -> np.ndarray:
    """WordPiece ids (N, length) of the pretrained encoder's own vocabulary, cut or padded; no [CLS], no [SEP]."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    tokenizer = Tokenizer(WordPiece(_pieces(), unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(pad_id=_pieces()["[PAD]"], pad_token="[PAD]", length=length)
    encoded = tokenizer.encode_batch(texts)
    return np.array([one.ids for one in encoded], np.int32).reshape(len(texts), length)


def text_of(examples: Examples, tokens: np.ndarray) -> str:
    """A readable sentence from our tokens (T,)."""
    assert examples.vocabulary is not None
    names = list(_pieces())
    words = " ".join(names[examples.vocabulary[token]] for token in tokens if token != PAD)
    return words.replace(" ##", "")
