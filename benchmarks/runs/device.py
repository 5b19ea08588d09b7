"""Where runs compute, and in which precision: the one place that moves teacher, data and student."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from benchmarks.runs import joined, memory

#: Of a module, what computes in the device's precision. What comes out is float32: losses and scores are taken in it.
_ASKED = ("forward", "encode", "decode", "embed", "score")

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Device:
    """A kind of device and a precision.

    float32 means float32: on a GPU no product is rounded to TensorFloat-32. Under bf16 the forward passes of student,
    labeler, encoder and decoder run under autocast; weights, gradients, losses and the optimiser stay in float32.
    """

    kind: str = "cpu"
    precision: str = "float32"

    @property
    def target(self) -> torch.device:
        return torch.device(self.kind)

    def module(self, module: Module) -> Module:
        """A network, moved there; it is changed in place."""
        if self.kind != "cpu":
            module.to(self.target)
        if self.precision != "float32":
            _in_bfloat16(module, self.kind)
        if joined.count() > 1:
            joined.network(module)
        return module

    def tensor(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.target)

    def generator(self, seed: int) -> torch.Generator:
        """Random numbers drawn where the data are. Other kinds of devices draw other numbers from one seed."""
        return torch.Generator(self.target).manual_seed(seed)

    @property
    def generators(self) -> list[torch.Generator]:
        """Torch's global ones, of the CPU and of the device."""
        of_device = {
            "cuda": lambda: [torch.cuda.default_generators[torch.cuda.current_device()]],
            "mps": lambda: [torch.mps._get_default_mps_generator()],
        }
        return [torch.default_generator, *of_device.get(self.kind, list)()]

    @contextmanager
    def randomness(self, seed: int) -> Iterator[None]:
        """Torch's global generators, of the CPU and of the device, from a seed; given back as they were, but mps's."""
        with torch.random.fork_rng([torch.cuda.current_device()] if self.kind == "cuda" else []):
            torch.manual_seed(seed)
            yield

    def synchronise(self) -> None:
        if self.kind != "cpu":
            getattr(torch, self.kind).synchronize()

    @contextmanager
    def settings(self) -> Iterator[None]:
        """float32 products in float32, while a run lasts."""
        if self.kind != "cuda":
            yield
            return
        before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        try:
            yield
        finally:
            torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before

    def reset_peak_memory(self) -> None:
        memory.reset_peak_memory()
        if self.kind == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def peak_memory(self) -> dict[str, float]:
        """The most in MB since it was reset: of the process, and on a GPU what tensors took of its memory."""
        of_device = {"device_memory_mb": torch.cuda.max_memory_allocated() / 2**20} if self.kind == "cuda" else {}
        return {"peak_memory_mb": memory.peak_memory_mb(), **of_device}

    def environment(self) -> dict[str, Any]:
        """What a record tells of the device: nothing of the CPU, which it tells of anyway."""
        if self.kind == "cpu":
            return {}
        found: dict[str, Any] = {"device": self.kind}
        if self.kind == "cuda":
            found |= {
                "gpu": torch.cuda.get_device_name(),
                "gpu_memory_gb": round(torch.cuda.get_device_properties(0).total_memory / 2**30),
                "cuda": torch.version.cuda,
                "cudnn": torch.backends.cudnn.version(),
                "driver": _driver(),
            }
        return found


def there() -> list[str]:
    """The kinds of devices that this machine and its torch have, the fastest first."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [kind for kind, is_there in found.items() if is_there]


def _driver() -> str:
    try:
        with open("/proc/driver/nvidia/version") as file:
            return next(word for word in file.readline().split() if word[0].isdigit() and "." in word)
    except (OSError, StopIteration):
        return ""


def _in_bfloat16(module: Module, kind: str) -> Module:
    """The module as one of a class whose passes run under autocast: copies of it and slices are of that class too."""
    cls = type(module)

    def cast(name: str) -> Any:
        def ask(self: nn.Module, *inputs: Any) -> Any:
            with torch.autocast(kind, torch.bfloat16):
                found = getattr(cls, name)(self, *inputs)
            return found.float() if isinstance(found, Tensor) and found.is_floating_point() else found

        return ask

    module.__class__ = type(cls.__name__, (cls,), {name: cast(name) for name in _ASKED if hasattr(cls, name)})
    return module
