"""A device that is only pretended: its tensors lie on the CPU, but to mix them with others is an error, as on a GPU."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

AWAY = torch.device("meta")  # the one name of a device that autograd takes without its hardware
_SEED = 4711  # tells generators of the device from others: operators see no more of them


class Away(torch.Tensor):
    """A tensor on the pretended device."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Away:
        layout = {"layout": held.layout} if held.is_sparse else {"strides": held.stride()}
        return torch.Tensor._make_wrapper_subclass(cls, held.shape, dtype=held.dtype, device=AWAY, **layout)  # type: ignore[attr-defined]

    def __init__(self, held: torch.Tensor) -> None:
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class AwayGenerator(torch.Generator):
    """Random numbers of the pretended device."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return AWAY


def generator() -> AwayGenerator:
    found = AwayGenerator()
    found.manual_seed(_SEED)
    return found


class pretended(TorchDispatchMode):
    """Inside, what is made on the device is made as `Away`, and a mix of devices raises RuntimeError."""

    def __enter__(self) -> pretended:
        self._made = _MadeThere()
        self._made.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._made.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _MadeThere(TorchFunctionMode):
    """`torch.tensor` makes its tensor without a word to the dispatcher."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.tensor and torch.device(kwargs.get("device") or "cpu") == AWAY:
            return Away(func(*args, **{**kwargs, "device": "cpu"}))
        return func(*args, **kwargs)


def _held(value: Any) -> Any:
    return value.held if isinstance(value, Away) else value


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name = func._schema.name
    tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor)]
    away = [value for value in tensors if isinstance(value, Away)]
    here = [value for value in tensors if not isinstance(value, Away) and value.dim()]
    if name == "aten::index":
        here = [value for value in here if value is args[0]]  # indices may be on the CPU
    if away and here and name not in ("aten::_to_copy", "aten::copy_"):
        raise RuntimeError(f"{name}: tensors of two devices meet")
    there = bool(away)
    if kwargs.get("device") is not None:
        there = torch.device(kwargs["device"]).type == AWAY.type
        kwargs = {**kwargs, "device": torch.device("cpu")}
    rng = kwargs.get("generator")
    if rng is not None and (rng.initial_seed() == _SEED) != there:
        raise RuntimeError(f"{name}: a generator of another device")
    if name in (
        "aten::view",
        "aten::_unsafe_view",
    ):  # what is held may lie otherwise in memory than the tensor that stands for it
        func = torch.ops.aten.reshape.default
    found = func(*tree_map(_held, args), **tree_map(_held, kwargs))
    if name == "aten::copy_":
        return args[0]
    own = {id(value.held): value for value in away}  # an operator in place gives back what it was given

    def wrapped(value: Any) -> Any:
        return own.get(id(value), Away(value)) if there and isinstance(value, torch.Tensor) else value

    return tree_map(wrapped, found)
