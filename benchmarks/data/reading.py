"""What stands in for a tensor that memory would not hold: rows that are read, or computed, when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.core.errors import BadInput, MachineFailure
from benchmarks.data.stored import Stored

_PART = 2**24  # bytes of a part at most


def concatenated(parts: Iterable[Tensor], count: int) -> Tensor:
    """Parts (B, ...) of `count` rows that follow each other, as `torch.cat` joins them.

    Each part is let go at once: small ones that are kept lie in the way of the large memory that was freed beside them,
    and the process would grow by all that it ever read.
    """
    found, end = torch.empty(0), 0
    for part in parts:
        if not end:
            last = part.dim() == 4 and not part.is_contiguous()
            layout = torch.channels_last if last else torch.contiguous_format
            shape = count, *part.shape[1:]
            found = torch.empty(shape, dtype=part.dtype, device=part.device, memory_format=layout)
        found[end : end + len(part)] = part
        end += len(part)
    return found


class Rows:
    """What a method may use of the training set's tensors (N, ...): length, shape, device, `[index]` and `split`.

    Args:
        shape: (N, ...). ask: numbers (B,) of rows, on the CPU -> these rows (B, ...), the same whenever they are asked.
        like: a tensor of the rows' type, on the rows' device.
    """

    def __init__(self, shape: tuple[int, ...], ask: Callable[[Tensor], Tensor], like: Tensor) -> None:
        self.shape, self.dtype, self.device, self._ask = torch.Size(shape), like.dtype, like.device, ask

    def __len__(self) -> int:
        return self.shape[0]

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    def to(self, device: torch.device) -> Rows:
        self.device = device
        return self

    def __getitem__(self, index: Any) -> Tensor:
        """Rows as a tensor has them, for whatever index of its first dimension."""
        chosen = torch.arange(len(self))[index.cpu() if isinstance(index, Tensor) else index]
        found = self._ask(chosen.flatten()).to(self.device)
        return found if chosen.dim() == 1 else found.reshape(*chosen.shape, *self.shape[1:])

    def split(self, size: int) -> Iterator[Tensor]:
        """All rows, `size` at a time or fewer where they are large."""
        row = self.shape[1:].numel() * self.dtype.itemsize
        size = max(min(size, _PART // max(row, 1)), 1)
        return (self[start : start + size] for start in range(0, len(self), size))

    def ahead(self, batches: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of numbers (B,), each with its rows (B, ...), in their order."""
        return ((numbers, self[numbers]) for numbers in batches)


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
