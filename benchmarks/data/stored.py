"""Samples that stay in their files until they are asked for: data sets that memory does not hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from benchmarks.core import paths
from benchmarks.core.errors import BadInput, MachineFailure

SMALL = 2**25  # bytes that are read at once
_PART = 2**24  # bytes of a part of them all
_TYPES = {"U8": np.uint8, "F32": np.float32, "F16": np.float16, "I64": np.int64}


class Stored:
    """Samples (N, ...) in their files: of an array it has length, shape, type and `[index]`.

    What an index chooses is read, and is an array, where it takes no more than `SMALL`; else it is `Stored` as well.

    Args:
        read: numbers (B,) of samples -> these samples (B, ...); other processes call it too. shape, dtype: of all.
        known: the name of their content, for hashes, where to read all of it would take hours.
    """

    def __init__(
        self,
        read: Callable[[np.ndarray], np.ndarray],
        shape: Sequence[int],
        dtype: Any,
        chosen: np.ndarray | None = None,
        known: str = "",
    ) -> None:
        self._read, self.dtype, self._known = read, np.dtype(dtype), known
        self._chosen = np.arange(shape[0]) if chosen is None else chosen
        self.shape, self.ndim = (len(self._chosen), *shape[1:]), len(shape)

    def __len__(self) -> int:
        return len(self._chosen)

    @property
    def identity(self) -> str:
        """What stands for the bytes of these samples in a hash; "" where only they themselves do."""
        return self._known and f"{self._known} {hashlib.sha256(self._chosen.tobytes()).hexdigest()}"

    @property
    def nbytes(self) -> int:
        return len(self) * self._row

    @property
    def _row(self) -> int:
        return int(np.prod(self.shape[1:])) * self.dtype.itemsize

    def __getitem__(self, index: Any) -> np.ndarray | Stored:
        chosen = self._chosen[index]
        if chosen.ndim == 0:
            return self._read(chosen[None])[0]
        found = Stored(self._read, self.shape, self.dtype, chosen, self._known)
        return found if found.nbytes > SMALL else found.read()

    def read(self, index: Any = slice(None)) -> np.ndarray:
        """Samples (B, ...) as an array, however large."""
        return self._read(self._chosen[index])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.read(), dtype)

    def parts(self) -> Iterator[np.ndarray]:
        """All samples, as many at a time as memory has room for in any case."""
        size = max(_PART // max(self._row, 1), 1)
        return (self.read(slice(start, start + size)) for start in range(0, len(self), size))


Samples = np.ndarray | Stored


def parts(samples: Samples) -> Iterator[np.ndarray]:
    """Samples (N, ...) in arrays that follow each other: all of an array at once."""
    return samples.parts() if isinstance(samples, Stored) else iter([samples])


class Pack:
    """A file of samples, labels and sides, in the format of safetensors; samples are read one by one.

    They are read, not mapped: the pages of a mapped file count as the process's own memory.
    """

    def __init__(self, path: Path) -> None:
        """Raises BadInput for a file that is none."""
        self.path = path.resolve()
        try:
            with safe_open(path, "np") as opened:
                self.labels, self.side = (opened.get_tensor(name) for name in ("labels", "side"))
                self.names = tuple(json.loads(opened.metadata()["names"]))
            with open(path, "rb") as file:
                size = int.from_bytes(file.read(8), "little")
                entry = json.loads(file.read(size))["inputs"]
            self.shape, self.dtype = tuple(entry["shape"]), np.dtype(_TYPES[entry["dtype"]])
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise BadInput(f"{path} is no pack of images: {error}") from error
        self._start = 8 + size + entry["data_offsets"][0]

    @property
    def inputs(self) -> Stored:
        return Stored(self._read, self.shape, self.dtype)

    def _read(self, numbers: np.ndarray) -> np.ndarray:
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        with open(self.path, "rb", buffering=0) as file:
            for number, sample in zip(numbers, found, strict=True):
                file.seek(self._start + int(number) * sample.nbytes)
                if file.readinto(sample) != sample.nbytes:  # type: ignore[arg-type]
                    raise MachineFailure(f"{self.path} ends before sample {number}")
        return found


def pack(path: Path, inputs: Samples, labels: np.ndarray, side: np.ndarray, names: tuple[str, ...]) -> None:
    """Write a `Pack` of samples (N, ...), a part at a time, with their labels (N,) and sides (N,): 0, 1 or 2.

    Raises:
        MachineFailure: it cannot be written, or the disk has no room for it.
    """
    known = {np.dtype(one): name for name, one in _TYPES.items()}
    end, header = 0, dict[str, Any](__metadata__={"names": json.dumps(names)})
    held = {"labels": labels.astype(np.int64), "side": side.astype(np.int64), "inputs": inputs}
    for name, array in held.items():
        entry = {"dtype": known[array.dtype], "shape": array.shape, "data_offsets": (end, end + array.nbytes)}
        header[name], end = entry, end + array.nbytes
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    paths.check_writable(path.parent, end // 2**20 + 1)
    with paths.atomic(path) as temporary, temporary.open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        for array in held.values():
            for part in parts(array):
                file.write(np.ascontiguousarray(part).data)
