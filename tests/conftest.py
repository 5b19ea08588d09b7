"""Small real things to test on: tiny networks, tiny images and sentences, the way the harness uses them."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.validation import toys
from tgt import TrainingData

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def vocabulary() -> np.ndarray:
    return toys.vocabulary()


@pytest.fixture
def modality() -> str:
    """What `data` and `student` are of, unless a test is parametrised with it."""
    return "image"


@pytest.fixture
def data(modality) -> TrainingData:
    return toys.data(modality)


@pytest.fixture
def student(modality) -> nn.Module:
    return toys.student(modality)
