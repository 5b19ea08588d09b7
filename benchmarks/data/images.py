"""Fashion-MNIST."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np

from benchmarks.data.asset import Arrays, Asset, deb, limited, member


def _idx(raw: bytes, dimensions: int) -> np.ndarray:
    """An IDX file (the MNIST family's format) of unsigned bytes."""
    header = np.frombuffer(raw, ">i4", 1 + dimensions)
    return np.frombuffer(raw, np.uint8, offset=4 * (1 + dimensions)).reshape(header[1:])


def fashion_from_debian(folder: Path) -> Arrays:
    archive = deb("dataset-fashion-mnist", folder)
    root = "./usr/share/datasets/fashion-mnist"
    names = {
        "train_images": "train-images-idx3-ubyte",
        "train_labels": "train-labels-idx1-ubyte",
        "test_images": "t10k-images-idx3-ubyte",
        "test_labels": "t10k-labels-idx1-ubyte",
    }
    read = {}
    for key, name in names.items():
        with gzip.open(io.BytesIO(member(archive, f"{root}/{name}.gz"))) as file:
            read[key] = limited(file, name)
    return {key: _idx(raw, 3 if "images" in key else 1).copy() for key, raw in read.items()}


def fashion_from_torchvision(folder: Path) -> Arrays:
    from torchvision.datasets import FashionMNIST

    arrays = {}
    for part, train in (("train", True), ("test", False)):
        data = FashionMNIST(str(folder), train=train, download=True)
        arrays[f"{part}_images"] = data.data.numpy()
        arrays[f"{part}_labels"] = data.targets.numpy().astype(np.uint8)
    return arrays


FASHION = Asset(
    "fashion-mnist",
    "b18dea841e5f7c68442aafa9055de8896196d7d269bc2bbc187f1672c07f2db4",
    "MIT",
    "torchvision's source, else Debian package dataset-fashion-mnist",
    (fashion_from_torchvision, fashion_from_debian),
)
