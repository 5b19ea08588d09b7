"""Tasks of a user's own vectors: columns of numbers with a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.core.errors import BadInput
from benchmarks.data.checks import listed
from benchmarks.own import table
from benchmarks.own.base import OwnData
from benchmarks.task import Examples, Size, sided

if TYPE_CHECKING:
    import torch
    from torch import nn

LATENT = 16  # principal components, or as many as there are


class VectorData(OwnData):
    """Vectors with a class; `features` are their columns, all that hold numbers by default.

    Each number is brought to mean 0 and variance 1 over the training samples.
    """

    features: tuple[str, ...] = ()
    domain = "vector"
    also: tuple[str, ...] = ("balanced_accuracy", "macro_f1")
    students = {"student": "perceptron-64-64.v1"}
    teachers = {"generator": "components-16.v1", "labeler": "perceptron-256-256.v1"}
    lr = (0.0, 3e-3)
    sizes = {
        "smoke": Size(0, (), steps=10, batch=16, labeler_steps=40, seeds=2, test_limit=500, trials=2),
        "small": Size(0, (), steps=1000, batch=32, labeler_steps=1000),
    }

    def data(self) -> Examples:
        frame = self.taken(*self.features, self.label)
        labels, names = table.classes(frame[self.label], self.told)
        wanted = self.features or tuple(c for c in frame.columns if c not in (self.label, self.split, table.SIDE))
        if words := [name for name in wanted if frame[name].dtype.kind not in "iufb"]:
            raise BadInput(f"{self.told}: {listed(words)} hold no numbers; `features` names the columns that are read")
        if not wanted:
            raise BadInput(f"{self.told} has no column of numbers beside {self.label!r}")
        inputs = frame[list(wanted)].to_numpy(np.float64)
        if (wrong := ~np.isfinite(inputs)).any():
            column = wanted[int(np.flatnonzero(wrong.any(0))[0])]
            raise BadInput(
                f"{self.told}: column {column!r} lacks a finite number in {table.rows(wrong.any(1))}; fill it"
            )
        side = table.given_sides(frame, self.split, self.told)
        kept = table.without_copies([row.tobytes() for row in inputs], labels, side, table.called(frame, ""), self.told)
        inputs, labels, side = inputs[kept], labels[kept], None if side is None else side[kept]
        side = table.sides(np.arange(len(inputs)), labels, names, self.name, side)
        spread = inputs[side == 0].std(0)
        scaled = (inputs - inputs[side == 0].mean(0)) / np.where(spread > 0, spread, 1)
        return sided(scaled.astype(np.float32), labels, side, names)

    def _width(self) -> int:
        return self.examples().pool_inputs.shape[1]

    def student(self, classes: int) -> nn.Module:
        from benchmarks.networks.vector import perceptron

        return perceptron(self._width(), 64, classes)

    def teacher(self, classes: int) -> tuple[nn.Module, nn.Module]:
        from benchmarks.networks.vector import PrincipalComponents, perceptron

        width = self._width()
        return PrincipalComponents(width, min(LATENT, width)), perceptron(width, 256, classes)

    def fits(self) -> dict[str, Callable[..., dict[str, Any]]]:
        from benchmarks.teachers.vector import fit_components, fit_perceptron

        return {"generator": fit_components, "labeler": fit_perceptron}

    @staticmethod
    def augment(inputs: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Nothing: no change of a vector is known to keep its class."""
        return inputs
