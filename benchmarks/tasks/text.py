"""Text tasks' examples: movie sentences in five classes, questions by type, encyclopedia summaries by topic.

Inputs are word pieces of one small vocabulary that generator, labeler and student share, so that a gradient can pass
through soft tokens. The vocabulary is made of text that is not for testing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.hashing import seed_of
from benchmarks.splits import Profile
from benchmarks.tasks.base import Examples, Networks, Size, Task
from benchmarks.text_assets import FOODS, MINILM, MOVIES, QUESTIONS, SUMMARIES, normal, unpack

if TYPE_CHECKING:
    import torch

SPECIAL = ("[PAD]", "[UNK]", "[CLS]")  # our first tokens; the last stands before a text where a network wants it
PAD, UNKNOWN, CLS = range(3)
MIN_COUNT = 3  # of a word piece in the text that is trained on, or it is unknown
TEST, VALIDATION = 0.2, 0.1  # shares of the texts
_FEW = 200  # texts of each side at smoke size


@lru_cache(maxsize=1)
def movie_examples() -> Examples:
    """Sentences by mean human score, cut at -2.4, -0.8, 0.8 and 2.4; all sentences of a movie stand on one side.

    Sentences whose movie is not known are for training only. For the generator: sentences of the same kind without a
    score, none of a movie that is for validation or testing.
    """
    arrays = MOVIES.load()
    texts, scores, movie, copy = unpack(arrays["text"]), arrays["score"], arrays["movie"], arrays["copy"]
    labelled = _first_of_each(np.flatnonzero(~np.isnan(scores)), copy)
    side = sides(movie[labelled], "movie-5")
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
    side = sides(copy[chosen], "trec-50", label)
    found = _examples(texts, chosen, label, side, tuple(names[k] for k in kept), length=24)
    coarse = [name.split(":")[0] for name in found.class_names]
    return replace(found, coarse=tuple(sorted(set(coarse)).index(name) for name in coarse))


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
    side = sides(copy[chosen], "wiki-topic", label)
    unlabelled = np.flatnonzero((labels == none) & ~np.isin(copy, copy[chosen]))
    return _examples(texts, chosen, label, side, tuple(names[k] for k in kept), length=48, unlabelled=unlabelled)


@lru_cache(maxsize=1)
def food_examples() -> Examples:
    """Amazon reviews, five stars or fewer, with the source's testing set; copies of its texts are not trained on."""
    arrays = FOODS.load()
    texts, labels, copy, test = unpack(arrays["text"]), arrays["label"], arrays["copy"], arrays["test"] == 1
    tested = _first_of_each(np.flatnonzero(test), copy)
    trained = _first_of_each(np.flatnonzero(~test & ~np.isin(copy, copy[tested])), copy)
    side = np.where(sides(copy[trained], "amazon-food", labels[trained]) == 1, 1, 0)
    chosen = np.concatenate([trained, tested])
    side = np.concatenate([side, np.full(len(tested), 2)])
    return _examples(texts, chosen, labels[chosen], side, ("fewer stars", "five stars"), length=64)


def few(full: Callable[[], Examples]) -> Callable[[], Examples]:
    """Some of a task's examples, for the smoke size: MiniLM takes its time over all of them."""

    @lru_cache(maxsize=1)
    def examples() -> Examples:
        found = full()
        rng = np.random.default_rng(seed_of("few", full.__name__))
        trained = np.setdiff1d(np.arange(len(found.pool_labels)), found.validation)
        order = rng.permutation(trained)
        one_of_each = np.sort(np.unique(found.pool_labels[order], return_index=True)[1])  # no class may go missing
        chosen = np.concatenate([order[one_of_each], np.delete(order, one_of_each)])[:_FEW]
        held_out = rng.permutation(found.validation)[:_FEW]
        tested, pool = rng.permutation(len(found.test_labels))[:_FEW], np.concatenate([chosen, held_out])
        more = found.extra_unlabelled
        return replace(
            found,
            pool_inputs=found.pool_inputs[pool],
            pool_labels=found.pool_labels[pool],
            validation=np.arange(len(chosen), len(pool)),
            test_inputs=found.test_inputs[tested],
            test_labels=found.test_labels[tested],
            extra_unlabelled=None if more is None else more[rng.permutation(len(more))[:_FEW]],
        )

    examples.__name__ = f"few_{full.__name__}"  # names the teachers' files
    return examples


