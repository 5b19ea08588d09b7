"""Small real things to test on: tiny networks, tiny images and sentences, the way the harness uses them."""

from __future__ import annotations

import os
from functools import partial

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from prepared import prepared
from torch import nn

from benchmarks.records.record import Store
from benchmarks.runs import scheduler
from benchmarks.runs.execute import execute
from benchmarks.teachers import store as teachers
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


@pytest.fixture
def smoke():
    """The smoke run of a method on fashion-lt, its teachers trained."""

    return partial(prepared, "fashion-lt", "smoke", 120)


@pytest.fixture
def fill(tmp_path):
    """Makes here and now the runs that a search asks for; `asked` holds them call by call, `store` their records."""

    def made(runs):
        made.asked.append(runs)
        for run in scheduler.plan(runs, made.store, 1).missing:
            for recipe in run.recipes.values():
                teachers.train(run.task, recipe, run.split)
            made.store.append(execute(run))
        return scheduler.plan(runs, made.store, 1)

    made.asked, made.store = [], Store(tmp_path / "tuning")  # type: ignore[attr-defined]
    return made
