"""Wikipedia summaries by topic."""

from __future__ import annotations

import numpy as np

from benchmarks.data.splits import sides
from benchmarks.data.texts import SUMMARIES, unpack
from benchmarks.task import Examples, Size
from benchmarks.tasks.texts import SMOKE, TextTask, text_examples


class WikiTopic(TextTask):
    name = "wiki-topic"
    title = "Encyclopedia summaries, eleven topics"
    note = (
        "Stand-in for the paper's long reviews (IMDB, Yelp-5): Wikipedia summaries by topic, cut to "
        "48 word pieces: 6,328 to train on, 904 for validation, 1,801 for testing, and 1,000 without a topic that the "
        "generator read; the largest class has 20.3 % of the test texts"
    )
    dataset = "summary"
    sizes = {
        "smoke": SMOKE,
        "small": Size(
            budget=250, budgets=(250, 1000, 7232), table=(250, 7232), steps=400, batch=32, labeler_steps=500,
            generator_steps=500, keep_answers=True, search_budgets=(250, 5000),
        ),
    }  # fmt: skip

    def corpus(self) -> Examples:
        """Eleven topics; uncategorised summaries are for the generator."""
        arrays = SUMMARIES.load()
        texts, labels, copy = unpack(arrays["text"]), arrays["label"], arrays["copy"]
        names = unpack(arrays["names"])
        none = names.index("Uncategorized")
        chosen = np.flatnonzero(labels != none)
        kept = np.array([k for k in range(len(names)) if k != none])
        label = np.searchsorted(kept, labels[chosen])
        side = sides(copy[chosen], "wiki-topic", label)
        unlabelled = np.flatnonzero((labels == none) & ~np.isin(copy, copy[chosen]))
        return text_examples(
            texts, chosen, label, side, tuple(names[k] for k in kept), length=48, unlabelled=unlabelled
        )
