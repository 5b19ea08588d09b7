"""Fashion-MNIST."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np

from benchmarks.data.asset import Arrays, Asset, deb, limited, member


def fashion_from_debian(folder: Path) -> Arrays:
    archive, raw = deb("dataset-fashion-mnist", folder), folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in (f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")):
        with gzip.open(io.BytesIO(member(archive, f"./usr/share/datasets/fashion-mnist/{name}.gz"))) as file:
            (raw / name).write_bytes(limited(file, name))
    return fashion_from_torchvision(folder, download=False)


def fashion_from_torchvision(folder: Path, download: bool = True) -> Arrays:
    from torchvision.datasets import FashionMNIST

    arrays = {}
    for part, train in (("train", True), ("test", False)):
        data = FashionMNIST(str(folder), train=train, download=download)
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
