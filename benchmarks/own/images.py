"""Tasks of a user's own images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.core.errors import BadInput, tell
from benchmarks.own import table
from benchmarks.own.base import OwnData, examples
from benchmarks.task import Examples, Size
from benchmarks.tasks.images import SMOKE, ImageTask

if TYPE_CHECKING:
    from torch import nn


class ImageData(OwnData, ImageTask):
    """Images with a class, from a folder by class or a column `image`; all become `side` x `side` pixels."""

    image: str = "image"
    side: int = 32
    metric = "accuracy"
    also: tuple[str, ...] = ("balanced_accuracy", "macro_f1")
    students = {"student": "cnn-16-32-64.v1"}
    teachers = {"generator": "vae-64-32.v3", "labeler": "resnet-16.v1"}
    sizes = {
        "smoke": SMOKE,
        "small": Size(0, (), steps=1000, batch=64, labeler_steps=1500, generator_steps=1500),
    }

    def data(self) -> Examples:
        if self.side < 8 or self.side % 4:
            raise BadInput(f"{self.name}: side must be a multiple of 4 from 8 on, not {self.side}")
        frame = self.taken(self.image, self.label)
        labels, names = table.classes(frame[self.label], self.told)
        beside = self.where if self.where.is_dir() else self.where.parent
        inputs = self._resized([table.image(one, beside) for one in frame[self.image]])
        side = table.given_sides(frame, self.split, self.told)
        kept = table.without_copies(
            [one.tobytes() for one in inputs], labels, side, table.called(frame, self.image), self.told
        )
        inputs, labels, side = inputs[kept], labels[kept], None if side is None else side[kept]
        side = table.sides(np.arange(len(inputs)), labels, names, self.name, side)
        return examples(inputs, labels, side, names)

    def _resized(self, found: list[Any]) -> np.ndarray:
        """Bytes (N, C, side, side): grey if all are grey; what is not square is cut to its middle."""
        from PIL import ImageOps

        shapes, modes = {one.size for one in found}, {one.mode for one in found}
        if shapes != {(self.side, self.side)}:
            told = (
                f"images of {len(shapes)} sizes" if len(shapes) > 1 else "images of {}x{}".format(*next(iter(shapes)))
            )
            tell(f"{self.told}: {told} become {self.side}x{self.side}; `side` sets another size")
        mode = "L" if modes <= {"L", "1"} else "RGB"
        if len(modes) > 1:
            tell(f"{self.told}: images of modes {', '.join(sorted(modes))} all become {mode}")
        small = [np.asarray(ImageOps.fit(one.convert(mode), (self.side, self.side))) for one in found]
        return np.stack(small).reshape(len(small), self.side, self.side, -1).transpose(0, 3, 1, 2).copy()

    def _channels(self) -> int:
        return self.examples().pool_inputs.shape[1]

    def student(self, classes: int) -> nn.Module:
        from benchmarks.networks.image import student_cnn

        return student_cnn(self._channels(), classes, widths=(16, 32, 64))

    def teacher(self, classes: int) -> tuple[nn.Module, nn.Module]:
        from benchmarks.networks.image import VAE, labeler_cnn

        channels = self._channels()
        return VAE(channels, self.side, latent=64, width=32), labeler_cnn(channels, classes, width=16)
