"""Small real things to test on: tiny networks, tiny images, the way the harness uses them."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from benchmarks.networks import VAE, labeler_cnn, student_cnn
from benchmarks.tasks.images import flip_and_shift
from tgt import Teacher, TrainingData

torch.set_num_threads(1)
CLASSES = 4


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def data() -> TrainingData:
    """40 images of 4 classes, 28, 7, 3 and 2 of each, with a small untrained teacher."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        teacher = Teacher(VAE(1, 8, latent=6, width=4), labeler_cnn(1, CLASSES, width=4))
    labels = torch.tensor([0] * 28 + [1] * 7 + [2] * 3 + [3] * 2)
    images = torch.rand(40, 1, 8, 8, generator=rng()) * 0.3 + 0.2 * labels[:, None, None, None]
    return TrainingData(
        images, labels, CLASSES, teacher, flip_and_shift, lambda: torch.rand(50, 1, 8, 8, generator=rng(2))
    )


@pytest.fixture
def student() -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return student_cnn(1, CLASSES, widths=(4, 4))
