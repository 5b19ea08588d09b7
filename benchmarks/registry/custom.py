"""Methods and tasks from files outside the suite.

Nothing of the core is edited: what a file holds becomes a row of `METHODS` (a task of `TASKS`) of this process, and the
scheduler has its workers register the same files. Installed packages' methods are found by `registry.methods` itself.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
import traceback
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.core.errors import BadInput, in_a_line
from benchmarks.registry.methods import METHODS, row_of
from benchmarks.registry.own_tasks import task_of
from benchmarks.registry.tasks import TASKS
from benchmarks.task import Task
from tgt.method import Method, MethodConfig

#: What was registered in this process, with the name it has: files of code, and data (JSON, see `register_data`).
_FILES: dict[Path | str, str] = {}


def files() -> dict[Path | str, str]:
    """What was registered in this process, for its workers to register as well, and its names."""
    return dict(_FILES)


def register(path: Path | str) -> str:
    """Make the file's method or task known; its name (the file's, `my_method.py` is my-method).

    Raises:
        BadInput: no such file, an error while it is imported (with its line), nothing or too much in it, a taken name.
    """
    if isinstance(path, str) and path.startswith("{"):
        return register_data(path)
    path = Path(path).expanduser().resolve()
    if path in _FILES:
        return _FILES[path]
    module = _imported(path)
    name = path.stem.replace("_", "-")
    methods, tasks = _own(module, Method), _own(module, Task)
    if len(found := [*methods, *tasks]) != 1:
        told = ", ".join(cls.__name__ for cls in found) if found else "none"
        raise BadInput(f"{path} must define one class derived from tgt.Method or benchmarks.task.Task; it has {told}")
    if name in METHODS or name in TASKS:
        raise BadInput(f"{path}: {name} is a name of the suite's own; call the file something else")
    beside = tuple(sorted(other.stem for other in path.parent.glob("*.py")))  # what it imports of them is its code too
    if methods and (told := _unusable(methods[0])):
        raise BadInput(f"{path}: {methods[0].__name__}.{told}")
    try:
        if methods:
            target = f"{module.__name__}:{methods[0].__name__}"
            METHODS[name] = row_of(target, _facts(methods[0], name), packages=beside)
        else:
            TASKS[name] = task_of(name, tasks[0], (module.__name__, *beside))
    except ValueError as error:
        raise BadInput(f"{path}: {found[0].__name__}: {error}") from error
    _FILES[path] = name
    return name


def register_data(spec: str) -> str:
    """Make a task of data without a file of code; its name, that of the data's file.

    Args:
        spec: JSON of `path` and, where they are not the usual ones, of the columns `text` and `label`; and where the
            path means nothing here, of `folder`, whether it is one.

    Raises:
        BadInput: a taken name.
    """
    if spec in _FILES:
        return _FILES[spec]
    said = json.loads(spec)
    path = Path(said["path"])
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")
    if not name or name in METHODS or name in TASKS:
        raise BadInput(f"--data {path}: {name!r} is a name of the suite's own or none; call the file something else")
    kinds = importlib.import_module("benchmarks.own")
    images = said.pop("folder", path.is_dir()) or path.suffix == ".safetensors"
    kind: type[Task] = kinds.TextData if "text" in said else kinds.ImageData if images else kinds.VectorData
    TASKS[name] = task_of(name, type("Data", (kind,), {**said, "title": path.stem, "__module__": kind.__module__}), ())
    _FILES[spec] = name
    return name


def for_elsewhere(spec: str) -> str:
    """What `register_data` takes on a machine that has not the data's path."""
    said = json.loads(spec)
    return json.dumps({**said, "folder": Path(said["path"]).is_dir()})


def _imported(path: Path) -> ModuleType:
    """Import a file as Python would from its own folder. Raises BadInput in one line that names the place."""
    if not path.is_file():
        raise BadInput(f"there is no file {path}")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        module = importlib.import_module(path.stem)
    except (Exception, SystemExit) as error:
        raise BadInput(f"{place(error, path)}: {in_a_line(error)}") from error
    if Path(module.__file__ or "").resolve() != path:
        raise BadInput(f"{path}: another module is called {path.stem}; call the file something else")
    return module


def place(error: BaseException, path: Path) -> str:
    """The file, and the line in it that an error passed through last."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).resolve() == path:
        return f"{path}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path]
    return f"{path}, line {lines[-1]}" if lines else str(path)


def blamed(error: BaseException) -> str:
    """What to tell of an error that passed through a registered file: the place in it, and the error; else empty."""
    for path in (one for one in _FILES if isinstance(one, Path)):
        if ", line " in (where := place(error, path)):
            return f"{where}: {in_a_line(error)}"
    return ""


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
    if len(variants) > 1 and name not in variants:
        raise ValueError(f"a file is one row: of its variants {', '.join(variants)} none is called {name}")
    only = next(iter(variants.values())) if len(variants) == 1 else {}
    told = vars(cls).get("__doc__") or sys.modules[cls.__module__].__doc__ or ""  # not that of a class of the suite
    return {"about": inspect.cleandoc(told).split("\n")[0], **variants.get(name, only)}


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
