"""Colour emoji of two vendors by sub-category, with their natural long tail."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.core.fingerprint import seed_of
from benchmarks.data.corruptions import corrupted_test
from benchmarks.data.images import EMOJI
from benchmarks.data.splits import Profile, linked
from benchmarks.task import Examples, Size
from benchmarks.tasks.images import SMOKE, ImageTask

if TYPE_CHECKING:
    from torch import nn

#: A sub-category is a class if it has at least so many different emoji: 3 for testing, 1 for validation, 6 to train on.
MIN_EMOJI = 10


class EmojiLT(ImageTask):
    name = "emoji-lt"
    title = "Colour emoji, natural long tail"
    note = (
        "Noto and Twemoji drawings at 32x32: 6,652 images of the 58 sub-categories with at least 10 emoji, split by "
        "emoji into 4,200 to train on, 538 for validation, 1,914 for testing; "
        "the largest class has 15.0 % of the test images"
    )
    version = 2
    dataset = "emoji"
    profile = Profile("natural")
    sizes = {
        "smoke": replace(SMOKE, budget=150, budgets=(150,)),
        "small": Size(
            budget=2000, budgets=(500, 1000, 2000), steps=1000, batch=64, labeler_steps=1500, generator_steps=1500
        ),
    }
    students = {"student": "cnn-16-32-64.v1"}
    teachers = {"generator": "vae-64-32.v3", "labeler": "resnet-16.v1"}

    def data(self) -> Examples:
        """30 % of a class's emoji are for testing and 10 % for validation, the same for all seeds.

        An emoji is a row of emoji.json: its skin tones and its two vendors' drawings are near duplicates and stay
        together. Rows that share a drawing (the flags of Norway and of Bouvet Island, say) count as one.
        """
        arrays = EMOJI.load()
        labels, images = arrays["labels"], arrays["images"]
        drawings = np.unique(images.reshape(len(images), -1), axis=0, return_inverse=True)[1].ravel()
        rows = linked(arrays["rows"], drawings)
        names = bytes(arrays["names"]).decode().split("\n")
        kept, part = _sides(rows, labels, len(names))
        new_label = np.full(len(names), -1, np.int64)
        new_label[kept] = np.arange(len(kept))
        pool = np.flatnonzero((part == "train") | (part == "validation"))
        tested, answers = images[part == "test"], new_label[labels[part == "test"]]
        return Examples(
            pool_inputs=images[pool],
            pool_labels=new_label[labels[pool]],
            validation=np.flatnonzero(part[pool] == "validation"),
            test_inputs=tested,
            test_labels=answers,
            other_tests={"corrupted": corrupted_test(tested, answers, seed_of("corrupted", "emoji"))},
            class_names=tuple(names[label].split("/", 1)[1] for label in kept),  # sub-categories' names are distinct
            extra_unlabelled=images[part == "unused"],
        )

    def student(self, classes: int) -> nn.Module:
        from benchmarks.networks.image import student_cnn

        return student_cnn(3, classes, widths=(16, 32, 64))

    def teacher(self, classes: int) -> tuple[nn.Module, nn.Module]:
        from benchmarks.networks.image import VAE, labeler_cnn

        return VAE(channels=3, size=32, latent=64, width=32), labeler_cnn(3, classes, width=16)


def _sides(rows: np.ndarray, labels: np.ndarray, classes: int) -> tuple[list[int], np.ndarray]:
    """Labels that have enough emoji, and the side of each image: train, validation, test or unused."""
    rng = np.random.default_rng(seed_of("validation", "emoji"))
    part = np.full(len(rows), "unused", dtype="<U10")
    kept: list[int] = []
    for label in range(classes):
        emoji = rng.permutation(np.unique(rows[labels == label]))
        if len(emoji) < MIN_EMOJI:
            continue
        kept.append(label)
        test, validation = int(0.3 * len(emoji)), int(0.1 * len(emoji))
        for name, chosen in (
            ("test", emoji[:test]),
            ("validation", emoji[test : test + validation]),
            ("train", emoji[test + validation :]),
        ):
            part[np.isin(rows, chosen)] = name
    return kept, part
