"""Image data sets: Fashion-MNIST, and the colour emoji of two vendors."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import numpy as np

from benchmarks.data.asset import Arrays, Asset, deb, limited, member, npm


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


def emoji_from_npm(folder: Path) -> Arrays:
    """Every emoji of two vendors over white, 32x32 RGB; sub-category and row of emoji.json of each."""
    from PIL import Image

    names: dict[str, int] = {}
    images, rows, labels = [], [], []
    for vendor in ("google", "twitter"):
        inside = folder / vendor
        inside.mkdir()
        archive = npm(f"emoji-datasource-{vendor}@16.0.0", inside)
        content = {m.name: member(archive, m.name) for m in archive if m.isfile() and _wanted(m.name, vendor)}
        table = json.loads(content["package/emoji.json"])
        for row, entry in enumerate(sorted(table, key=lambda entry: entry["unified"])):
            label = names.setdefault(f"{entry['category']}/{entry['subcategory']}", len(names))
            variants = entry.get("skin_variations", {}).values()
            for file in [entry["image"], *sorted(variant["image"] for variant in variants)]:
                png = content.get(f"package/img/{vendor}/64/{file}")
                if png is None:
                    continue
                rgba = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")).astype(np.int64)
                over_white = rgba[..., :3] * rgba[..., 3:] + 255 * (255 - rgba[..., 3:])
                # Integer mean of 2x2 pixels: the same on every machine, which a library's resize need not be.
                small = over_white.reshape(32, 2, 32, 2, 3).sum((1, 3)) // (4 * 255)
                images.append(small.astype(np.uint8))
                rows.append(row)
                labels.append(label)
    ordered = sorted(names)
    rank = np.array([ordered.index(name) for name in names], np.int64)
    return {
        "images": np.stack(images).transpose(0, 3, 1, 2).copy(),
        "rows": np.array(rows, np.int64),
        "labels": rank[np.array(labels)],
        "names": np.frombuffer("\n".join(ordered).encode(), np.uint8).copy(),
    }


def _wanted(name: str, vendor: str) -> bool:
    return name == "package/emoji.json" or name.startswith(f"package/img/{vendor}/64/")


FASHION = Asset(
    "fashion-mnist",
    "b18dea841e5f7c68442aafa9055de8896196d7d269bc2bbc187f1672c07f2db4",
    "MIT",
    "torchvision's source, else Debian package dataset-fashion-mnist",
    (fashion_from_torchvision, fashion_from_debian),
)
EMOJI = Asset(
    "emoji",
    "a7fe2317b3ed6e6ab0d89b70d6ddc44d74c2121fef948a5a59ed829f5139409f",
    "Apache-2.0 (Noto), CC-BY-4.0 (Twemoji)",
    "npm packages emoji-datasource-google and emoji-datasource-twitter, 16.0.0",
    (emoji_from_npm,),
)
