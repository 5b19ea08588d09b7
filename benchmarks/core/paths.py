"""Where things are kept: the cache (data, teachers), shared by checkouts; and results, a folder of the checkout."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


def check_locks(folder: Path) -> None:
    """Raise MachineFailure if file locks in `folder` do not keep others away: cells would run twice, lines be torn."""
    taken = ""
    try:
        # The file is the records' own lock. Opened twice it has two owners, as if two processes did so.
        with open(folder / "records.lock", "a") as first, open(folder / "records.lock", "a") as second:
            fcntl.flock(first, fcntl.LOCK_EX)
            with suppress(BlockingIOError):
                fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
                taken = "two processes can hold one at once"
    except OSError as error:
        taken = str(error.strerror)
    if of_one_machine := {"nolock", "localflock", "local_lock=all", "local_lock=flock"} & _mount_options(folder):
        taken = taken or f"it is mounted with {min(of_one_machine)}, so that they hold on one machine alone"
    if taken:
        raise MachineFailure(f"file locks do not work in {folder}: {taken}; --results names another folder")


def _mount_options(folder: Path) -> set[str]:
    """Of the file system that a folder is on; empty where the system does not tell."""
    found = Path("/proc/self/mounts")
    mounts = [line.split() for line in found.read_text().splitlines()] if found.exists() else []
    above = {str(folder.resolve()), *map(str, folder.resolve().parents)}
    holding = [(len(place), options) for _, place, _, options, *_ in mounts if place in above]
    return set(max(holding, default=(0, ""))[1].split(","))
