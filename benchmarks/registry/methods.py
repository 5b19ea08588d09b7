"""The rows of the tables, as the methods' own files declare them, read without importing these files.

A row is an entry of `variants`: a dict written out in the body of a class at the top of a file of tgt/ or baselines/,
or given to `Name = pooled(Base, {...})` there. A method is added by adding its file, and by nothing else.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.core.paths import ROOT

if TYPE_CHECKING:
    from benchmarks.task import Task
    from tgt import Method

FOLDERS = (ROOT / "tgt", ROOT / "baselines")
ROLES = ("tgt", "rival", "oracle")
STUDENTS = ("student", "pretrained")


@dataclass(frozen=True)
class Row:
    """A row of a table. `variants` of a method's file declares it by these names, target and packages left out.

    Attributes:
        target: `module:name` of a `tgt.Method`: where the row is declared.
        about: what it is, in one line.
        role: "tgt", "rival", or "oracle": it sees real samples that otherwise only the teacher saw. Tables show it, but
            never call it a rival.
        fixed: the hyper-parameters that make this row. search: values that only its search tries;
            none for what has no effect under what is fixed.
        defaults: in place of the task's and the method's own.
        tables: domains whose tables show it unless a person names others.
        only_for: the only domain it can run on; "" means any.
        long_tail: it differs from other rows only where classes are not equally frequent.
        student: which of a task's students it trains, "student" or "pretrained".
        needs_prior: it decodes samples of the generator's prior; where a generator has none, it is left out.
        generator_has: what else of a generator it uses, by name; where a user's lacks one of these, it is left out.
        pool_of: of a row with its samples in a pool, the name of the same without one; "" of all others.
        schedule: its steps are so many times the task's: a method at the length that its paper asks for.
        tuned_as: the row whose searched hyper-parameters it takes; "" is its own. For longer schedules of a row.
        extra: for the time it takes, tables are filled with it only where a person asks for it.
        order: its place in tables, the lowest first; rows of equal order stand by name.
        colour: in all figures, as "#rrggbb"; "" leaves it to the figure.
        packages: of a method from outside, further packages and modules whose code is the method's own.
    """

    target: str
    about: str
    role: str = "rival"
    fixed: dict[str, Any] = field(default_factory=dict)
    search: dict[str, list[Any]] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    only_for: str = ""
    long_tail: bool = False
    student: str = "student"
    needs_prior: bool = False
    generator_has: list[str] = field(default_factory=list)
    pool_of: str = ""
    schedule: int = 1
    tuned_as: str = ""
    extra: bool = False
    order: int = 1000
    colour: str = ""
    packages: tuple[str, ...] = ()

    def load(self) -> type[Method]:
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(module), name)

    @property
    def module(self) -> str:
        return self.target.partition(":")[0]

    @property
    def is_tgt(self) -> bool:
        return self.role == "tgt"

    @property
    def is_oracle(self) -> bool:
        return self.role == "oracle"

    @property
    def other_student(self) -> bool:
        """Whether its student is not the other rows' student: it is shown, but not called a rival either."""
        return self.student != "student"

    @property
    def domain(self) -> str:
        """The only domain it is for, by its row or, of a method from outside, by an attribute `domain` of its class."""
        return self.only_for or (getattr(self.load(), "domain", "") if self.packages else "")

    def unfit(self, task: Task) -> str:
        """Why it cannot run on a task; "" if it can."""
        if self.domain not in ("", task.domain):
            return f"it is for {self.domain} tasks, and {task.name} is one of {task.domain}"
        if self.student not in task.students:
            return f"{task.name} has no {self.student} student"
        return ""

    def space(self, task: Task) -> dict[str, list[Any]]:
        """The values that its search tries on a task, by hyper-parameter; an axis that the row empties is none."""
        own = self.load().search
        found = {**own, **{name: values for name, values in task.search.items() if name in own}, **self.search}
        return {name: values for name, values in found.items() if values}


#: What `variants` may say of a row, and what kind of literal says it.
FACTS: dict[str, type] = {
    "about": str, "role": str, "fixed": dict, "search": dict, "defaults": dict, "tables": list, "only_for": str,
    "long_tail": bool, "student": str, "needs_prior": bool, "generator_has": list, "pool_of": str,
    "schedule": int, "tuned_as": str, "extra": bool, "order": int, "colour": str,
}  # fmt: skip


def row_of(target: str, facts: Mapping[str, Any], packages: tuple[str, ...] = ()) -> Row:
    """A row by what `variants` says of it. Raises ValueError for what a row cannot be told."""
    for name, value in facts.items():
        if told := _wrong(name, value):
            raise ValueError(told)
    if "about" not in facts:
        raise ValueError("about is missing: one line that says what the row is")
    return Row(target, packages=packages, **{**facts, "tables": tuple(facts.get("tables", ()))})


