"""Tasks of a user's own images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.core.errors import BadInput, tell
from benchmarks.data.checks import contents
from benchmarks.data.stored import Pack, Samples, Stored
from benchmarks.own import table
from benchmarks.own.base import OwnData
from benchmarks.task import Examples, Size, sided
from benchmarks.tasks.images import SMOKE, ImageTask

IN_MEMORY = 2**29  # bytes of images that are decoded once; those of a larger folder are decoded at each reading


class ImageData(OwnData, ImageTask):
    """Images with a class, from a folder by class or a column `image`; all become `side` x `side` pixels.

    Or from a file that `data --pack` wrote, whose images are as they were packed.
    """

    image: str = "image"
    side: int = 32
    metric = "accuracy"
    also: tuple[str, ...] = ("balanced_accuracy", "macro_f1")
    students = {"student": "cnn-16-32-64.v1"}
    teachers = {"generator": "vae-64-32.v3", "labeler": "resnet-16.v1"}
    sizes = {"smoke": SMOKE, "small": Size(0, (), steps=1000, batch=64, labeler_steps=1500, generator_steps=1500)}
    _widths = (16, 32, 64)

    def data(self) -> Examples:
        return sided(*self.samples())

    def samples(self) -> tuple[Samples, np.ndarray, np.ndarray, tuple[str, ...]]:
        """Images (N, C, H, W), their labels (N,), sides (N,) and the names of the classes. Raises BadInput."""
        if self.path.endswith(".safetensors"):
            found = Pack(self.where)
            return found.inputs, found.labels, found.side, found.names
        if self.side < 8 or self.side % 4:
            raise BadInput(f"{self.name}: side must be a multiple of 4 from 8 on, not {self.side}")
        frame = self.taken(self.image, self.label)
        labels, names = table.classes(frame[self.label], self.told)
        beside = self.where if self.where.is_dir() else self.where.parent
        inputs = self._resized(list(frame[self.image]), beside)
        side = table.given_sides(frame, self.split, self.told)
        kept = table.without_copies(contents(inputs), labels, side, table.called(frame, self.image), self.told)
        inputs, labels, side = inputs[kept], labels[kept], None if side is None else side[kept]
        side = table.sides(np.arange(len(inputs)), labels, names, self.name, side)
        return inputs, labels, side, names

    def _resized(self, given: list[Any], beside: Path) -> Samples:
        """Bytes (N, C, side, side): grey if all are grey; what is not square is cut to its middle."""
        from PIL import ImageOps

        kinds = {(one.size, one.mode) for one in (table.image(one, beside) for one in given)}
        shapes, modes = {size for size, _ in kinds}, {mode for _, mode in kinds}
        if shapes != {(self.side, self.side)}:
            told = (
                f"images of {len(shapes)} sizes" if len(shapes) > 1 else "images of {}x{}".format(*next(iter(shapes)))
            )
            tell(f"{self.told}: {told} become {self.side}x{self.side}; `side` sets another size")
        mode = "L" if modes <= {"L", "1"} else "RGB"
        if len(modes) > 1:
            tell(f"{self.told}: images of modes {', '.join(sorted(modes))} all become {mode}")

        def decoded(numbers: np.ndarray) -> np.ndarray:
            found = (table.image(given[number], beside).convert(mode) for number in numbers)
            small = np.stack([np.asarray(ImageOps.fit(one, (self.side, self.side))) for one in found])
            return small.reshape(len(small), self.side, self.side, -1).transpose(0, 3, 1, 2).copy()

        found = Stored(decoded, (len(given), len(mode), self.side, self.side), np.uint8)
        if found.nbytes <= IN_MEMORY:
            return found.read()
        tell(f"{self.told}: its images are decoded at each reading; data --pack writes them to one file, once")
        return found
