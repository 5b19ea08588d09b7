"""`new`: a file that works, to begin from. The templates are the files of examples/."""

from __future__ import annotations

import importlib.util
import keyword
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from benchmarks.core import paths
from benchmarks.core.errors import BadInput
from benchmarks.registry.methods import METHODS
from benchmarks.registry.tasks import TASKS
from benchmarks.report.artefact import write_text


@dataclass
class Options:
    kind: Literal["", "images", "text", "vectors", "retrieval"] = ""
    """Of a task: what its data are. Without it: a task with a student and a teacher of its own."""


def run(target: str, words: list[str], options: Options, console: Console, folder: Path | None = None) -> int:
    """Write NAME.py beside the person, its class named after it. Raises BadInput for a name that will not do."""
    kind, name = words
    if options.kind and kind != "task":
        raise BadInput("--kind says what a task's data are; a method is for all kinds")
    stem = name.removesuffix(".py").replace("-", "_")
    if not stem.isidentifier() or keyword.iskeyword(stem) or stem.startswith("_") or len(stem) > 100:
        raise BadInput(f"new: {name!r} cannot be a module's name; up to 100 letters, digits and _ can, no _ first")
    path = (folder or Path.cwd()) / f"{stem}.py"
    if path.exists():
        raise BadInput(f"new: {path} is there already")
    if stem.replace("_", "-") in (*METHODS, *TASKS):
        raise BadInput(f"new: {stem.replace('_', '-')} is a name of the suite's own")
    if importlib.util.find_spec(stem):
        raise BadInput(f"new: there is a module {stem} already, which Python would import in its place")
    template = (paths.ROOT / "examples" / f"my_{options.kind or kind}.py").read_text()
    title = "".join(word.capitalize() for word in stem.split("_"))
    write_text(path, re.sub(rf"\bMy{kind.capitalize()}(Config)?\b", rf"{title}\1", template))
    console.print(f"written: {path}", markup=False)
    use = f"--tasks {path.name}" if kind == "task" else path.name
    console.print(f"check it: ./reproduce.sh validate {path}", markup=False)
    example = f"table1 {use}" if kind == "task" else f"compare {use} --tasks fashion-lt"
    console.print(f"use it:   ./reproduce.sh {example}", markup=False)
    return 0
