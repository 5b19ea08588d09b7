"""Small real things to test on: tiny networks, tiny images and sentences, the way the harness uses them."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.answers import RunData
from benchmarks.networks import VAE, labeler_cnn, student_cnn
from benchmarks.retrieval_networks import BagTower, DenseLabeler, QueryGenerator, QueryStudent
from benchmarks.tasks import retrieval, text
from benchmarks.tasks.images import flip_and_shift
from benchmarks.text_assets import MINILM, unpack
from benchmarks.text_networks import TextAutoencoder, TextLabeler, TextStudent
from tgt import Teacher, TrainingData

torch.set_num_threads(1)
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


def seeded(build, seed: int):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def passage_vectors() -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(CLASSES, 384, generator=rng(3)), dim=1)


@pytest.fixture(scope="session")
def vocabulary() -> np.ndarray:
    pieces = {piece: i for i, piece in enumerate(unpack(MINILM.load()["vocabulary"]))}
    special = [pieces[name] for name in retrieval.SPECIAL_TOKENS]
    return np.array([*special, *np.setdiff1d(np.unique(text.word_pieces(SENTENCES, LENGTH)), special)])


@pytest.fixture
def modality() -> str:
    """What `data` and `student` are of, unless a test is parametrised with it."""
    return "image"


@pytest.fixture
def data(modality, request) -> TrainingData:
    """40 samples of 4 classes, 28, 7, 3 and 2 of each, with a small untrained teacher."""
    if modality == "image":
        teacher = seeded(lambda: Teacher(VAE(1, 8, latent=6, width=4), labeler_cnn(1, CLASSES, width=4)), 0)
        images = torch.rand(40, 1, 8, 8, generator=rng()) * 0.3 + 0.2 * LABELS[:, None, None, None]
        more = torch.rand(50, 1, 8, 8, generator=rng(2))
        return TrainingData(images, LABELS, CLASSES, teacher, flip_and_shift, lambda: more)
    pieces = request.getfixturevalue("vocabulary")
    rank = {piece: i for i, piece in enumerate(pieces.tolist())}
    texts = torch.tensor([[rank[piece] for piece in row] for row in text.word_pieces(SENTENCES, LENGTH).tolist()])
    if modality == "retrieval":
        vectors = passage_vectors()
        generator = seeded(lambda: QueryGenerator(pieces, vectors, LENGTH, width=16, hidden=16), 0)
        teacher = Teacher(generator, seeded(lambda: DenseLabeler(pieces, vectors), 0))
        words = texts[texts != text.PAD][: 6 * CLASSES].view(CLASSES, 6)
        passages = torch.nn.functional.pad(torch.cat([words, words.flip(1)], 1), (0, 4))
        return RunData(texts, LABELS, CLASSES, teacher, text.drop_words, lambda: texts.flip(1), passages=passages)
    generator = seeded(lambda: TextAutoencoder(pieces, LENGTH, latent=8, width=16, layers=1), 0)
    labeler = seeded(lambda: TextLabeler(pieces, CLASSES, layers=1), 0)
    return TrainingData(texts, LABELS, CLASSES, Teacher(generator, labeler), text.drop_words, lambda: texts.flip(1))


@pytest.fixture
def student(modality, request) -> nn.Module:
    if modality == "image":
        return seeded(lambda: student_cnn(1, CLASSES, widths=(4, 4)), 1)
    tokens = len(request.getfixturevalue("vocabulary"))
    if modality == "retrieval":
        return seeded(lambda: QueryStudent(BagTower(tokens, 384, width=8, hidden=8), passage_vectors()), 1)
    return seeded(lambda: TextStudent(tokens, LENGTH, CLASSES, width=8, dropout=0.0), 1)