def _smoke(full: Callable[[], Examples]) -> Size:
    return replace(_SMOKE, examples=few(full), networks=partial(_networks, full))


def _first_of_each(indices: np.ndarray, copy: np.ndarray) -> np.ndarray:
    """Of texts that are copies of each other only the first."""
    return np.sort(indices[np.unique(copy[indices], return_index=True)[1]])


def sides(groups: np.ndarray, name: str, labels: np.ndarray | None = None) -> np.ndarray:
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
    split = [
        word_pieces(of(chosen[pool]), length),
        word_pieces(of(extra), length),
        word_pieces(of(chosen[test]), length),
    ]
    # Word pieces of text that is trained on; what occurs in validation or test text alone is unknown there.
    vocabulary = vocabulary_of(np.concatenate([split[0][side[pool] == 0].ravel(), split[1].ravel()]))
    inputs = [in_vocabulary(array, vocabulary) for array in split]
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


def vocabulary_of(trained: np.ndarray, special: tuple[str, ...] = SPECIAL, min_count: int = MIN_COUNT) -> np.ndarray:
    """Our vocabulary (V,): `special` first, then the pieces that occur at least `min_count` times in `trained`."""
    first = np.array([_pieces()[name] for name in special])
    frequent = np.flatnonzero(np.bincount(trained.ravel(), minlength=len(_pieces())) >= min_count)
    return np.concatenate([first, np.setdiff1d(frequent, first)])


def in_vocabulary(found: np.ndarray, vocabulary: np.ndarray) -> np.ndarray:
    """Word pieces as tokens of our vocabulary, int32 of the same shape."""
    token = np.full(len(_pieces()), UNKNOWN, np.int32)
    token[vocabulary] = np.arange(len(vocabulary))
    return token[found]


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


def to_tensor(tokens: np.ndarray) -> torch.Tensor:
    """int32 (N, T) -> int64, what an embedding takes."""
    import torch

    return torch.from_numpy(tokens).long()


def drop_words(texts: torch.Tensor, rng: torch.Generator, share: float = 0.2) -> torch.Tensor:
    """Each word of texts (B, T) taken out with probability `share`: its place is padding."""
    import torch

    return texts.masked_fill(torch.rand(texts.shape, generator=rng, device=texts.device) < share, PAD)


def _networks(examples: Callable[[], Examples]) -> Networks:
    from benchmarks.text_networks import PretrainedStudent, TextAutoencoder, TextLabeler, TextStudent
    from benchmarks.text_teachers import fit_autoencoder, fit_labeler

    found = examples()
    assert found.vocabulary is not None
    vocabulary, length = found.vocabulary, found.pool_inputs.shape[1]
    return Networks(
        student=lambda classes: TextStudent(len(vocabulary), length, classes),
        labeler=lambda classes: TextLabeler(vocabulary, classes, layers=3),
        generator=lambda: TextAutoencoder(vocabulary, length),
        pretrained=lambda classes: PretrainedStudent(vocabulary, classes),
        fit={"generator": fit_autoencoder, "labeler": fit_labeler},
    )


_COMMON: dict[str, Any] = {
    "profile": Profile("natural"),
    "tensor": to_tensor,
    "augment": drop_words,
    "domain": "text",
    "metric": "accuracy",
    "also": ("macro_f1",),
    "tuned_on": "movie-5",
    "defaults": {"lr": 2e-3, "sigma": 2.0, "step_size": 30.0},
    "search": {"lr": [1e-3, 2e-3, 4e-3, 8e-3], "sigma": [1.0, 2.0, 3.0, 5.0], "step_size": [10.0, 30.0, 60.0, 120.0]},
    "lr": (2e-3, 2e-4),
    "networks_code": ("benchmarks.text_networks", "benchmarks.text_teachers"),
    "sigmas": (0.0, 1.0, 2.0, 3.0, 5.0),
    "distances": (60.0, 120.0, 180.0, 300.0),  # noise of sigma 1 goes about 62 over 40 places of 96 numbers
}
_SMOKE = Size(
    budget=100,
    budgets=(100,),
    steps=8,
    batch=8,
    labeler_steps=4,
    generator_steps=8,
    seeds=1,
    defaults={"pool": 32, "renew": 4, "every": 4},
    trials=2,
)

