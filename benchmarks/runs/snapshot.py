"""What objects hold, as tensors and JSON, and put back into objects that were made anew: never code, so no pickle.

Whatever can be reached from a dict of parts is walked by its name. An object that two names lead to is saved once, so
that it is one object again; what a run is given (`given`) is saved as its name. Numbers, tensors, lists, tuples, sets
and dicts are made from what was saved; modules, optimisers, generators, trained tensors and other objects must be there
and are filled in place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from tgt import Method, TrainingData

_PLAIN = (type(None), bool, int, float, str)
_CODE = (FunctionType, MethodType, BuiltinFunctionType, ModuleType, type, torch.dtype, torch.device)


class Missing(Exception):
    """What was saved has no object to go into: one that a method makes in the middle of a run."""


def given(data: TrainingData, method: Method) -> dict[str, Any]:
    """What a method may refer to and does not own, by name: its data, its config, the teacher and all parts of it."""
    found = {"config": method.config, "data": data, "teacher": data.teacher, "costs": data.teacher.costs}
    found |= {f"data.{name}": value for name, value in vars(data).items() if isinstance(value, Tensor)}
    for part, network in vars(data.teacher).items():
        if isinstance(network, nn.Module):
            found |= {f"teacher.{part}": network}
            for inner in (network.named_modules, network.named_parameters, network.named_buffers):
                found |= {f"teacher.{name}": value for name, value in inner(prefix=part)}
    return found


def _own(value: Any) -> dict[str, Any] | None:
    """The fields of an object; None of one that keeps something elsewhere, such as an open file or an iterator.

    Of a module its parameters, buffers and parts, and what numbers and tensors it has else.
    """
    if isinstance(value, nn.Module):
        kinds, parts = (*_PLAIN, Tensor, torch.Generator), ("_parameters", "_buffers", "_modules")
        return {name: held for name, held in vars(value).items() if name in parts or isinstance(held, kinds)}
    plain = all(getattr(type(value), n) is getattr(object, n) for n in ("__reduce__", "__reduce_ex__", "__getstate__"))
    return vars(value) if plain and hasattr(value, "__dict__") else None


def _code(value: Any) -> str:
    return f"{getattr(value, '__module__', '')} {getattr(value, '__qualname__', value)}"


class Taken:
    """Attributes: tensors: by name. cannot: names of what cannot be saved, with its kind."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.cannot: list[str] = []
        self._seen = {id(value): (name, value) for name, value in known.items()}

    def take(self, value: Any, name: str) -> Any:
        """JSON of a value; its tensors are entered in `tensors`."""
        if type(value) in _PLAIN:
            return value
        if isinstance(value, _CODE):
            return {"code": _code(value)}
        if (first := self._seen.setdefault(id(value), (name, value))[0]) != name:
            return {"same": first}
        kind = type(value).__name__
        if isinstance(value, Tensor) and value.grad_fn is None and value.layout is torch.strided:
            # Layouts decide last bits; those with gaps and overlaps become dense.
            self.tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
            strides = torch.empty_like(value, device="meta").stride()
            about = {"strides": strides, "device": str(value.device), "trained": value.requires_grad}
            about["in_place"] = value.requires_grad or isinstance(value, nn.Parameter)  # an optimiser may hold it
            return {"tensor": about, "grad": self.take(value.grad, f"{name}.grad")}
        if isinstance(value, torch.Generator):
            self.tensors[name] = value.get_state()
            return {"generator": ""}
        if isinstance(value, torch.optim.Optimizer):
            return {"optimiser": self.take(value.state_dict(), f"{name}.state")}
        if isinstance(value, list | set | deque) or type(value) in (tuple, torch.Size):
            return {"list": [self.take(part, f"{name}[{n}]") for n, part in enumerate(value)], "kind": kind}
        if isinstance(value, dict):
            pairs = [self.take([key, part], f"{name}[{n}]")["list"] for n, (key, part) in enumerate(value.items())]
            return {"dict": pairs, "kind": kind}
        if (fields := None if isinstance(value, Tensor) else _own(value)) is not None:
            return {"object": {n: self.take(part, f"{name}.{n}") for n, part in fields.items()}, "kind": kind}
        self.cannot.append(f"{name} ({kind}{', with its graph' * isinstance(value, Tensor)})")
        return None


