"""Tasks of a user's own queries and passages."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.core.errors import BadInput, tell
from benchmarks.data.texts import words_of_any_language
from benchmarks.own import beir, table
from benchmarks.own.base import OwnData
from benchmarks.task import Examples, Size
from benchmarks.tasks.retrieval import SMOKE, RetrievalTask, examples_of_pairs

_QUERIES = 10  # the fewest different ones that can be split


class RetrievalData(OwnData, RetrievalTask):
    """Queries with the passages that answer them: a row for each pair, in words. Passages without a query may be rows
    of `more`, a list of strings, so that they are searched too. `path` may be a folder in the format of BEIR.
    """

    query: str = "query"
    passage: str = "passage"
    more: tuple[str, ...] = ()
    profile = RetrievalTask.profile
    pca = tied = False
    students = {"student": "bag-of-words.v1"}
    sizes = {"smoke": SMOKE, "small": Size(0, (), steps=500, batch=32, generator_steps=1000, keep_answers=True)}

    def rows(self) -> Any:
        if not (self.path and (self.where / "corpus.jsonl").exists()):
            return super().rows()
        found, self.more = beir.read(self.where)
        sides = set(found["side"])
        if {"train", "test"} <= sides:
            self.split = "side"
        elif len(sides) > 1:
            tell(f"{self.told}: its sides are {', '.join(sorted(sides))}, so others are drawn")
        return found

    def data(self) -> Examples:
        """Queries of equal words stand on one side; tested, each is one with all its passages."""
        frame = self.taken(self.query, self.passage)
        frame = frame.assign(key=[words_of_any_language(text) for text in frame[self.query].astype(str)])
        if repeats := frame.duplicated(["key", self.passage]).sum():
            tell(f"{self.told}: {repeats} rows repeat an earlier pair and are left out")
            frame = frame.drop_duplicates(["key", self.passage]).reset_index(drop=True)
        passages = list(dict.fromkeys([*frame[self.passage].astype(str), *self.more]))
        if len(passages) < 2:
            raise BadInput(f"{self.told}: there is one passage; two are the fewest that can be told apart")
        if len(passages) < 100:
            tell(f"{self.told}: among {len(passages)} passages the first 20 say little; add others to search by `more`")
        number = {text: i for i, text in enumerate(passages)}
        labels = np.array([number[text] for text in frame[self.passage].astype(str)])
        query = np.unique(frame["key"], return_inverse=True)[1]
        if (different := int(query.max()) + 1) < _QUERIES:
            raise BadInput(f"{self.told}: {different} different queries; {_QUERIES} are the fewest that can be split")
        side = table.given_sides(frame, self.split, self.told)
        if side is not None and len(both := np.intersect1d(query[side == 0], query[side == 2])):
            raise BadInput(f"{self.told}: {len(both)} queries stand in both training and test; leave them out of one")
        side = table.sides(query, np.zeros(len(query), np.int64), ("query",), self.name, side)
        texts, names = frame[self.query].astype(str).tolist(), [text[:40] for text in passages]
        return examples_of_pairs(passages, names, texts, labels, query, side)
