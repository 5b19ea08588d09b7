"""What tasks of a user's own data share: a table, of which one column is the class."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.core.errors import BadInput
from benchmarks.data.splits import Profile
from benchmarks.own import table
from benchmarks.task import Task


class OwnData(Task):
    """Derive from one of these and say where the data are.

    Attributes:
        path: a file or a folder (see `own.table.read`), from the folder of the class's file.
        label: the column of the classes, words or whole numbers.
        split: a column that says train, validation or test; without one a fifth is drawn for testing.
    """

    own = frozenset({"data"})
    path: str = ""
    label: str = "label"
    split: str = ""
    profile = Profile("natural")

    def rows(self) -> Any:
        """The samples: what `pandas.DataFrame` takes, such as a dict of lists. By default what is read from `path`."""
        if not self.path:
            raise BadInput(f"{self.name}: give `path`, or rows() that returns a dict of lists")
        return table.read(self.where)

    @property
    def where(self) -> Path:
        """The data's place."""
        module = sys.modules.get(type(self).__module__)
        return Path(getattr(module, "__file__", None) or "").parent / Path(self.path).expanduser()

    def taken(self, *wanted: str) -> pd.DataFrame:
        """Rows that have what is wanted. Raises BadInput in one line."""
        found = self.rows()
        try:
            frame = found if isinstance(found, pd.DataFrame) else pd.DataFrame(found)
        except ValueError as error:
            raise BadInput(f"{self.name}: rows() gives no table: {error}") from error
        if self.split and self.split not in frame.columns:
            wanted = (*wanted, self.split)  # told with the columns that there are
        return table.columns(frame, wanted, self.told)

    @property
    def told(self) -> str:
        """The data's place as messages name it."""
        return Path(self.path).name or self.name
