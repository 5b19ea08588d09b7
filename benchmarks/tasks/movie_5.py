"""Sentences of film reviews in five classes of sentiment."""

from __future__ import annotations

import numpy as np

from benchmarks.data.splits import sides
from benchmarks.data.texts import MOVIES, unpack
from benchmarks.task import Examples, Size
from benchmarks.tasks.texts import SMOKE, TextTask, first_of_each, text_examples


class Movie5(TextTask):
    name = "movie-5"
    title = "Movie sentences, five classes"
    note = (
        "Stand-in for Amazon-5 and Yelp-5: sentences of film reviews by mean human sentiment in five classes, split "
        "by film: 7,483 to train on, 1,027 for validation, 2,090 for testing, and 15,766 more without a score that the "
        "generator read; the largest class has 37.6 % of the test sentences"
    )
    dataset = "movie"
    sizes = {
        "smoke": SMOKE,
        "small": Size(
            budget=500, budgets=(250, 500, 2500, 8510), table=(500, 2500), steps=400, batch=32, labeler_steps=500,
            generator_steps=700, keep_answers=True, search_budgets=(500, 2500),
        ),
    }  # fmt: skip
    students = {**TextTask.students, "pretrained": "minilm-1-layer.v1"}

    def corpus(self) -> Examples:
        """Sentences by mean human score, cut at -2.4, -0.8, 0.8 and 2.4; all sentences of a movie stand on one side.

        Sentences whose movie is not known are for training only. For the generator: sentences of the same kind without
        a score, none of a movie that is for validation or testing.
        """
        arrays = MOVIES.load()
        texts, scores, movie, copy = unpack(arrays["text"]), arrays["score"], arrays["movie"], arrays["copy"]
        labelled = first_of_each(np.flatnonzero(~np.isnan(scores)), copy)
        side = sides(movie[labelled], "movie-5")
        held_out = labelled[side > 0]
        free = np.isnan(scores) & ~np.isin(movie, movie[held_out]) & ~np.isin(copy, copy[labelled])
        return text_examples(
            texts,
            labelled,
            np.digitize(scores[labelled], (-2.4, -0.8, 0.8, 2.4)),
            side,
            ("very negative", "negative", "neutral", "positive", "very positive"),
            length=40,
            unlabelled=first_of_each(np.flatnonzero(free), copy),
        )
