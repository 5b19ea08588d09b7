"""The rows of the tables are what the methods' files declare, found without importing them."""

from __future__ import annotations

import importlib
import inspect
import pickle
import subprocess
import sys
from copy import copy
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pytest

from baselines.corpus import InverseCloze, PooledInverseCloze
from baselines.distillation import Distillation
from baselines.distillation_unlabelled import PooledUnlabelledDistillation
from baselines.prior_sampling import PooledPriorSampling
from benchmarks.core.errors import BadInput
from benchmarks.core.paths import ROOT
from benchmarks.registry import custom, tasks
from benchmarks.registry import methods as registry
from benchmarks.registry.experiments import EXPERIMENTS, Choice
from benchmarks.registry.methods import FACTS, METHODS, Row, fact, read, rows_of, version_of
from benchmarks.runs.grid import grid
from tgt import TGT, Method, Pool, PoolConfig, PooledTGT, TGTConfig
from tgt.pooled import pooled

BUILT_IN = {name: row for name, row in METHODS.items() if not row.packages}


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_is_read_is_what_importing_gives(name):
    row = BUILT_IN[name]
    cls = row.load()
    assert issubclass(cls, Method)
    assert registry.row_of(row.target, vars(cls)["variants"][name]) == row
    assert Path(inspect.getsourcefile(cls) or "").resolve() == (ROOT / f"{row.module.replace('.', '/')}.py").resolve()
    assert f"{cls.__module__}:{cls.__qualname__}" == row.target
    config = cls.Config(**{**row.defaults, **row.fixed})
    assert pickle.loads(pickle.dumps(config)) == config
    assert issubclass(cls, Pool) == bool(row.pool_of)
    assert set(row.search) <= {field.name for field in fields(cls.Config)}


def test_every_declared_row_is_found():
    for package in ("tgt", "baselines"):
        for path in (ROOT / package).glob("*.py"):
            importlib.import_module(f"{package}.{path.stem}")
    declared = {name for cls in _subclasses(Method) if _ours(cls) for name in vars(cls).get("variants", {})}
    assert declared == set(BUILT_IN)


def _subclasses(cls: type) -> set[type]:
    return {cls, *(found for child in cls.__subclasses__() for found in _subclasses(child))}


def _ours(cls: type) -> bool:
    return cls.__module__.split(".")[0] in ("tgt", "baselines")


def test_rows_are_read_without_what_methods_need():
    code = "import sys, benchmarks.registry.methods; print(sorted({'torch', 'numpy', 'pandas'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr
    code = "import sys, tgt; print(sorted({'pandas', 'scipy', 'matplotlib'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


def test_every_fact_of_a_row_can_be_declared():
    assert {field.name for field in fields(Row)} - {"target", "packages"} == FACTS.keys()


def test_places_and_colours():
    assert [row.order for row in BUILT_IN.values()] == sorted({row.order for row in BUILT_IN.values()})
    assert all(row.colour for row in BUILT_IN.values())
    assert {name for name, row in BUILT_IN.items() if row.is_oracle} == {
        "distillation-unlabelled",
        "distillation-unlabelled-pool",
    }
    assert all(row.pool_of not in BUILT_IN or not BUILT_IN[row.pool_of].pool_of for row in BUILT_IN.values())


def test_rows_of_a_task_in_the_order_of_tables():
    assert rows_of(tasks.get("manifold-2-in-32")) == (
        "one-hot", "distillation", "prior-sampling", "tgt-random", "tgt-gradient"
    )  # fmt: skip
    assert rows_of(tasks.get("movie-5")) == (
        "one-hot", "distillation", "dkd", "distillation-unlabelled-pool", "augmentation-pool", "substitution-pool",
        "mate-kd-pool", "uda", "interpolation-pool", "prior-sampling-pool", "prior-only-pool", "tgt-random-pool",
        "tgt-gradient-pool", "pretrained-one-hot", "pretrained-distillation",
    )  # fmt: skip
    unheard_of = copy(tasks.get("fashion-lt"))
    unheard_of.domain = "sound"
    of_images = rows_of(tasks.get("fashion-lt"))
    assert rows_of(unheard_of) == tuple(name for name in of_images if METHODS[name].only_for != "image")


