"""A cell on a node of a cluster: run only where code, data and teachers are the driver's; what it lacks is sent for."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from filelock import FileLock

from benchmarks.core import kept, paths
from benchmarks.core.environment import code_sha256, environment
from benchmarks.core.errors import of_the_machine
from benchmarks.core.fingerprint import digest, sources_of
from benchmarks.records.record import Spec
from benchmarks.registry import custom
from benchmarks.registry.methods import METHODS
from benchmarks.registry.tasks import TASKS
from benchmarks.runs import handover
from benchmarks.runs.execute import execute
from benchmarks.runs.run import Run
from benchmarks.runs.scheduler import one_thread


@dataclass(frozen=True)
class Handed:
    """What nodes get of files, data and teachers from outside: no path of the driver's machine means a thing there."""

    files: tuple[str, ...]  # names of registered files, without .py
    data: tuple[str, ...]  # see `custom.register_data`
    sources: dict[str, str] = field(repr=False)  # of the files and of what they import from beside them
    made: bytes = field(repr=False)

    @classmethod
    def gathered(cls) -> Handed:
        """Of this process. Raises BadInput for a teacher that cannot be handed over."""
        files = {path: name for path, name in custom.files().items() if not isinstance(path, str)}
        sources: dict[str, str] = {}
        for path, name in files.items():
            sources |= sources_of(path.stem, METHODS[name].packages if name in METHODS else TASKS[name].code)
        data = tuple(custom.for_elsewhere(spec) for spec in custom.files() if isinstance(spec, str))
        return cls(tuple(path.stem for path in files), data, sources, handover.pickled())

    def take(self) -> None:
        folder = paths.cache() / "outside" / digest(self.sources)[:16]
        for name, source in self.sources.items():
            if not (path := folder / f"{name}.py").exists():
                with paths.atomic(path) as temporary:
                    temporary.write_text(source)
        for name in self.files:
            custom.register(folder / f"{name}.py")
        for spec in self.data:
            custom.register_data(spec)
        handover.unpickled(self.made)


@dataclass(frozen=True)
class Wanted:
    """A cell, and what must be on a node as it is on the driver."""

    spec: Spec
    overrides: tuple[tuple[str, Any], ...] | None
    facts: dict[str, Any]
    teachers: dict[str, str]  # SHA-256 of each part's file

    @classmethod
    def of(cls, run: Run) -> Wanted:
        files = {part: kept.found(recipe.path) for part, recipe in run.recipes.items()}
        return cls(run.spec, run.overrides, facts(run), files)


@dataclass(frozen=True)
class Refused:
    node: str
    reason: str


def facts(run: Run) -> dict[str, Any]:
    """All that must be equal for two machines to run the same cell."""
    return {"code": code_sha256(), "packages": environment()["packages"], **run.identity}


def cell(desk: Any, handed: list[Any], wanted: Wanted, name: str) -> str | Refused:
    """Run a cell: the record's line.

    Args:
        desk: see `desk.Desk`. handed: a reference to what is handed over, fetched once a process. name: of this try.
    """
    import ray

    node, address = ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address()
    one_thread()
    kept.ELSEWHERE[:] = [lambda file, sha256: ray.get(desk.file.remote(file, sha256))]

    def watch(step: int, steps: int, loss: float) -> None:
        label = f"{wanted.spec.label} ({address})"
        desk.tell.remote(name, {"cell": label, "step": step, "steps": steps, "loss": loss, "node": node})

    try:
        _take(handed[0])
        run = Run(wanted.spec, wanted.overrides)
        watch(0, run.steps, 0.0)
        if told := _teachers(run, wanted.teachers) or _differs(facts(run), wanted.facts):
            return Refused(node, f"{address} is left out: {told}")
        return execute(run, watch).line()
    except Exception as error:
        if not of_the_machine(error):
            raise
        return Refused(node, f"{address} is left out: {error}")


@cache
def _take(handed: Any) -> None:
    import ray

    ray.get(handed).take()


def _teachers(run: Run, files: dict[str, str]) -> str:
    """Send for the teacher's files that are not here; what is wrong with those that are."""
    for part, recipe in run.recipes.items():
        path = recipe.path
        if not os.path.lexists(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_suffix(".lock")):
                raw = None if os.path.lexists(path) else kept.delivered(path, files[part])
                if raw is not None:
                    with paths.atomic(path) as temporary:
                        temporary.write_bytes(raw)
                        kept.enter(path, files[part])
        if (found := kept.found(path)) != files[part]:
            return f"another teacher than the driver's ({path.name}: hash is {found}, expected {files[part]})"
    return ""


def _differs(here: dict[str, Any], there: dict[str, Any]) -> str:
    """What is not as it is on the driver; "" if all is."""
    for name in there:
        if here.get(name) != there[name]:
            what = name.removesuffix("_sha256").replace("_", " ")
            return f"another {what} than the driver's ({_short(here.get(name))}, expected {_short(there[name])})"
    return ""


def _short(value: Any) -> str:
    return value[:12] if isinstance(value, str) else str(value)
