"""What is told to the person who typed a command, without a trace."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache


class BadInput(Exception):
    """A wrong word on the command line, or a file that cannot serve: one line for the person, exit status 2."""


class MachineFailure(OSError):
    """What failed is the machine or the cache (disk, data, a teacher's file): never the result of a method."""


_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE, errno.EMFILE, errno.ENFILE}


#: Torch's own words, the driver's and cuBLAS's.
_GPU_IS_FULL = ("CUDA out of memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def of_the_machine(error: BaseException) -> bool:
    """Whether the machine or the cache failed, in whosever code that came up."""
    if isinstance(error, OSError):
        return isinstance(error, MachineFailure) or error.errno in _OF_THE_DISK
    return gpu_is_full(error)


def gpu_is_full(error: BaseException) -> bool:
    """Whether a GPU had no memory left: other runs and programs share it, so that it tells nothing of a method."""
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _GPU_IS_FULL)


def unknown(kind: str, name: str, there: Iterable[str]) -> str:
    """What is said of a name that there is not: the one that may be meant, or the names there are."""
    names = list(there)
    near = did_you_mean(name, names)
    told = f"{near} ./reproduce.sh list names all" if near else f"; there are {', '.join(names)}"
    return f"unknown {kind} {name!r}{told}"


def did_you_mean(name: str, there: Iterable[str]) -> str:
    near = get_close_matches(name, list(there), 1, 0.7)
    return f"; did you mean {near[0]}?" if near else ""


def in_a_line(error: BaseException) -> str:
    """The kind of an error and the first line of what it says."""
    told = str(error).strip().splitlines()
    return f"{type(error).__name__}: {told[0]}" if told else f"{type(error).__name__}, without a message"


def tell(line: str) -> None:
    """One line that a person should see, whatever is written to standard output."""
    print(f"note: {line}", file=sys.stderr)


@cache
def tell_once(line: str) -> None:
    """A line that several parts of a command come upon."""
    tell(line)
