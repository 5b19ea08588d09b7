"""The file of a teacher network: its weights as safetensors, and beside them what was measured when it was made."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.core import kept
from benchmarks.core.fingerprint import array_digest


def metadata(path: Path) -> dict[str, Any]:
    """What was written beside the weights in a file: content hash, recipe, metrics, seconds.

    Raises:
        Tampered: the file is not as it was written.
    """
    expected = kept.listed(path)
    if expected is not None and not kept.whole(path):
        raise kept.Tampered(f"{kept.told(path, kept.found(path), expected)}; the next command makes it anew")
    try:
        with safe_open(path, framework="np") as file:
            return json.loads(file.metadata()["teacher"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise kept.Tampered(f"{path} is no teacher's file ({error}); the next command makes it anew") from error


def content_sha256(tensors: dict[str, Tensor]) -> str:
    return array_digest({name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()})


def as_trained(path: Path, made_of: dict[str, Any]) -> bool:
    """Whether a file is as it was written, by the list or, where it was written before there was one, by its own hash.

    Args:
        made_of: the recipe that the file must be of.
    """
    if kept.listed(path) is not None:
        return kept.whole(path)
    try:
        info, sha256 = _read(path, kept.stamp(path))
    except (kept.MachineFailure, OSError):
        return False
    return sha256 == info["sha256"] and {name: info["recipe"].get(name) for name in made_of} == made_of


@cache
def _read(path: Path, stamp: tuple[int, ...]) -> tuple[dict[str, Any], str]:
    info = metadata(path)
    if not {"sha256", "recipe", "metrics"} <= info.keys():
        raise kept.Tampered(f"{path} is no teacher's file")
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise kept.Tampered(f"{path} is damaged ({error})") from error
    # A user's own network is not in its file, which then tells the network's hash alone.
    return info, content_sha256(tensors) if tensors else info["recipe"].get("given_sha256", "")
