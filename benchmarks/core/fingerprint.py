"""Hashes that name content: of data, of arrays, of source code; and seeds derived from names."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def array_digest(arrays: Mapping[str, Any]) -> str:
    """SHA-256 over names, types, shapes and bytes of arrays, in the order of their names.

    What comes in parts (`data.stored.Stored`) has the hash that it has as one array, unless its content has a name.
    """
    state = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name] if hasattr(arrays[name], "parts") else np.ascontiguousarray(arrays[name])
        state.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        if known := getattr(array, "identity", ""):
            state.update(known.encode())
            continue
        for part in array.parts() if hasattr(array, "parts") else [array]:
            state.update(np.ascontiguousarray(part).data if part.size else b"")
    return state.hexdigest()


def seed_of(*parts: object) -> int:
    """A 63-bit seed for a named purpose. The same axes give the same seed, whatever else a run differs in."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


class _WithoutDocstrings(ast.NodeTransformer):
    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                body[:] = body[1:] or [ast.Pass()]
        return node


def code_digest(source: str) -> str:
    """SHA-256 of Python source by its meaning: comments, docstrings and layout do not count."""
    return hashlib.sha256(ast.dump(_WithoutDocstrings().visit(ast.parse(source))).encode()).hexdigest()


@cache
def modules_digest(module: str, packages: tuple[str, ...]) -> str:
    """Hash of a module's code together with all code of `packages` that it imports, directly or not."""
    return sources_digest(sources_of(module, packages))


def sources_digest(sources: Mapping[str, str]) -> str:
    """Hash of the code of modules by name."""
    return digest({name: code_digest(source) for name, source in sources.items()})


def sources_of(module: str, packages: tuple[str, ...]) -> dict[str, str]:
    """Source of a module and of all modules of `packages` that it imports, directly or not, by name."""
    seen: dict[str, str] = {}
    queue = [module]
    while queue:
        name = queue.pop()
        try:
            spec = None if name in seen else importlib.util.find_spec(name)
        except ModuleNotFoundError:  # what is imported from a module may be no module itself
            continue
        if spec is None or spec.origin is None or Path(spec.origin).suffix != ".py":
            continue
        source = Path(spec.origin).read_text()
        seen[name] = source
        parent = name if spec.submodule_search_locations else name.rpartition(".")[0]
        queue += [found for found in imports_of(source, parent) if found.split(".")[0] in packages]
    return seen


def imports_of(source: str, package: str = "") -> Iterable[str]:
    """Names of the modules that Python source imports, wherever in it, and of what it imports from them.

    package: what relative imports are meant from.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*parents, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