# --- files of another folder


@pytest.fixture
def folder(tmp_path):
    """A folder of methods: the suite's baselines by their text, and what a test adds."""
    (tmp_path / "baselines").mkdir()
    for path in (ROOT / "baselines").glob("*.py"):
        (tmp_path / "baselines" / path.name).write_text(path.read_text())
    return tmp_path / "baselines"


NEW = """
from tgt.pooled import pooled

class Newest(Base):
    variants = {"newest": {"about": "something", "order": 15, "tables": ["image"]}}

PooledNewest = pooled(Newest, {"newest-pool": {"about": "something kept", "pool_of": "newest", "colour": "#00ff00"}})
Other = pooled(Newest, variants={"other-pool": {"about": "by its name", "pool_of": "other", "role": "oracle"}})
"""


def test_a_new_file_is_found_with_no_other_edit(folder):
    before = read([folder])
    (folder / "newest.py").write_text(NEW)
    rows = read([folder])
    assert {name: row for name, row in rows.items() if name in before} == before
    assert rows.keys() - before.keys() == {"newest", "newest-pool", "other-pool"}
    assert rows["newest"] == Row("baselines.newest:Newest", "something", order=15, tables=("image",))
    assert rows["newest-pool"].target == "baselines.newest:PooledNewest"
    assert rows["newest-pool"].pool_of
    assert rows["other-pool"].is_oracle
    assert list(rows)[:3] == ["one-hot", "newest", "logit-adjusted"]
    assert list(rows)[-2:] == ["newest-pool", "other-pool"]  # who names no place comes last, by name


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ('{"about": "x", "color": "#000000"}', "newest: a row has no 'color'; did you mean 'colour'?"),
        ('{"about": "x", "zzz": 1}', "newest: a row has no 'zzz'; there are about, role,"),
        ('{"about": "x", "role": "ceiling"}', "newest: role must be one of tgt, rival, oracle, not 'ceiling'"),
        ('{"about": "x", "student": "large"}', "newest: student must be one of student, pretrained, not 'large'"),
        ('{"about": "x", "colour": "red"}', "newest: colour must be written as #rrggbb, not 'red'"),
        ('{"about": "x", "tables": "image"}', "newest: tables must be a list, not 'image'"),
        ('{"role": "tgt"}', "newest: about is missing"),
        ('{"about": TEXT}', "TEXT is no literal"),
        ('{**COMMON, "about": "x"}', "write names out"),
        ("dict(about='x')", "write the dict out"),
        ('{"about": "x"}, "newest": {"about": "y"}', "there is a row newest already ("),
        ('{"about": "x"}, "uda": {"about": "y"}', "there is a row uda already ("),
        ('{"about": "x"', "was never closed"),
    ],
)
def test_a_bad_declaration_is_one_line_with_its_place(folder, facts, told):
    (folder / "zz_newest.py").write_text(f'class Newest(Base):\n    variants = {{\n        "newest": {facts}\n    }}\n')
    with pytest.raises(ValueError, match=r"zz_newest\.py, line [23]: ") as error:
        read([folder])
    assert told in str(error.value)
    assert "\n" not in str(error.value)


# --- versions


def test_versions_add_up_over_parents():
    assert version_of(Method) == Method.version
    assert all(version_of(row.load()) >= Method.version for row in BUILT_IN.values())

    class Changed(Distillation):
        version = 1

    class Below(Changed):
        pass

    class Twice(Changed):
        version = 2

    before = version_of(Distillation)
    assert [version_of(cls) for cls in (Changed, Below, Twice)] == [before + 1, before + 1, before + 3]
    assert version_of(Distillation) == before


# --- pooled twins


def test_a_pooled_twin_has_the_fields_of_both_parents():
    assert PooledUnlabelledDistillation.Config is PoolConfig
    assert asdict(PooledPriorSampling.Config()) == {**asdict(PoolConfig()), "start": "prior"}
    assert {"longest", "shortest", "pool", "renew", "every", "sigma"} <= asdict(PooledInverseCloze.Config()).keys()
    assert PooledInverseCloze.__mro__[1:3] == (Pool, InverseCloze)
    assert PooledInverseCloze.__module__ == "baselines.corpus"


