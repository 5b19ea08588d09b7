"""Common corruptions of images, at severity 3 of 5, as one more test set.

The protocol is that of Hendrycks & Dietterich (2019, arXiv 1903.12261). Noise, blur and contrast have the strength of
CIFAR-10-C, whose images are as small as these; rotation and translation that of MNIST-C (Mu & Gilmer 2019, arXiv
1906.02337). Occlusion is in neither: a grey square, a third of the image wide.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

Images = np.ndarray  # (N, C, H, W), float64 in 0..255
_Corruption = Callable[[Images, np.random.Generator], Images]


def _noise(images: Images, rng: np.random.Generator) -> Images:
    return images + 255 * 0.08 * rng.normal(size=images.shape)


def _blur(images: Images, rng: np.random.Generator) -> Images:
    return ndimage.gaussian_filter(images, (0, 0, 0.7, 0.7), mode="nearest")


def _contrast(images: Images, rng: np.random.Generator) -> Images:
    mean = images.mean((2, 3), keepdims=True)
    return mean + 0.4 * (images - mean)


def _translation(images: Images, rng: np.random.Generator) -> Images:
    """By 3 pixels along both axes, either way."""
    moves = rng.choice([-3, 3], size=(len(images), 2))
    return np.stack(
        [ndimage.shift(image, (0, *by), order=0, mode="nearest") for image, by in zip(images, moves, strict=True)]
    )


def _rotation(images: Images, rng: np.random.Generator) -> Images:
    """By 0.6 radians, either way."""
    angles = np.degrees(0.6) * rng.choice([-1, 1], size=len(images))
    return np.stack(
        [
            ndimage.rotate(image, angle, axes=(1, 2), reshape=False, order=1, mode="nearest")
            for image, angle in zip(images, angles, strict=True)
        ]
    )


def _occlusion(images: Images, rng: np.random.Generator) -> Images:
    hidden, height, width = images.copy(), *images.shape[2:]
    side = min(height, width) // 3
    corners = rng.integers(0, (height - side + 1, width - side + 1), size=(len(images), 2))
    for image, (top, left) in zip(hidden, corners, strict=True):
        image[:, top : top + side, left : left + side] = 128
    return hidden


CORRUPTIONS: dict[str, _Corruption] = {
    "noise": _noise, "blur": _blur, "contrast": _contrast,
    "translation": _translation, "rotation": _rotation, "occlusion": _occlusion,
}  # fmt: skip


def corrupted(images: np.ndarray, name: str, rng: np.random.Generator) -> np.ndarray:
    """Bytes (N, C, H, W) under one corruption."""
    return np.rint(CORRUPTIONS[name](images.astype(np.float64), rng)).clip(0, 255).astype(np.uint8)


def corrupted_test(
    images: np.ndarray, labels: np.ndarray, seed: int, count: int = 1000
) -> tuple[np.ndarray, np.ndarray]:
    """Up to `count` test images under each corruption, shuffled: accuracy on it is the mean over corruptions.

    Args:
        images: bytes (N, C, H, W). labels: (N,). seed: draws the images, the corruptions' details and the order.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(images))[:count]
    inputs = np.concatenate([corrupted(images[chosen], name, rng) for name in CORRUPTIONS])
    order = rng.permutation(len(inputs))
    return inputs[order], np.tile(labels[chosen], len(CORRUPTIONS))[order]