class Put:
    """Finds for all that was saved what it goes into, and changes nothing before `write` is called.

    Args:
        tensors, known: as `Taken` had them.
    """

    def __init__(self, tensors: dict[str, Tensor], known: dict[str, Any]) -> None:
        self._tensors, self._made, self._writes = tensors, dict(known), list[Callable[[], Any]]()
        self._taken = {id(value) for value in known.values()}  # an object is the place of one saved object

    def write(self) -> None:
        for one in self._writes:
            one()

    def put(self, node: Any, name: str, there: Any) -> Any:
        """The value of JSON that `take` gave for `name`: `there`, or one that is new. Raises Missing."""
        if not isinstance(node, dict):
            return node
        (what, held), *_ = node.items()
        if what == "same":
            return self._made[held]
        if what == "code":
            return there if _code(there) == held else self._miss(name, held)
        there = None if id(there) in self._taken else there
        value = self._made[name] = getattr(self, f"_{what}")(node, name, there)
        self._taken.add(id(value))
        return value

    def _miss(self, name: str, kind: str) -> Any:
        raise Missing(f"{name} ({kind})")

    def _tensor(self, node: dict, name: str, there: Any) -> Tensor:
        saved, about = self._tensors[name], node["tensor"]
        if not about["in_place"]:
            there = torch.empty_strided(saved.shape, about["strides"], dtype=saved.dtype, device=about["device"])
        elif not isinstance(there, Tensor) or there.grad_fn is not None or there.shape != saved.shape:
            self._miss(name, "a trained tensor")
        grad = self.put(node["grad"], f"{name}.grad", None)

        def fill() -> None:
            with torch.no_grad():
                there.copy_(saved)
            there.requires_grad_(about["trained"]).grad = grad

        self._writes.append(fill)
        return there

    def _generator(self, node: dict, name: str, there: Any) -> torch.Generator:
        if not isinstance(there, torch.Generator):
            self._miss(name, "a generator")
        self._writes.append(partial(there.set_state, self._tensors[name]))
        return there

    def _optimiser(self, node: dict, name: str, there: Any) -> torch.optim.Optimizer:
        if not isinstance(there, torch.optim.Optimizer):
            self._miss(name, "an optimiser")
        self._writes.append(partial(there.load_state_dict, self.put(node["optimiser"], f"{name}.state", None)))
        return there

    def _list(self, node: dict, name: str, there: Any) -> Any:
        kind, old = node["kind"], [*there] if isinstance(there, list | tuple | deque) else []
        old += [None] * (len(node["list"]) - len(old))
        found = None if kind in ("tuple", "Size") else self._container(name, kind, there)
        parts = [self.put(one, f"{name}[{n}]", old[n]) for n, one in enumerate(node["list"])]
        if found is None:
            return tuple(parts) if kind == "tuple" else torch.Size(parts)
        self._writes += [found.clear, partial(found.update if isinstance(found, set) else found.extend, parts)]
        return found

    def _dict(self, node: dict, name: str, there: Any) -> Any:
        found = self._container(name, node["kind"], there)
        keys = [self.put(key, f"{name}[{n}][0]", None) for n, (key, _) in enumerate(node["dict"])]
        parts = [self.put(one, f"{name}[{n}][1]", found.get(keys[n])) for n, (_, one) in enumerate(node["dict"])]
        self._writes += [found.clear, partial(found.update, zip(keys, parts, strict=True))]
        return found

    def _container(self, name: str, kind: str, there: Any) -> Any:
        new = {"list": list, "set": set, "dict": dict}.get(kind, partial(self._miss, name, kind))
        found = self._made[name] = there if type(there).__name__ == kind else new()  # its parts may lead back to it
        return found

    def _object(self, node: dict, name: str, there: Any) -> Any:
        if type(there).__name__ != node["kind"] or (old := _own(there)) is None:
            return self._miss(name, node["kind"])
        self._made[name] = there  # its own fields may lead back to it
        fields = {n: self.put(part, f"{name}.{n}", old.get(n)) for n, part in node["object"].items()}

        def fill() -> None:
            for gone in [field for field in old if field not in fields]:
                vars(there).pop(gone, None)
            vars(there).update(fields)

        self._writes.append(fill)
        return there