@dataclass(frozen=True)
class PickyConfig(TGTConfig):
    pickiness: int = 1

    def __post_init__(self) -> None:  # without super(): the pool's own condition is looked at all the same
        if self.pickiness < 0:
            raise ValueError("pickiness must not be below 0")


class Picky(TGT):
    Config = PickyConfig


PooledPicky = pooled(Picky)


def test_a_pooled_twins_config_refuses_what_either_parent_refuses():
    assert (PooledPicky.Config(pickiness=3, pool=5, renew=1).pickiness, PooledPicky.variants) == (3, {})
    with pytest.raises(ValueError, match="pickiness"):
        PooledPicky.Config(pickiness=-1)
    with pytest.raises(ValueError, match="renew must lie between"):
        PooledPicky.Config(pool=5, renew=6)
    with pytest.raises(ValueError, match="share must lie between"):
        PooledInverseCloze.Config(share=2.0)
    with pytest.raises(ValueError, match="renew must lie between"):
        PooledInverseCloze.Config(renew=-1)


# --- what is not known here, and custom files


def test_of_an_unknown_name_nothing_is_told():
    row = fact("somebodys-own")
    assert (row.role, row.colour, row.pool_of, row.other_student) == ("rival", "", "", False)
    assert fact("tgt-random") is METHODS["tgt-random"]
    assert not fact("tgt-of-somebody").is_tgt
    assert fact("tgt-gradient-pool").is_tgt


@pytest.fixture
def register(tmp_path):
    """Registers a custom file for the length of a test."""
    before = set(METHODS)

    def write(stem: str, variants: str = "", doc: str = "Mine it is.") -> Row:
        path = tmp_path / f"{stem}.py"
        path.write_text(f'from tgt import PooledTGT\n\nclass Mine(PooledTGT):\n    """{doc}"""\n{variants}\n')
        return METHODS[custom.register(path)]

    yield write
    for name in METHODS.keys() - before:
        del METHODS[name]
    custom._FILES.clear()


def test_a_name_makes_nobodys_method_tgt(register):
    row = register("tgt_mine")
    assert METHODS["tgt-mine"] is row
    assert (row.role, row.about, row.pool_of) == ("rival", "Mine it is.", "")  # nor do the variants of its parent
    assert not fact("tgt-mine").is_tgt
    assert row.load().variants == PooledTGT.variants


def test_a_persons_file_may_declare_the_facts_of_its_row(register):
    row = register(
        "declared_alone", '    variants = {"any": {"role": "tgt", "colour": "#123456", "fixed": {"pool": 5}}}'
    )
    assert (row.is_tgt, row.colour, row.fixed, row.about) == (True, "#123456", {"pool": 5}, "Mine it is.")
    two = '    variants = {"other": {"order": 1}, "declared-two": {"about": "the second", "only_for": "text"}}'
    row = register("declared_two", two)
    assert (row.about, row.domain, row.order) == ("the second", "text", 1000)
    with pytest.raises(BadInput, match="of its variants a, b none is called declared-none"):
        register("declared_none", '    variants = {"a": {"order": 1}, "b": {"order": 2}}')
    with pytest.raises(BadInput, match=r"Mine: a row has no 'colur'; did you mean 'colour'\?"):
        register("declared_badly", '    variants = {"a": {"colur": "#123456"}}')
    with pytest.raises(BadInput, match="variants must be a dict of rows"):
        register("declared_worse", '    variants = ["a"]')


def test_a_table_has_the_rows_that_take_long_only_where_they_are_asked_for():
    task = tasks.get("fashion-lt")
    usual, every = (EXPERIMENTS["table1"].methods(task, extra) for extra in (False, True))
    assert set(every) - set(usual) == {name for name in rows_of(task) if METHODS[name].extra} != set()
    runs = [grid("table1", Choice(tasks=("fashion-lt",), seeds=1, extra=extra)) for extra in (False, True)]
    assert [tuple(run.spec.method for run in some) for some in runs] == [usual, every]
