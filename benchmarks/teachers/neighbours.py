"""Neighbours of training samples on disk: decoded and labelled once for all runs, by however many processes."""

from __future__ import annotations

import os
import random
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.core import kept, paths
from benchmarks.core.fingerprint import digest
from benchmarks.data.stored import Stored
from tgt import Teacher
from tgt.stored import neighbours

VERSION = "neighbours.v1"  # of the files: raise it when they change
BLOCK = 256  # samples whose neighbours stand in one file


class Neighbours:
    """`copies` neighbours of each of a run's samples, and the labeler's logits of them.

    Args:
        teacher: whose counts are not changed. inputs: the samples (N, ...) on their device.
        known: all that decides what the neighbours are, beside sigma and copies.
        in_bytes: images in [0, 1] are kept as bytes, and labelled as they come back from these.
    """

    def __init__(
        self, teacher: Teacher, inputs: Any, known: list[Any], sigma: float, copies: int, in_bytes: bool
    ) -> None:
        self._teacher, self._inputs = Teacher(teacher.generator, teacher.labeler), inputs
        self._sigma, self._copies, self._bytes = sigma, copies, in_bytes
        key = digest([VERSION, *known, sigma, copies])[:16]
        blocks = range(-(-len(inputs) // BLOCK))
        self.files = [paths.cache() / "neighbours" / f"{key}-{block:05d}.npy" for block in blocks]

    def all(self) -> tuple[Stored, Stored]:
        """Neighbours (N * copies, ...), those of a sample together, and logits (N * copies, L); made where missing."""
        blocks = list(range(len(self.files)))
        random.Random(os.getpid()).shuffle(blocks)  # processes that come together share the work
        for block in blocks:
            kept.array(self.files[block], partial(self._made, block), Path.exists)
        row = np.load(self.files[0], mmap_mode="r").dtype
        count = len(self._inputs) * self._copies
        fields = {name: row[name] for name in ("inputs", "logits")}
        inputs, logits = (Stored(partial(self._read, n), (count, *f.shape), f.base) for n, f in fields.items())
        return inputs, logits

    def _made(self, block: int) -> np.ndarray:
        samples = self._inputs[block * BLOCK : (block + 1) * BLOCK]
        made = neighbours(self._teacher, samples, block, self._sigma, self._copies, self._rounded)
        decoded, logits = (part.cpu() for part in made)
        inputs = (decoded * 255).round().byte().numpy() if self._bytes else decoded.numpy()
        fields = [("inputs", inputs.dtype, inputs.shape[1:]), ("logits", np.float32, logits.shape[1:])]
        found = np.empty(len(inputs), fields)
        found["inputs"], found["logits"] = inputs, logits.float().numpy()
        return found

    def _rounded(self, decoded: Tensor) -> Tensor:
        if not self._bytes:
            return decoded
        return (decoded.clamp(0, 1) * 255).round().div(255).contiguous(memory_format=torch.channels_last)

    def _read(self, name: str, numbers: np.ndarray) -> np.ndarray:
        rows, which = BLOCK * self._copies, numbers // (BLOCK * self._copies)
        parts = {block: np.load(self.files[block], mmap_mode="r")[name] for block in np.unique(which)}
        first = next(iter(parts.values()))
        found = np.empty((len(numbers), *first.shape[1:]), first.dtype)
        for block, part in parts.items():
            found[which == block] = part[numbers[which == block] % rows]
        return found
