"""Fashion-MNIST, with an exponential long tail and balanced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.core.fingerprint import seed_of
from benchmarks.data.corruptions import corrupted_test
from benchmarks.data.images import FASHION
from benchmarks.data.splits import Profile
from benchmarks.task import Examples, Size
from benchmarks.tasks.images import SMOKE, ImageTask

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
SMALL = Size(budget=2478, budgets=(620, 2478, 9918), steps=1000, batch=64, labeler_steps=4000, generator_steps=2800)


class FashionLT(ImageTask):
    name = "fashion-lt"
    title = "Fashion-MNIST, long tail"
    note = (
        "Fashion-MNIST with exponential imbalance (ratio 100: 1,000 to 10 images a class); balanced official test set"
    )
    version = 2
    dataset = "fashion"
    profile = Profile("exponential", ratio=100.0)
    sizes = {"smoke": SMOKE, "small": SMALL}
    students = {"student": "cnn-16-32-32.v1"}
    teachers = {"generator": "vae-64-32.v3", "labeler": "resnet-16.v1"}

    def data(self) -> Examples:
        """Official test set; 500 training images a class are set aside for validation, the same for all seeds."""
        arrays = FASHION.load()
        labels = arrays["train_labels"].astype(np.int64)
        rng = np.random.default_rng(seed_of("validation", "fashion"))
        validation = np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:500] for c in range(10)])
        tested, answers = arrays["test_images"][:, None], arrays["test_labels"].astype(np.int64)
        return Examples(
            pool_inputs=arrays["train_images"][:, None],
            pool_labels=labels,
            validation=np.sort(validation),
            test_inputs=tested,
            test_labels=answers,
            class_names=CLASSES,
            other_tests={"corrupted": corrupted_test(tested, answers, seed_of("corrupted", "fashion"))},
        )


class Fashion(FashionLT):
    name = "fashion"
    title = "Fashion-MNIST, balanced"
    note = "Fashion-MNIST, classes equally frequent; official test set"
    profile = Profile("balanced")
    sizes = {
        "smoke": replace(SMOKE, budget=50, budgets=(50, 100)),
        "small": replace(
            SMALL, budget=500, budgets=(50, 150, 500, 1500, 5000, 15000, 60000), search_budgets=(150, 1500, 15000)
        ),
    }
    metric = "accuracy"
    also = ()


class FashionWide(Fashion):
    """The same data and teachers with a student of four times the parameters, which 60,000 labels do not fill."""

    name = "fashion-wide"
    title = "Fashion-MNIST, balanced, wide student"
    students = {"student": "cnn-32-64-64.v1"}
    _widths = (32, 64, 64)
