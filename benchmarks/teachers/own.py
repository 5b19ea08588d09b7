"""Teachers that a custom task brings: made once a command, and known by what they hold."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.core.errors import BadInput
from benchmarks.core.fingerprint import array_digest, digest, seed_of
from benchmarks.task import Task

#: (generator, labeler) and the hash of each, by task, size and draw.
Given = tuple[tuple[nn.Module, ...], tuple[str, ...]]
MADE: dict[tuple[str, str, int], Given] = {}


def given(task: Task, draw: int = 0) -> Given:
    """What `task.teacher` gave when it was called, by this process or by the one that handed it over.

    Raises:
        BadInput: it gave no generator and labeler that go with the task's inputs.
    """
    key = task.name, task.scale, draw
    if key not in MADE:
        classes, threads = task.examples().classes, torch.get_num_threads()
        torch.set_num_threads(1)  # with another number of threads a training here would end in other bits
        try:
            with torch.random.fork_rng(devices=[]), torch.enable_grad():
                torch.manual_seed(seed_of("teacher", f"{task.data_name}_examples", *((draw,) if draw else ())) % 2**32)
                parts = task.teacher(classes)
        finally:
            torch.set_num_threads(threads)
        if told := _unfit(parts):
            raise BadInput(f"{task.name}: teacher() {told}")
        laid_out = tuple(module.eval().to(memory_format=torch.channels_last) for module in parts)
        MADE[key] = laid_out, tuple(map(content_of, laid_out))
    return MADE[key]


def _unfit(parts: Any) -> str:
    if not isinstance(parts, tuple | list) or len(parts) != 2:
        return f"must return (generator, labeler), not {type(parts).__name__}"
    generator, labeler = parts
    for name, part in (("generator", generator), ("labeler", labeler)):
        if not isinstance(part, nn.Module):
            return f"gives a {name} that is {type(part).__name__}; a torch.nn.Module is needed"
    if absent := [name for name in ("encode", "decode") if not callable(getattr(generator, name, None))]:
        swapped = "; is it (generator, labeler), in this order?" if hasattr(labeler, "decode") else ""
        return f"gives a generator without {' and '.join(absent)}{swapped}"
    return ""


def content_of(module: nn.Module) -> str:
    """Hash of all numbers that a module holds: its weights, and what its parts keep beside them as attributes."""
    arrays = {name: _array(tensor) for name, tensor in module.state_dict().items()}
    others: dict[str, str] = {}
    for place, part in module.named_modules():
        for name, value in vars(part).items():
            if isinstance(value, Tensor | np.ndarray):
                arrays[f"{place}.{name} beside"] = _array(value)
            elif isinstance(value, bool | int | float | str) and not name.startswith("_"):
                others[f"{place}.{name}"] = repr(value)
            elif any(isinstance(held, np.ndarray) for held in getattr(value, "__dict__", {}).values()):
                others[f"{place}.{name}"] = joblib.hash(value)  # a model of scikit-learn
    return digest([array_digest(arrays), others])


def _array(value: Tensor | np.ndarray) -> np.ndarray:
    return value.detach().cpu().float().numpy() if isinstance(value, Tensor) else value
