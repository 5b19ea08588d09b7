"""What may become of a file: by name, functions that do it to a path."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from benchmarks.core.fingerprint import array_digest


def rewrite(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """A whole, valid file of the same kind with other numbers, under its own right hash where it holds one."""
    if path.suffix == ".npy":
        np.save(path, change(np.load(path)))
    elif path.suffix == ".json":
        held = json.loads(path.read_text())
        held["indices"] = change(np.array(held["indices"])).tolist()
        held["sha256"] = array_digest({"indices": np.array(held["indices"], np.int64)})
        path.write_text(json.dumps(held))
    else:
        arrays = {name: change(array) for name, array in load_file(path).items()}
        with safe_open(path, framework="np") as file:
            about = file.metadata()
        if about:
            info = json.loads(about["teacher"])
            about = {"teacher": json.dumps({**info, "sha256": array_digest(arrays)})}
        save_file(arrays, path, metadata=about)


def flipped(path: Path, at: Callable[[int], int]) -> None:
    raw = bytearray(path.read_bytes())
    raw[at(len(raw))] ^= 1
    path.write_bytes(raw)


def replaced_by_a_folder(path: Path) -> None:
    path.unlink()
    (path / "inner").mkdir(parents=True)


def replaced_by_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replaced_by_another(path: Path) -> None:
    """By a sound file of its kind, from another network or other data."""
    others = sorted(one for one in path.parent.iterdir() if one.suffix == path.suffix and one != path)
    if others:
        shutil.copy(others[0], path)
    else:
        rewrite(path, lambda array: array + 1)


def replaced_by_a_dead_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nowhere")


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "cut by a byte": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "a bit": lambda path: flipped(path, lambda size: size - 3),
    "a bit in the middle": lambda path: flipped(path, lambda size: size // 2),
    "a bit of the header": lambda path: flipped(path, lambda size: 9),
    "header's length": lambda path: path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:]),
    "no text": lambda path: path.write_bytes(os.urandom(200)),
    "negated": lambda path: rewrite(path, lambda array: -array),
    "zeroed": lambda path: rewrite(path, lambda array: array * 0),
    "fewer": lambda path: rewrite(path, lambda array: array[:1] if array.ndim else array + 1),
    "another": replaced_by_another,
    "a folder": replaced_by_a_folder,
    "a pipe": replaced_by_a_pipe,
    "a dead link": replaced_by_a_dead_link,
}