def _wrong(name: str, value: Any) -> str:
    """Why a fact cannot be said of a row; "" if it can."""
    if name not in FACTS:
        near = get_close_matches(name, FACTS, 1)
        return f"a row has no {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(FACTS)}")
    if not isinstance(value, FACTS[name]):
        return f"{name} must be a {FACTS[name].__name__}, not {value!r}"
    known = {"role": ROLES, "student": STUDENTS}.get(name)
    if known and value not in known:
        return f"{name} must be one of {', '.join(known)}, not {value!r}"
    if isinstance(value, int) and name == "schedule" and value < 1:
        return f"schedule must be at least 1, not {value}"
    if name == "colour" and not re.fullmatch("(#[0-9a-fA-F]{6})?", str(value)):
        return f"colour must be written as #rrggbb, not {value!r}"
    return ""


def read(folders: Iterable[Path] = FOLDERS) -> dict[str, Row]:
    """The rows that the files of packages' folders declare, in their order.

    Raises:
        ValueError: a declaration that is none, or a name used twice; one line with file and line.
    """
    rows: dict[str, Row] = {}
    places: dict[str, str] = {}
    for path in [path for folder in folders for path in sorted(folder.glob("*.py"))]:
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            raise ValueError(f"{path}, line {error.lineno}: {error.msg}") from error
        for cls, variants in _declared(tree):
            for name, facts in _entries(variants, path):
                place = f"{path}, line {facts.lineno}"
                if name in rows:
                    raise ValueError(f"{place}: there is a row {name} already ({places[name]})")
                told = {fact: _literal(value, path) for fact, value in _entries(facts, path)}
                try:
                    rows[name], places[name] = row_of(f"{path.parent.name}.{path.stem}:{cls}", told), place
                except ValueError as error:
                    raise ValueError(f"{place}: {name}: {error}") from error
    return dict(sorted(rows.items(), key=lambda pair: (pair[1].order, pair[0])))


def _declared(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """The name and the `variants` of each class at the top of a file that has them."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name, body=body):
                for inner in body:
                    match inner:
                        case ast.Assign(targets=[ast.Name(id="variants")], value=value):
                            yield name, value
                        case ast.AnnAssign(target=ast.Name(id="variants"), value=ast.expr() as value):
                            yield name, value
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id="pooled"), args=args) as call):
                yield from ((name, value) for value in args[1:])
                yield from ((name, keyword.value) for keyword in call.keywords if keyword.arg == "variants")


def _entries(node: ast.expr, path: Path) -> Iterator[tuple[str, ast.expr]]:
    """Names and values of a dict that is written out; ValueError for anything else."""
    if not isinstance(node, ast.Dict):
        raise ValueError(f"{path}, line {node.lineno}: variants is read without running the file: write the dict out")
    for key, value in zip(node.keys, node.values, strict=True):
        if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
            raise ValueError(f"{path}, line {value.lineno}: variants is read without running the file: write names out")
        yield key.value, value


def _literal(node: ast.expr, path: Path) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise ValueError(
            f"{path}, line {node.lineno}: variants is read without running the file: {ast.unparse(node)} is no literal"
        ) from error


def _installed() -> dict[str, Row]:
    """Methods of installed packages: name -> `module:class` under the entry point group `tgt_benchmarks.methods`."""
    found = {}
    for point in metadata.entry_points(group="tgt_benchmarks.methods"):
        package = point.module.split(".")[0]
        found[point.name] = Row(point.value, f"from the package {package}", packages=(package,))
    return found


#: Every row by its name, in the order of tables. Custom files are added to it (`registry.custom`).
METHODS: dict[str, Row] = read()
METHODS.update({name: row for name, row in _installed().items() if name not in METHODS})


def fact(name: str) -> Row:
    """The row of a name; where it is not known here (a record of somebody's own method), one of which nothing is told.

    What nothing is told of is a rival without a colour, and cannot be loaded.
    """
    return METHODS.get(name) or Row(target="", about="")


def rows_of(task: Task) -> tuple[str, ...]:
    """The rows of a task's tables that fit it; where no row names its domain, those of images that are for any."""
    known = any(task.domain in row.tables for row in METHODS.values())
    domain = task.domain if known else "image"
    return tuple(name for name, row in METHODS.items() if domain in row.tables and not row.unfit(task))


def version_of(cls: type) -> int:
    """The versions of a class and of all its parents, added up: a parent's change counts for all that rest on it."""
    return sum(vars(parent).get("version", 0) for parent in cls.__mro__)
