"""Methods and tasks from files outside the suite.

Nothing of the core is edited: what a file holds becomes a row of `METHODS` (a task of `TASKS`) of this process, and the
scheduler has its workers register the same files. Installed packages' methods are found by `registry.methods` itself.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from dataclasses import is_dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.core.errors import BadInput
from benchmarks.registry.methods import METHODS, row_of
from benchmarks.registry.tasks import TASKS
from benchmarks.task import Task
from tgt.method import Method, MethodConfig

_FILES: dict[Path, str] = {}  # what was registered from files in this process, with the name it has


def files() -> tuple[Path, ...]:
    """The files registered in this process, for its workers to register as well."""
    return tuple(_FILES)


def register(path: Path | str) -> str:
    """Make the file's method or task known; its name (the file's, `my_method.py` is my-method).

    Raises:
        BadInput: no such file, an error while it is imported (with its line), nothing or too much in it, a taken name.
    """
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


def task_of(name: str, cls: type[Task], code: tuple[str, ...]) -> Task:
    """A custom task. With a `base`, all that the class does not give is that task's. Raises ValueError."""
    given = {part for part in ("data", "student", "teacher") if getattr(cls, part) is not getattr(Task, part)}
    if not cls.base:
        if absent := sorted({"data", "student", "teacher"} - given):
            raise ValueError(f"{cls.__name__} has no {', '.join(absent)}, and names no `base` to take them from")
        cls.name, cls.code, cls.dataset, cls.family, cls.tuned_on = name, code, name, "", ""
        cls.note = cls.note or f"a task of the file {cls.__module__}.py"
        return cls()
    if cls.base not in TASKS:
        raise ValueError(f"{cls.__name__}: base {cls.base!r} is no task; there are {', '.join(TASKS)}")
    base = TASKS[cls.base]
    if base.domain == "retrieval" and "data" in given:
        raise ValueError(f"{cls.__name__}: data for {cls.base} cannot be given here; change its student or teacher")
    both: type[Task] = type(cls.__name__, (cls, type(base)), {"__module__": cls.__module__})
    task = object.__new__(both)
    own = {part: value for part, value in vars(cls).items() if not part.startswith("_")}
    vars(task).update({part: value for part, value in vars(base).items() if part not in own})
    task.name = task.family = name
    task.title, task.code = cls.title or f"{base.title} ({name})", code
    task.defaults = {**base.defaults, **cls.defaults}
    small: dict[str, Any] = {part: own[part] for part in ("budget", "budgets", "steps", "batch") if part in own}
    if {"budget", "budgets"} & small.keys():
        small["table"] = ()  # of the base's budgets
    smoke = {"steps": own["smoke_steps"]} if "smoke_steps" in own else {}
    given_sizes = {"small": small, "smoke": smoke}
    task.sizes = {size: replace(values, **given_sizes.get(size, {})) for size, values in base.sizes.items()}
    if "data" in given:
        task.dataset = name
    if "student" in given:
        task.students = {**base.students, "student": "student.v1"}
    if "teacher" in given:
        task.teachers, task.fits = {}, lambda: {}  # type: ignore[method-assign]
    return task


def _imported(path: Path) -> ModuleType:
    """Import a file as Python would from its own folder. Raises BadInput in one line that names the place."""
    if not path.is_file():
        raise BadInput(f"there is no file {path}")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        module = importlib.import_module(path.stem)
    except (Exception, SystemExit) as error:
        told = (str(error).splitlines() or [""])[0]
        raise BadInput(f"{place(error, path)}: {type(error).__name__}: {told}") from error
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
