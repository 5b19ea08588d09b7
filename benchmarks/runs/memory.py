"""The memory a run takes: the process's high-water mark."""

from __future__ import annotations

import ctypes
import os
import resource
from contextlib import suppress
from pathlib import Path


def reset_peak_memory() -> None:
    """Start the process's high-water mark anew (Linux), so that a worker's earlier work does not count.

    What that work freed and the allocator still holds goes back to the system first.
    """
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mb() -> float:
    """The process's peak resident memory; reported as the shape of the platform allows."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        unit = 1024 if os.uname().sysname == "Darwin" else 1
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / unit
