"""Natural Questions that a Wikipedia summary answers, with TriviaQA as a second test set."""

from __future__ import annotations

import numpy as np

from benchmarks.data.questions import ANSWERED
from benchmarks.data.splits import sides
from benchmarks.data.texts import unpack
from benchmarks.task import Examples, Size
from benchmarks.tasks.retrieval import SMOKE, RetrievalTask, examples_over, padded, summaries

SECOND_TEST = 1000  # questions of the second test set


class NqWiki(RetrievalTask):
    name = "nq-wiki"
    title = "Natural Questions over summaries"
    note = (
        "Stand-in for the paper's Natural Questions over all of Wikipedia: the same 10,033 summaries, which answer few "
        "of the questions. Relevance is weak, DPR's rule: a passage that holds an answer's words; bare numbers, and "
        "answers that more than 50 passages hold, are left out. Of 8,757 dev questions 627 are trained on (with an "
        "answering passage among BM25's first 100) and 315 are for validation; of 3,610 test questions 957 have an "
        "answering passage; 1,000 questions of TriviaQA are a second test set"
    )
    dataset = "answered"
    also = ("success_1", "success_100", "mrr_10", "ndcg_10", "trivia_success_20")
    sizes = {
        "smoke": SMOKE,
        "small": Size(
            budget=250, budgets=(100, 250, 627), steps=500, batch=32, generator_steps=1000, keep_answers=True
        ),
    }

    def data(self) -> Examples:
        """By DPR's rule: dev to train on, test to test on, TriviaQA beside it.

        The dev questions that no summary answers are for the generator, which needs no answers.
        """
        searched = self.size.few
        arrays = ANSWERED.load()
        copy, positive = arrays["copy"], arrays["positive"]
        found = np.split(arrays["passage"], arrays["first"][1:-1])
        if searched is not None:
            found, positive = [part[part < searched] for part in found], np.where(positive < searched, positive, -1)
        answered = np.array([len(part) > 0 for part in found])
        free, dev, test, trivia = (
            np.flatnonzero((arrays["source"] == source) & (answered == wanted))
            for source, wanted in ((0, False), (0, True), (1, True), (2, True))
        )
        trivia = trivia[:SECOND_TEST]
        free, dev = (part[~np.isin(copy[part], copy[np.concatenate([test, trivia])])] for part in (free, dev))
        side = sides(copy[dev], "nq-wiki")
        trained, validated = dev[(side != 2) & (positive[dev] >= 0)], dev[side == 2]
        # To be trained on a question needs a positive; for validation, passages that answer it are enough.
        trained = trained[~np.isin(copy[trained], copy[validated])]
        free = free[~np.isin(copy[free], copy[validated])]
        order = np.concatenate([trained, validated, test, trivia])
        relevant = padded([found[i] for i in order])
        label = np.where(positive[order] >= 0, positive[order], relevant[:, 0])
        pool = np.arange(len(trained) + len(validated))
        tested = np.arange(len(pool), len(order))
        texts = [text.removesuffix("?") for text in unpack(arrays["question"])]  # as DPR does: one source has none
        return examples_over(
            *summaries(searched),
            [texts[i] for i in order],
            label,
            relevant,
            pool,
            pool >= len(trained),
            {"test": tested[: len(test)], "trivia": tested[len(test) :]},
            [texts[i] for i in free],
        )
