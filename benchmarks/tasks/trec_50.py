"""TREC questions by type, with their natural long tail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.data.splits import sides
from benchmarks.data.texts import QUESTIONS, normal, unpack
from benchmarks.task import Examples, Size
from benchmarks.tasks.texts import SMOKE, TextTask, first_of_each, text_examples

MIN_QUESTIONS = 10  # of a class: 2 for testing, 1 for validation, 7 to train on


class Trec50(TextTask):
    name = "trec-50"
    title = "Questions by type, long tail"
    note = (
        "Long-tailed text, with no counterpart in the paper's table 2: TREC questions of the 42 fine classes "
        "with at least 10 of them: 3,747 to train on, 524 for validation, 1,056 for testing; coarse accuracy: the same "
        "answers read as the six coarse types; the largest class has 18.1 % of the test questions"
    )
    dataset = "question"
    sizes = {
        "smoke": SMOKE,
        "small": Size(
            budget=4271, budgets=(500, 1000, 4271), table=(4271,), steps=400, batch=32, labeler_steps=400,
            generator_steps=500, keep_answers=True,
            search_budgets=(3000,),  # the whole pool would leave no validation samples
        ),
    }  # fmt: skip
    also = ("macro_f1", "coarse_accuracy", "many_shot", "medium_shot", "few_shot")

    def corpus(self) -> Examples:
        """Fine classes with at least `MIN_QUESTIONS`; near duplicates stand on one side."""
        arrays = QUESTIONS.load()
        texts, labels, copy = unpack(arrays["text"]), arrays["label"], arrays["copy"]
        distinct = first_of_each(np.arange(len(texts)), np.unique([normal(t) for t in texts], return_inverse=True)[1])
        counts = np.bincount(labels[distinct])
        kept = np.flatnonzero(counts >= MIN_QUESTIONS)
        chosen = distinct[np.isin(labels[distinct], kept)]
        names = unpack(arrays["names"])
        label = np.searchsorted(kept, labels[chosen])
        side = sides(copy[chosen], "trec-50", label)
        found = text_examples(texts, chosen, label, side, tuple(names[k] for k in kept), length=24)
        coarse = [name.split(":")[0] for name in found.class_names]
        return replace(found, coarse=tuple(sorted(set(coarse)).index(name) for name in coarse))
