"""Files that are checked when they are read: the SHA-256 of each stands in a list beside it, and so not in it.

The list has the format of `sha256sum`, whose `--check` tells the same. What does not have its hash is set aside and
made anew. Reading needs no lock and writes nothing, so that a complete cache may be read-only.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import stat
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from benchmarks.core import paths
from benchmarks.core.errors import MachineFailure, tell, tell_once

LIST = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
_MEGABYTES = 128  # the largest file that is made has 70
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
#: (name in the cache, SHA-256 or "") -> SHA-256 and content of a file as another machine has it: a node's driver.
ELSEWHERE: list[Callable[[str, str], tuple[str, bytes] | None]] = []


class Tampered(MachineFailure):
    """A stored file does not have the hash that is known of it, and cannot be made anew here."""


def stamp(path: Path) -> tuple[int, ...]:
    """What changes when a file does: while it is the same, a process need not look again. Raises OSError."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a file")
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def found(path: Path) -> str:
    """SHA-256 of a file, read once a process; or why there is none."""
    try:
        return _sha256(path, stamp(path))
    except OSError as error:
        return f"unreadable ({error.strerror})"


@cache
def _sha256(path: Path, stamp: tuple[int, ...]) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def listed(path: Path) -> str | None:
    """SHA-256 that a file must have; None of one that was never entered."""
    return _list(path.parent).get(path.name)


def _list(folder: Path) -> dict[str, str]:
    path = folder / LIST
    if not os.path.lexists(path):
        return {}
    try:
        return _parsed(path, stamp(path))
    except OSError as error:
        tell_once(f"{path} is unreadable ({error.strerror}): what it lists is judged anew")
        return {}


@cache
def _parsed(path: Path, stamp: tuple[int, ...]) -> dict[str, str]:
    lines = [_LINE.fullmatch(line) for line in path.read_text(errors="replace").splitlines()]
    if damaged := lines.count(None):
        tell(f"{path}: {damaged} of {len(lines)} lines are no hash and name: what they stood for is judged anew")
    return {match[2]: match[1] for match in lines if match}


def whole(path: Path) -> bool:
    return os.path.lexists(path) and found(path) == listed(path)


def enter(path: Path, sha256: str) -> None:
    folder = path.parent
    with FileLock(folder / f".{LIST}.lock"):
        if (folder / LIST).is_dir():
            set_aside(folder / LIST)
        lines = sorted(f"{one}  {name}\n" for name, one in {**_list(folder), path.name: sha256}.items())
        with paths.atomic(folder / LIST) as temporary:
            temporary.write_text("".join(lines))


def enter_if_writable(path: Path) -> None:
    """List the hash that a file has, unless it lies where nothing may be written."""
    try:
        enter(path, found(path))
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise


def delivered(path: Path, sha256: str = "") -> bytes | None:
    """What a file of the cache should hold, from elsewhere; None where nobody has it, or it came damaged."""
    for ask in ELSEWHERE:
        if found := ask(str(path.relative_to(paths.cache())), sha256):
            expected, raw = found
            if hashlib.sha256(raw).hexdigest() == expected:
                return raw
    return None


def told(path: Path, sha256: str, expected: str | None) -> str:
    return f"{path}: hash is {sha256}, expected {expected or f'one that {LIST} lists'}"


def check_can_be_made(path: Path, megabytes: int) -> None:
    """Raise MachineFailure where a file cannot be written; Tampered where what is there in its place is damaged."""
    try:
        paths.check_writable(path.parent, megabytes)
    except MachineFailure as error:
        if not os.path.lexists(path):
            raise
        raise Tampered(f"{path} is damaged: {error}") from error


def set_aside(path: Path) -> Path:
    """Rename a file or folder that is not what it should be, so that its name is free; its new name. Raises OSError."""
    aside, number = path.with_name(f"{path.name}.damaged"), 1
    while os.path.lexists(aside):
        aside, number = path.with_name(f"{path.name}.damaged-{number}"), number + 1
    os.rename(path, aside)
    return aside


def make_way(path: Path, wrong: str) -> None:
    """Set a damaged file aside and say so, in what is `told` of it. Raises Tampered where it cannot be moved."""
    try:
        aside = set_aside(path)
    except FileNotFoundError:
        return  # another process was first
    except OSError as error:
        raise Tampered(f"{wrong}; it cannot be moved aside ({error.strerror}): remove it") from error
    tell(f"{wrong}; kept as {aside.name} and made anew")


def file(
    path: Path,
    make: Callable[[], Any],
    save: Callable[[Any, Path], object],
    as_made: Callable[[Path], bool] = whole,
    anew: bool = False,
) -> Path:
    """`path`, whole: where it is not there as it was made, `make` it and `save` it. Two that ask at once make it once.

    Args:
        as_made: whether the file that is there will do. anew: make it all the same.

    Raises:
        MachineFailure: it must be made, and cannot be written.
    """
    if as_made(path) and not anew:
        return path
    check_can_be_made(path, _MEGABYTES)
    with FileLock(path.with_suffix(".lock")):
        if as_made(path) and not anew:
            return path
        if os.path.lexists(path) and not as_made(path):
            make_way(path, told(path, found(path), listed(path)))
        raw = delivered(path)
        made = make() if raw is None else None
        with paths.atomic(path) as temporary:
            if raw is None:
                save(made, temporary)
            else:
                temporary.write_bytes(raw)
            # Entered first: if all ends between the two, a file is missing, and none is there unlisted.
            enter(path, found(temporary))
    return path


def array(path: Path, make: Callable[[], np.ndarray], as_made: Callable[[Path], bool] = whole) -> Path:
    """`file` of one array, as .npy."""

    def save(made: np.ndarray, to: Path) -> None:
        raw = io.BytesIO()
        np.save(raw, made)
        to.write_bytes(raw.getbuffer())  # numpy's own writing to a file does not say why it failed

    return file(path, make, save, as_made)
