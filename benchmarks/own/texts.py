"""Tasks of a user's own texts."""

from __future__ import annotations

import numpy as np

from benchmarks.core.errors import tell
from benchmarks.data.texts import near_duplicates, words_of_any_language
from benchmarks.data.wordpieces import PAD, UNKNOWN
from benchmarks.own import table
from benchmarks.own.base import OwnData
from benchmarks.task import Examples, Size
from benchmarks.tasks.texts import LENGTH, SMOKE, TextTask, text_examples

_UNKNOWN = 0.3  # share of unknown word pieces from which on a person is told


class TextData(OwnData, TextTask):
    """Texts with a class: `text` is their column, `length` the word pieces of each that are read."""

    text: str = "text"
    length: int = LENGTH
    sizes = {
        "smoke": SMOKE,
        "small": Size(0, (), steps=400, batch=32, labeler_steps=500, generator_steps=700, keep_answers=True),
    }

    def data(self) -> Examples:
        """Near duplicates stand on one side, or are left out of training where the data come with sides."""
        frame = self.taken(self.text, self.label)
        labels, names = table.classes(frame[self.label], self.told)
        found, side = frame[self.text].astype(str).tolist(), table.given_sides(frame, self.split, self.told)
        kept = table.without_copies(
            [words_of_any_language(text) for text in found], labels, side, table.called(frame, ""), self.told
        )
        found, labels, side = [found[i] for i in kept], labels[kept], None if side is None else side[kept]
        group = near_duplicates(found, words_of_any_language) if side is None else np.arange(len(found))
        side = table.sides(group, labels, names, self.name, side)
        if long := sum(len(text.split()) > self.length for text in found):
            tell(
                f"{self.told}: of {long} texts only the first {self.length} word pieces are read; `length` is how many"
            )
        made = text_examples(found, np.arange(len(found)), labels, side, names, self.length)
        tokens = np.asarray(made.pool_inputs)
        unknown = (tokens == UNKNOWN).sum() / max((tokens != PAD).sum(), 1)
        if unknown > _UNKNOWN:
            tell(f"{self.told}: {100 * unknown:.0f} % of the words are unknown to the networks, which read English")
        return made
