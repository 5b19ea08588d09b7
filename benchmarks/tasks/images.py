"""Image tasks: Fashion-MNIST balanced and long-tailed, and colour emoji with their natural long tail."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.assets import EMOJI, FASHION
from benchmarks.hashing import seed_of
from benchmarks.splits import Profile, linked
from benchmarks.tasks.base import Examples, Networks, Size, Task

if TYPE_CHECKING:
    import torch

FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


@lru_cache(maxsize=1)
def fashion_examples() -> Examples:
    """Official test set; 500 training images a class are set aside for validation, the same for all seeds."""
    arrays = FASHION.load()
    labels = arrays["train_labels"].astype(np.int64)
    rng = np.random.default_rng(seed_of("validation", "fashion"))
    validation = np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:500] for c in range(10)])
    return Examples(
        pool_inputs=arrays["train_images"][:, None],
        pool_labels=labels,
        validation=np.sort(validation),
        test_inputs=arrays["test_images"][:, None],
        test_labels=arrays["test_labels"].astype(np.int64),
        class_names=FASHION_CLASSES,
    )


#: A sub-category is a class if it has at least so many different emoji: 3 for testing, 1 for validation, 6 to train on.
MIN_EMOJI = 10


@lru_cache(maxsize=1)
def emoji_examples() -> Examples:
    """30 % of a class's emoji are for testing and 10 % for validation, the same for all seeds.

    An emoji is a row of emoji.json: its skin tones and its two vendors' drawings are near duplicates and stay together.
    Rows that share a drawing (the flags of Norway and of Bouvet Island, say) count as one.
    """
    arrays = EMOJI.load()
    labels, images = arrays["labels"], arrays["images"]
    drawings = np.unique(images.reshape(len(images), -1), axis=0, return_inverse=True)[1].ravel()
    rows = linked(arrays["rows"], drawings)
    names = bytes(arrays["names"]).decode().split("\n")
    rng = np.random.default_rng(seed_of("validation", "emoji"))
    part = np.full(len(rows), "unused", dtype="<U10")
    kept: list[int] = []
    for label in range(len(names)):
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
    new_label = np.full(len(names), -1, np.int64)
    new_label[kept] = np.arange(len(kept))
    pool = np.flatnonzero((part == "train") | (part == "validation"))
    return Examples(
        pool_inputs=images[pool],
        pool_labels=new_label[labels[pool]],
        validation=np.flatnonzero(part[pool] == "validation"),
        test_inputs=images[part == "test"],
        test_labels=new_label[labels[part == "test"]],
        class_names=tuple(names[label].split("/", 1)[1] for label in kept),  # sub-categories have names of their own
        extra_unlabelled=images[part == "unused"],
    )


def to_tensor(images: np.ndarray) -> torch.Tensor:
    """uint8 (N, C, H, W) -> float32 in [0, 1], channels last in memory: convolutions are faster so."""
    import torch

    return torch.from_numpy(images).float().div_(255).contiguous(memory_format=torch.channels_last)


def flip_and_shift(images: torch.Tensor, rng: torch.Generator, pad: int = 2) -> torch.Tensor:
    """Each image mirrored with probability 1/2 and moved by up to `pad` pixels, edges repeated."""
    import torch
    from torch.nn import functional as F

    n, _, height, width = images.shape
    device = images.device
    flip = torch.rand(n, generator=rng, device=device) < 0.5
    columns = torch.arange(width, device=device).expand(n, width)
    columns = torch.where(flip[:, None], width - 1 - columns, columns)
    shift = torch.randint(0, 2 * pad + 1, (2, n, 1), generator=rng, device=device)
    rows = torch.arange(height, device=device).expand(n, height) + shift[0]
    padded = F.pad(images, (pad,) * 4, mode="replicate")
    batch = torch.arange(n, device=device)[:, None, None]
    taken = padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], (columns + shift[1])[:, None, :]]
    return taken.permute(0, 3, 1, 2)  # channels last in memory, as the inputs


def fashion_networks() -> Networks:
    from benchmarks.networks import VAE, labeler_cnn, student_cnn

    return Networks(
        student=lambda classes: student_cnn(1, classes),
        labeler=lambda classes: labeler_cnn(1, classes, width=24),
        generator=lambda: VAE(channels=1, size=28, latent=64, width=32),
    )


def emoji_networks() -> Networks:
    from benchmarks.networks import VAE, labeler_cnn, student_cnn

    return Networks(
        student=lambda classes: student_cnn(3, classes, widths=(16, 32, 64)),
        labeler=lambda classes: labeler_cnn(3, classes, width=24),
        generator=lambda: VAE(channels=3, size=32, latent=64, width=32),
    )


FASHION_LT = Task(
    name="fashion-lt",
    title="Fashion-MNIST, long tail",
    note="Fashion-MNIST with exponential imbalance (ratio 100: 1,000 to 10 images a class); balanced official test set",
    profile=Profile("exponential", ratio=100.0),
    sizes={
        "smoke": Size(
            budget=120,
            budgets=(120,),
            steps=12,
            batch=16,
            labeler_steps=40,
            generator_steps=40,
            seeds=2,
            test_limit=500,
            trials=2,
        ),
        "small": Size(
            budget=2478, budgets=(620, 2478, 9918), steps=1000, batch=64, labeler_steps=2400, generator_steps=2000
        ),
    },
    examples=fashion_examples,
    networks=fashion_networks,
    tensor=to_tensor,
    augment=flip_and_shift,
)

FASHION_BALANCED = replace(
    FASHION_LT,
    name="fashion",
    title="Fashion-MNIST, balanced",
    note="Fashion-MNIST, classes equally frequent; official test set",
    profile=Profile("balanced"),
    sizes={
        "smoke": replace(FASHION_LT.sizes["smoke"], budget=50, budgets=(50, 100)),
        "small": replace(FASHION_LT.sizes["small"], budget=500, budgets=(50, 150, 500, 1500, 5000, 15000, 60000)),
    },
    metric="accuracy",
    also=(),
)

EMOJI_LT = Task(
    name="emoji-lt",
    title="Colour emoji, natural long tail",
    note="Noto and Twemoji drawings at 32x32: 6,652 images of the 58 sub-categories with at least 10 emoji, split by "
    "emoji into 4,200 to train on, 538 for validation, 1,914 for testing; "
    "the largest class has 15.0 % of the test images",
    profile=Profile("natural"),
    sizes={
        "smoke": replace(FASHION_LT.sizes["smoke"], budget=150, budgets=(150,)),
        "small": Size(
            budget=2000, budgets=(500, 1000, 2000), steps=1000, batch=64, labeler_steps=1500, generator_steps=1500
        ),
    },
    examples=emoji_examples,
    networks=emoji_networks,
    tensor=to_tensor,
    augment=flip_and_shift,
)

TASKS = {task.name: task for task in (FASHION_LT, EMOJI_LT, FASHION_BALANCED)}
