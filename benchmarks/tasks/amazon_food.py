"""Amazon reviews of food, five stars or fewer."""

from __future__ import annotations

import numpy as np

from benchmarks.data.splits import sides
from benchmarks.data.texts import FOODS, unpack
from benchmarks.task import Examples, Size
from benchmarks.tasks.texts import SMOKE, TextTask, first_of_each, text_examples


class AmazonFood(TextTask):
    name = "amazon-food"
    title = "Amazon food reviews, five stars or fewer"
    note = (
        "Stand-in for Amazon-5 and IMDB: whole reviews of food, cut to 64 word pieces: 3,572 to train on, 397 for "
        "validation, and the source's own 1,000 for testing; the largest class has 65.8 % of the test reviews"
    )
    dataset = "food"
    sizes = {
        "smoke": SMOKE,
        "small": Size(
            budget=500, budgets=(250, 500, 1000, 3969), table=(500, 3969), steps=400, batch=32, labeler_steps=400,
            generator_steps=500, keep_answers=True,
        ),
    }  # fmt: skip
    students = {**TextTask.students, "pretrained": "minilm-1-layer.v1"}
    tuned_on = "movie-5"

    def corpus(self) -> Examples:
        """The source's own testing set; copies of its texts are not trained on."""
        arrays = FOODS.load()
        texts, labels, copy, test = unpack(arrays["text"]), arrays["label"], arrays["copy"], arrays["test"] == 1
        tested = first_of_each(np.flatnonzero(test), copy)
        trained = first_of_each(np.flatnonzero(~test & ~np.isin(copy, copy[tested])), copy)
        side = np.where(sides(copy[trained], "amazon-food", labels[trained]) == 1, 1, 0)
        chosen = np.concatenate([trained, tested])
        side = np.concatenate([side, np.full(len(tested), 2)])
        return text_examples(texts, chosen, labels[chosen], side, ("fewer stars", "five stars"), length=64)
