"""The layout: imports run down only, and the files that should stay readable stay so."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from benchmarks.analysis import ledger
from benchmarks.core import paths

CODE = [path for folder in ("tgt", "baselines", "benchmarks") for path in (paths.ROOT / folder).rglob("*.py")]


def test_layers_hold():
    """Imports run down only, late and type-checking ones too, and in no circle, as pyproject.toml has the layers."""
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=paths.ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_packages_stand_on_few_floors():
    """A floor stands above all that it imports; what is found by name alone is no import."""
    rests_on: dict[str, set[str]] = {}
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if names == ["benchmarks"]:
                names = [f"benchmarks.{alias.name}" for alias in node.names]
            own = _package(".".join(path.relative_to(paths.ROOT).with_suffix("").parts))
            rests_on.setdefault(own, set()).update(_package(name) for name in names if name.split(".")[0] in ROOTS)

    def floor(package: str) -> int:
        return 1 + max((floor(below) for below in rests_on.get(package, set()) - {package}), default=0)

    assert max(map(floor, rests_on)) <= 12


ROOTS = ("tgt", "baselines", "benchmarks")


def _package(module: str) -> str:
    """Of a module: tgt, baselines, or what lies directly in benchmarks."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "benchmarks" else parts[0]


def test_files_and_functions_fit_in_one_reading():
    long = [str(path) for path in CODE if len(path.read_text().splitlines()) > 350]
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 60:  # type: ignore[operator]
                long.append(f"{path}: {node.name}")
    assert long == []


def test_importing_tgt_is_light():
    code = "import sys, tgt; print(sorted({'pandas', 'scipy', 'matplotlib', 'benchmarks'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


def test_tgt_stays_compact():
    """All but the wrappers of other libraries' models."""
    own = [path for path in (paths.ROOT / "tgt").glob("*.py") if path.stem not in ("hub", "hub_text")]
    assert sum(len(path.read_text().splitlines()) for path in own) < 970


def test_no_unconfirmed_number_is_printed_as_the_papers():
    assert all(claim.published == "not available" for claim in ledger.load() if claim.trust != "confirmed")
