"""What docs/methods.md names is there, and its example keeps the contract."""

from __future__ import annotations

import re

import pytest
import torch
from test_contract import broken, register  # noqa: F401

import tgt
from benchmarks.core import paths
from benchmarks.validation import toys
from tgt import Batch

TEXT = (paths.ROOT / "docs" / "methods.md").read_text()


@pytest.mark.parametrize("owner", ["batch", "data", "teacher"])
def test_every_field_that_is_named_exists_and_every_field_is_named(owner):
    data = toys.data("image")
    found = {"batch": Batch(data, torch.arange(4)), "data": data, "teacher": data.teacher}[owner]
    named = set(re.findall(rf"`(?:self\.)?{owner}\.(\w+)", TEXT))
    public = {name for name in [*dir(type(found)), *vars(found)] if not name.startswith("_")}
    assert named <= public
    assert public - named <= {"data", "costs", "passages"}


def test_shapes_are_as_they_are_told():
    data = toys.data("image")
    batch, sizes = Batch(data, torch.arange(4)), {"B": 4, "N": 40, "L": 4, "M": 50}
    rows = re.findall(r"^\| `(batch|data)\.(\w+)` \| (\([^|]*?)(?: int64)? \|", TEXT, re.MULTILINE)
    assert len(rows) > 10
    for owner, name, shape in rows:
        value = getattr({"batch": batch, "data": data}[owner], name)
        told = [part.strip() for part in shape.strip("()").split(",") if part.strip()]
        for size, symbol in zip(value.shape, told, strict=False):
            assert symbol in ("...", "D") or size == sizes[symbol], (owner, name)
        assert "..." in told or len(told) == value.dim()


def test_names_of_the_package_exist():
    assert set(re.findall(r"`tgt\.(\w+)", TEXT)) <= set(tgt.__all__)


def test_the_example_keeps_the_contract(register):  # noqa: F811
    (source,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert broken(register(source)) == {}
