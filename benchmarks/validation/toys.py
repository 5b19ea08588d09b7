"""Small real things of each modality, built in a moment: for the contract's checks and the tests.

Networks are imported where they are built: those of texts take seconds to.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.data.wordpieces import PAD, SPECIAL_TOKENS, in_vocabulary, vocabulary_of, word_pieces
from benchmarks.tasks.images import flip_and_shift
from benchmarks.tasks.texts import drop_words
from benchmarks.teachers.answer_cache import RunData
from tgt import Teacher, TrainingData
from tgt.stored import in_memory

MODALITIES = ("image", "text", "retrieval")
CLASSES = 4
LABELS = torch.tensor([0] * 28 + [1] * 7 + [2] * 3 + [3] * 2)
SENTENCES = [
    f"{who} {what} the {thing}"
    for thing in ("film", "bread", "river", "song")
    for who in ("he", "my old friend", "nobody here", "the president", "a child")
    for what in ("likes", "does not care about")
]
LENGTH = 10


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def seeded(build: Callable[[], Any], seed: int) -> Any:
    """What `build` makes with torch's global generator at `seed`, which is then as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def passage_vectors() -> torch.Tensor:
    return F.normalize(torch.randn(CLASSES, 384, generator=rng(3)), dim=1)


@cache
def vocabulary() -> np.ndarray:
    """Word pieces of the sentences, special ones first. Raises Unavailable where the encoder cannot be had."""
    return vocabulary_of(word_pieces(SENTENCES, LENGTH), SPECIAL_TOKENS, min_count=1)


def sentences() -> torch.Tensor:
    """The sentences as tokens (40, LENGTH)."""
    return torch.from_numpy(in_vocabulary(word_pieces(SENTENCES, LENGTH), vocabulary())).long()


def passages() -> torch.Tensor:
    """Tokens (CLASSES, 16) of what a toy search is over."""
    texts = sentences()
    words = texts[texts != PAD][: 6 * CLASSES].view(CLASSES, 6)
    return F.pad(torch.cat([words, words.flip(1)], 1), (0, 4))


@cache
def _networks(modality: str) -> tuple[nn.Module, nn.Module]:
    """Untrained (generator, labeler), from a fixed start; the text networks' frozen parts take a while to load."""
    if modality == "image":
        from benchmarks.networks.image import VAE, labeler_cnn

        return seeded(lambda: (VAE(1, 8, latent=6, width=4), labeler_cnn(1, CLASSES, width=4)), 0)
    pieces = vocabulary()
    if modality == "retrieval":
        from benchmarks.networks.query_generator import QueryGenerator
        from benchmarks.networks.retrieval import DenseLabeler

        vectors = passage_vectors()
        generator = seeded(
            lambda: QueryGenerator(pieces, vectors, passages(), LENGTH, width=16, hidden=16, reading=8), 0
        )
        return generator, seeded(lambda: DenseLabeler(pieces, vectors), 0)
    from benchmarks.networks.text import TextAutoencoder, TextLabeler

    generator = seeded(lambda: TextAutoencoder(pieces, LENGTH, latent=8, width=16, layers=1), 0)
    return generator, seeded(lambda: TextLabeler(pieces, CLASSES, layers=1), 0)


def data(modality: str) -> TrainingData:
    """40 samples of 4 classes, 28, 7, 3 and 2 of each, with a small untrained teacher of their own."""
    teacher, labels = Teacher(*copy.deepcopy(_networks(modality))), LABELS.clone()
    if modality == "image":
        images = torch.rand(40, 1, 8, 8, generator=rng()) * 0.3 + 0.2 * LABELS[:, None, None, None]
        more = torch.rand(50, 1, 8, 8, generator=rng(2))
        return TrainingData(images, labels, CLASSES, teacher, flip_and_shift, lambda: more, neighbours=in_memory)
    texts = sentences()
    if modality == "text":
        return TrainingData(texts, labels, CLASSES, teacher, drop_words, lambda: texts.flip(1))
    return RunData(texts, labels, CLASSES, teacher, drop_words, lambda: texts.flip(1), passages=passages())


def student(modality: str) -> nn.Module:
    """An untrained student for `data(modality)`."""
    if modality == "image":
        from benchmarks.networks.image import student_cnn

        return seeded(lambda: student_cnn(1, CLASSES, widths=(4, 4)), 1)
    tokens = len(vocabulary())
    if modality == "retrieval":
        from benchmarks.networks.retrieval import BagTower, QueryStudent

        return seeded(lambda: QueryStudent(BagTower(tokens, 384, width=8, hidden=8), passage_vectors()), 1)
    from benchmarks.networks.text import TextStudent

    return seeded(lambda: TextStudent(tokens, LENGTH, CLASSES, width=8, dropout=0.0), 1)