MOVIE_5 = Task(
    name="movie-5",
    title="Movie sentences, five classes",
    note="Stand-in for Amazon-5 and Yelp-5: sentences of film reviews by mean human sentiment in five classes, split "
    "by film: 7,483 to train on, 1,027 for validation, 2,090 for testing, and 15,766 more without a score that the "
    "generator read; the largest class has 37.6 % of the test sentences",
    sizes={
        "smoke": _smoke(movie_examples),
        "small": Size(
            budget=500,
            budgets=(250, 500, 2500, 8510),
            table=(500, 2500),
            steps=400,
            batch=32,
            labeler_steps=500,
            generator_steps=700,
            keep_answers=True,
        ),
    },
    examples=movie_examples,
    networks=partial(_networks, movie_examples),
    readable=lambda tokens: text_of(movie_examples(), tokens),
    has_pretrained=True,
    **_COMMON,
)

WIKI_TOPIC = Task(
    name="wiki-topic",
    title="Encyclopedia summaries, eleven topics",
    note="Stand-in for the paper's long reviews (IMDB, Yelp-5): Wikipedia summaries by topic, cut to "
    "48 word pieces: 6,328 to train on, 904 for validation, 1,801 for testing, and 1,000 without a topic that the "
    "generator read; the largest class has 20.3 % of the test texts",
    sizes={
        "smoke": _smoke(summary_examples),
        "small": Size(
            budget=250,
            budgets=(250, 1000, 7232),
            table=(250, 7232),
            steps=400,
            batch=32,
            labeler_steps=500,
            generator_steps=500,
            keep_answers=True,
        ),
    },
    examples=summary_examples,
    networks=partial(_networks, summary_examples),
    readable=lambda tokens: text_of(summary_examples(), tokens),
    **_COMMON,
)

TREC_50 = Task(
    name="trec-50",
    title="Questions by type, long tail",
    note="Long-tailed text, with no counterpart in the paper's table 2: TREC questions of the 42 fine classes "
    "with at least 10 of them: 3,747 to train on, 524 for validation, 1,056 for testing; coarse accuracy: the same "
    "answers read as the six coarse types; the largest class has 18.1 % of the test questions",
    sizes={
        "smoke": _smoke(question_examples),
        "small": Size(
            budget=4271,
            budgets=(500, 1000, 4271),
            table=(4271,),
            search_budget=1000,  # the whole pool would leave nothing to judge by
            steps=400,
            batch=32,
            labeler_steps=400,
            generator_steps=500,
            keep_answers=True,
        ),
    },
    examples=question_examples,
    networks=partial(_networks, question_examples),
    readable=lambda tokens: text_of(question_examples(), tokens),
    **{
        **_COMMON,
        "also": ("macro_f1", "coarse_accuracy", "many_shot", "medium_shot", "few_shot"),
        "tuned_on": "trec-50",  # what suits movie-5 ignores the labels, which classes of few questions need
    },
)

AMAZON_FOOD = Task(
    name="amazon-food",
    title="Amazon food reviews, five stars or fewer",
    note="Stand-in for Amazon-5 and IMDB: whole reviews of food, cut to 64 word pieces: 3,572 to train on, 397 for "
    "validation, and the source's own 1,000 for testing; the largest class has 65.8 % of the test reviews",
    sizes={
        "smoke": _smoke(food_examples),
        "small": Size(
            budget=500,
            budgets=(250, 500, 1000, 3969),
            table=(500, 3969),
            steps=400,
            batch=32,
            labeler_steps=400,
            generator_steps=500,
            keep_answers=True,
        ),
    },
    examples=food_examples,
    networks=partial(_networks, food_examples),
    readable=lambda tokens: text_of(food_examples(), tokens),
    has_pretrained=True,
    **_COMMON,
)

TASKS = {task.name: task for task in (MOVIE_5, WIKI_TOPIC, TREC_50, AMAZON_FOOD)}
