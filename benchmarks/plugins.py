"""Methods and tasks from files outside the repository.

Nothing of the core is edited: what a file holds becomes a row of `METHODS` (a task of `TASKS`) of this process, and the
engine has its workers register the same files. Installed packages' methods are found by the table of methods itself.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.registry.methods import METHODS, row_of
from tgt import MethodConfig

_FILES: dict[Path, str] = {}  # what was registered from files in this process, with the name it has


class BadFile(ValueError):
    """A file that gives no method or task: one line for the person."""


def files() -> tuple[Path, ...]:
    """The files registered in this process, for its workers to register as well."""
    return tuple(_FILES)


def register(path: Path | str) -> str:
    """Make the file's method or task known; its name (the file's, `my_method.py` is my-method).

    Raises:
        BadFile: no such file, an error while it is imported (with its line), nothing or too much in it, a taken name.
    """
    from benchmarks import own_task, tasks
    from tgt import Method

    path = Path(path).expanduser().resolve()
    if path in _FILES:
        return _FILES[path]
    module = load(path)
    name = path.stem.replace("_", "-")
    methods = _own(module, Method)
    found = [*methods, *_own(module, own_task.OwnTask)]
    if len(found) != 1:
        told = ", ".join(cls.__name__ for cls in found) if found else "none"
        raise BadFile(
            f"{path} must define one class derived from tgt.Method or benchmarks.own_task.OwnTask; it has {told}"
        )
    if name in METHODS or name in tasks.TASKS:
        raise BadFile(f"{path}: {name} is a name of the suite's own; call the file something else")
    if methods:
        if told := _unusable(methods[0]):
            raise BadFile(f"{path}: {methods[0].__name__}.{told}")
        target = f"{module.__name__}:{methods[0].__name__}"
        try:
            METHODS[name] = row_of(target, _facts(methods[0], name), packages=tuple(_siblings(path)))
        except ValueError as error:
            raise BadFile(f"{path}: {methods[0].__name__}.variants: {error}") from error
    else:
        try:
            tasks.TASKS[name] = own_task.task(name, found[0], tuple(_siblings(path)))
        except ValueError as error:
            raise BadFile(f"{path}: {error}") from error
    _FILES[path] = name
    return name


def load(path: Path) -> ModuleType:
    """Import a file as Python would from its own folder. Raises BadFile in one line that names the place."""
    if not path.is_file():
        raise BadFile(f"there is no file {path}")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        module = importlib.import_module(path.stem)
    except (Exception, SystemExit) as error:
        raise BadFile(f"{place(error, path)}: {type(error).__name__}: {_first_line(error)}") from error
    if Path(module.__file__ or "").resolve() != path:
        raise BadFile(f"{path}: another module is called {path.stem}; call the file something else")
    return module


def place(error: BaseException, path: Path) -> str:
    """The file, and the line in it that an error passed through last."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).resolve() == path:
        return f"{path}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if _same(frame.filename, path)]
    return f"{path}, line {lines[-1]}" if lines else str(path)


def _same(name: str, path: Path) -> bool:
    return Path(name).resolve() == path


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]


def _own(module: ModuleType, base: type) -> list[Any]:
    """Classes derived from `base` that the module defines and that no other of its classes derives from."""
    found = [
        cls
        for cls in vars(module).values()
        if isinstance(cls, type) and issubclass(cls, base) and cls.__module__ == module.__name__
    ]
    return [cls for cls in found if not any(cls in other.__mro__[1:] for other in found)]


def _facts(cls: Any, name: str) -> dict[str, Any]:
    """What a class's own `variants` say of the file's row: the entry of its name, or the only one."""
    variants = vars(cls).get("variants", {})
    only = next(iter(variants.values())) if len(variants) == 1 else {}
    return {"about": (inspect.getdoc(cls) or "").split("\n")[0], **variants.get(name, only)}


def _unusable(cls: Any) -> str:
    """Why no grid of a method can be made at all; empty where it can. What is finer the contract tells."""
    config = cls.Config
    if not (inspect.isclass(config) and is_dataclass(config) and issubclass(config, MethodConfig)):
        return f"Config must be a frozen dataclass derived from MethodConfig, not {getattr(config, '__name__', config)}"
    if not isinstance(cls.search, dict) or not all(isinstance(v, list | tuple) and v for v in cls.search.values()):
        return f"search must be a dict of lists of values to try, not {cls.search!r}"
    if not isinstance(cls.variants, dict) or not all(isinstance(facts, dict) for facts in cls.variants.values()):
        return f"variants must be a dict of rows, each a dict of what it is, not {cls.variants!r}"
    return ""


def _siblings(path: Path) -> list[str]:
    """Modules beside the file: what it imports of them is part of its code."""
    return sorted(other.stem for other in path.parent.glob("*.py"))
