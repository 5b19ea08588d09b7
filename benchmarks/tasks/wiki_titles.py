"""Short descriptions of Wikipedia articles, whose summaries are to be found."""

from __future__ import annotations

import numpy as np

from benchmarks.data.splits import linked, sides
from benchmarks.data.texts import SUMMARIES, normal, unpack
from benchmarks.task import Examples, Size
from benchmarks.tasks.retrieval import SMOKE, RetrievalTask, examples_of_pairs, summaries


class WikiTitles(RetrievalTask):
    name = "wiki-titles"
    title = "Short descriptions to articles"
    note = (
        "Stand-in for Natural Questions, with labels that are sure: Wikipedia's short descriptions are the queries, "
        "10,033 articles' summaries the passages, split by article: 6,904 to train on, 925 for validation, 1,831 for "
        "testing; equal descriptions keep all their articles"
    )
    dataset = "described"
    sizes = {
        "smoke": SMOKE,
        "small": Size(
            budget=500,
            budgets=(250, 500, 2000, 6904),
            steps=500,
            batch=32,
            generator_steps=1000,
            keep_answers=True,
            search_budgets=(500, 2000),
        ),
    }

    def data(self) -> Examples:
        """Equal descriptions, and near duplicates of an article, stand on one side."""
        searched = self.size.few
        arrays = SUMMARIES.load()
        descriptions = unpack(arrays["description"])[:searched]
        described = [normal(text) for text in descriptions]
        articles = np.flatnonzero([bool(text) for text in described])
        query = np.unique([described[i] for i in articles], return_inverse=True)[1]
        group = linked(query, arrays["copy"][articles])
        side = sides(group, "wiki-titles")
        texts = [descriptions[i] for i in articles]
        return examples_of_pairs(*summaries(searched), texts, articles, query, side)
