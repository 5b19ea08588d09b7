"""What a command made of custom tasks, data and teachers, handed to its worker processes: each is made once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import cloudpickle

from benchmarks import task
from benchmarks.core.errors import BadInput
from benchmarks.registry import custom, tasks
from benchmarks.teachers import own


@contextmanager
def prepared(jobs: int) -> Iterator[tuple]:
    """For `taken_over`: the files that were registered, and a file with what was made of them, while the block lasts.

    Raises:
        BadInput: a custom teacher that cannot be handed over.
    """
    with TemporaryDirectory(prefix="tgt-") as folder:
        path = None
        if jobs > 1 and (_data() or own.MADE):
            path = Path(folder) / "made.pickle"
            path.write_bytes(pickled())
        yield tuple(custom.files()), path, os.getpid()


def _data() -> dict[str, task.Examples]:
    mine = {one.data_name for one in tasks.TASKS.values() if "data" in one.own}
    return {name: found for name, found in task._LOADED.items() if name in mine}


def pickled() -> bytes:
    """What this process made. Raises BadInput for a teacher that cannot be handed over."""
    try:
        return cloudpickle.dumps((_data(), own.MADE))
    except Exception as error:
        raise BadInput(f"a teacher cannot be handed to other processes ({error}); --jobs 1 needs no other") from error


def taken_over(files: tuple, path: Path | None, harness: int) -> None:
    """In a worker: what the command named is known here too, and what it made is here."""
    for one in files:
        custom.register(one)
    if path is not None and harness != os.getpid():
        _read(path)


@cache
def _read(path: Path) -> None:
    unpickled(path.read_bytes())


def unpickled(raw: bytes) -> None:
    made, teachers = cloudpickle.loads(raw)
    task._LOADED.update(made)
    task._CHECKED.update({id(found): found for found in made.values()})
    own.MADE.update(teachers)
