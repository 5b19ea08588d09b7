"""The memory a run takes: the process's high-water mark."""

from __future__ import annotations

import ctypes
import os
import resource


def reset_peak_memory() -> None:
    """Start the process's high-water mark anew (Linux), so that a worker's earlier work does not count.

    What that work freed and the allocator still holds goes back to the system first.
    """
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def peak_memory_mb() -> float:
    """The process's peak resident memory; reported as the shape of the platform allows."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        unit = 1024 if os.uname().sysname == "Darwin" else 1
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / unit
