"""Stored samples as a network's inputs, read ahead of the training loop by processes of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.core.errors import BadInput, MachineFailure
from benchmarks.data.stored import Stored
from tgt.rows import Rows


def readers() -> int:
    """`$TGT_READERS`: processes that read ahead for each run; 0, the default, for none. Raises BadInput."""
    word = os.environ.get("TGT_READERS", "0")
    if not (word.isascii() and word.isdigit() and int(word) <= 64):
        raise BadInput(f"TGT_READERS must be a whole number from 0 to 64, not {word!r}")
    return int(word)


class Inputs(Rows):
    """Stored samples (N, ...) as tensors; `tensor` makes these of an array of them."""

    def __init__(self, stored: Stored, tensor: Callable[[np.ndarray], Tensor]) -> None:
        self._stored, self._tensor = stored, tensor
        one = tensor(stored.read(slice(0, 1)))
        super().__init__((len(stored), *one.shape[1:]), lambda numbers: tensor(stored.read(numbers.numpy())), one)

    def ahead(self, batches: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """As `Rows.ahead`; the order is drawn here, so that the number of readers changes nothing but the time.

        What is read stays as small as it is stored on its way between processes.
        """
        loader = DataLoader(
            _Batches(self._stored),
            batch_size=None,  # an item is a batch
            sampler=batches,
            num_workers=readers(),
            generator=torch.Generator(),  # the loader draws a seed: not from the global one, which dropout draws from
        )
        try:
            for numbers, samples in loader:
                yield numbers, self._tensor(samples.numpy()).to(self.device)
        except RuntimeError as error:
            if "DataLoader worker" in str(error):
                raise MachineFailure(f"a process that read samples ahead died: {error}") from error
            raise


class _Batches(Dataset):
    def __init__(self, stored: Stored) -> None:
        self.stored = stored

    def __getitem__(self, numbers: Tensor) -> tuple[Tensor, np.ndarray]:
        return numbers, self.stored.read(numbers.numpy())
