"""Photographs that lists name, or that lie in folders by class: decoded once, into one file that is then read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from filelock import FileLock

from benchmarks.core import paths
from benchmarks.core.errors import BadInput, tell, tell_once
from benchmarks.data.asset import FETCHING, Unavailable
from benchmarks.data.stored import Pack, Stored, pack


@dataclass(frozen=True)
class Published:
    """A published split list: lines `relative/path label`.

    Attributes:
        name: of its file. lines: how many it has, 0 where that is not known. sha256: "" where it is not known.
    """

    name: str
    lines: int = 0
    sha256: str = ""

    def read(self, folder: Path) -> list[tuple[str, int]]:
        """Paths and labels. A line says how it is not the published one. Raises BadInput for what is no such list."""
        path = folder / self.name
        try:
            raw = path.read_bytes()
            rows = [
                (place, int(label)) for place, label in (line.rsplit(None, 1) for line in raw.decode().splitlines())
            ]
            if not rows or min(label for _, label in rows) < 0:
                raise ValueError("no lines" if not rows else "a label below 0")
        except (OSError, ValueError) as error:
            raise BadInput(f"{path} is no list of lines `relative/path label`: {error}") from error
        found = hashlib.sha256(raw).hexdigest()
        if self.lines and len(rows) != self.lines:
            tell_once(f"{path} is not the published list: it has {len(rows):,} lines, that one {self.lines:,}")
        elif self.sha256 and found != self.sha256:
            tell_once(f"{path} is not the published list: its SHA-256 is {found}, that one's {self.sha256}")
        return rows


@cache
def lines_of(path: Path) -> int:
    """Lines of a list, which are samples; 0 where there is none."""
    return len(path.read_bytes().splitlines()) if path.is_file() else 0


@dataclass(frozen=True)
class Manifest:
    """Images by their paths (N,) below a folder, with labels (N,) and sides (N,): 0 training, 1 validation, 2 test."""

    root: Path
    paths: Sequence[str]
    labels: np.ndarray
    side: np.ndarray

    @classmethod
    def of(cls, root: Path, *sides: list[tuple[str, int]]) -> Manifest:
        """From the paths and labels of each side."""
        rows = [row for one in sides for row in one]
        numbers = np.repeat(np.arange(len(sides)), [len(one) for one in sides])
        return cls(root, [path for path, _ in rows], np.array([label for _, label in rows]), numbers)

    @property
    def names(self) -> tuple[str, ...]:
        """Each class by the folder of its first image, or by its number where that is not its own."""
        labels, first = np.unique(self.labels, return_index=True)
        names = {label: Path(self.paths[one]).parent.name for label, one in zip(labels.tolist(), first, strict=True)}
        own = len(set(names.values())) == len(names)
        return tuple(names[label] if own and label in names else str(label) for label in range(max(names) + 1))

    @cached_property
    def sha256(self) -> str:
        rows = zip(self.side.tolist(), self.paths, self.labels.tolist(), strict=True)
        return hashlib.sha256("".join(f"{side} {path} {label}\n" for side, path, label in rows).encode()).hexdigest()


def folders(root: Path, part: str) -> list[tuple[str, int]]:
    """Paths and labels of images in the folders of classes in `root/part`, both in the order of their names."""
    classes = sorted(one.name for one in (root / part).iterdir() if one.is_dir()) if (root / part).is_dir() else []
    found = [
        (f"{part}/{name}/{one}", label)
        for label, name in enumerate(classes)
        for one in sorted(file.name for file in (root / part / name).iterdir())
    ]
    if not found:
        raise BadInput(f"{root / part} has no images in folders of classes")
    return found


class Photographs:
    """The images of a manifest as RGB bytes (N, 3, side, side): the middle square of each, resized (bicubic).

    Their name in hashes is the manifest's hash: of paths and labels, not of what the files hold.
    """

    def __init__(self, name: str, manifest: Manifest, side: int) -> None:
        self.name, self.manifest, self.side = name, manifest, side

    @property
    def path(self) -> Path:
        return paths.cache() / "packs" / f"{self.name}-{self.side}-{self.manifest.sha256[:16]}.safetensors"

    def images(self, packed: bool = True) -> Stored:
        """All, read from the pack, which the first reading makes; or else decoded at each reading."""
        read = self.read if packed else self.decoded
        shape = len(self.manifest.paths), 3, self.side, self.side
        return Stored(read, shape, np.uint8, known=f"{self.manifest.sha256} {self.side}")

    def decoded(self, numbers: np.ndarray) -> np.ndarray:
        """Images (B, 3, side, side) from their own files. Raises BadInput that names one that cannot be read."""
        with ThreadPoolExecutor() as threads:
            return np.stack([*threads.map(self._one, numbers.tolist())])

    def _one(self, number: int) -> np.ndarray:
        from PIL import Image, ImageOps

        path = self.manifest.root / self.manifest.paths[number]
        try:
            with Image.open(path) as found:
                square = ImageOps.fit(found.convert("RGB"), (self.side, self.side))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise BadInput(f"no image can be read from {path}: {error}") from error
        return np.asarray(square).transpose(2, 0, 1)

    def read(self, numbers: np.ndarray) -> np.ndarray:
        return self._pack.inputs.read(numbers)

    @cached_property
    def _pack(self) -> Pack:
        if not self.path.exists():
            if not FETCHING.get():
                raise Unavailable(f"{self.name} is not packed in {self.path.parent} yet, and a plan packs nothing")
            paths.check_writable(self.path.parent)
            with FileLock(self.path.with_suffix(".lock")):
                if not self.path.exists():
                    images = self.images(packed=False)
                    tell(
                        f"{len(images):,} images of {self.name} are packed ({images.nbytes / 1e9:,.1f} GB): {self.path}"
                    )
                    pack(self.path, images, self.manifest.labels, self.manifest.side, self.manifest.names)
        return Pack(self.path)
