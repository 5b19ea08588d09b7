"""Where things are kept: the cache (data, teachers), shared by checkouts; and results, a folder of the checkout."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.core.errors import MachineFailure

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "results" / "reference"
LOCAL = ROOT / "results" / "local"


def cache() -> Path:
    """`$TGT_CACHE`, else `tgt-suite` in the user's cache folder."""
    if "TGT_CACHE" in os.environ:
        return Path(os.environ["TGT_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "tgt-suite"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raises MachineFailure where `path` cannot be written in the block, by the name that a person knows."""
    try:
        yield
    except MachineFailure:
        raise
    except OSError as error:
        failure = MachineFailure(f"cannot write {path}: {error.strerror or error}")
        failure.errno = error.errno
        raise failure from error


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` to write to; it takes the name `path` only if the block ends without an error.

    Raises:
        MachineFailure: it cannot be written.
    """
    temporary = None
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            os.close(handle)
            temporary = Path(name)
            yield temporary
            temporary.chmod(0o644)
            os.replace(temporary, path)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_writable(folder: Path, megabytes: int = 64) -> None:
    """Raise MachineFailure in plain words if `folder` cannot be written, or its disk is about to be full."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe.") as probe:
            probe.write(b"x" * 4096)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise MachineFailure(f"cannot write to {folder}: {error.strerror}") from error
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    if free < megabytes * 2**20:
        raise MachineFailure(f"cannot start: {folder} has {free / 2**20:.0f} MB free, {megabytes} MB are needed")
