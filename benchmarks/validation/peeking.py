"""Whether a method looks where the test data are: at modules of the benchmark, or at files of the data cache."""

from __future__ import annotations

import ast
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.core import paths
from benchmarks.core.fingerprint import imports_of


def of_benchmarks(module: str, packages: tuple[str, ...]) -> Iterator[tuple[Path, int | None, str]]:
    """Where a module, or one of `packages` that it imports, names a module of the benchmark: file, line, what.

    A text counts as well: it may be handed to `importlib`.
    """
    seen: set[str] = set()
    queue = [module]
    while queue:
        found = sys.modules.get(name := queue.pop())
        if name in seen or found is None or not found.__file__:
            continue
        seen.add(name)
        file = Path(found.__file__)
        for node in ast.walk(ast.parse(source := file.read_text())):
            named = [*imports_of(ast.unparse(node))] if isinstance(node, ast.Import | ast.ImportFrom) else []
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
                named = [node.value]
            if told := next((one for one in named if one.split(".")[0] == "benchmarks"), ""):
                yield file, getattr(node, "lineno", None), told
        queue += [one for one in imports_of(source, name.rpartition(".")[0]) if one.split(".")[0] in packages]


_watching: list[list] = []


def _audit(event: str, args: tuple) -> None:
    if _watching and event == "open" and str(args[0]).startswith(str(paths.cache() / "data")):
        stack = [(frame.f_code.co_filename, number) for frame, number in traceback.walk_stack(sys._getframe(1))]
        _watching[-1].append((Path(str(args[0])).name, stack[::-1]))


@contextmanager
def files_watched() -> Iterator[list]:
    """Files of the data cache opened in the block, each with the (file, line) frames that opened it."""
    if not getattr(_audit, "installed", False):  # an audit hook stays for the life of the process
        sys.addaudithook(_audit)
        _audit.installed = True  # type: ignore[attr-defined]
    _watching.append([])
    try:
        yield _watching[-1]
    finally:
        _watching.pop()
