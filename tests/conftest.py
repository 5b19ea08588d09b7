"""Small real things to test on: tiny networks, tiny images and sentences, the way the harness uses them."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.validation import toys as tiny
from tgt import TrainingData

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def vocabulary() -> np.ndarray:
    return tiny.vocabulary()


@pytest.fixture
def modality() -> str:
    """What `data` and `student` are of, unless a test is parametrised with it."""
    return "image"


@pytest.fixture
def data(modality) -> TrainingData:
    return tiny.data(modality)


@pytest.fixture
def student(modality) -> nn.Module:
    return tiny.student(modality)
