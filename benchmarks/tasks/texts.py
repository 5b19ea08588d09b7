"""What text tasks share: examples from sentences and labels, word dropout, and networks over one small vocabulary.

Inputs are word pieces of one small vocabulary that generator, labeler and student share, so that a gradient can pass
through soft tokens. The vocabulary is made of text that is not for testing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.core.errors import BadInput
from benchmarks.core.fingerprint import seed_of
from benchmarks.data.checks import of_overlap
from benchmarks.data.splits import Profile
from benchmarks.data.texts import words_of_any_language
from benchmarks.data.wordpieces import in_vocabulary, vocabulary_of, word_pieces, words_of
from benchmarks.task import Examples, Size, Task

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tgt.vocabulary import Vocabulary

LENGTH = 64  # word pieces of a text that a custom task gives as a string
SMOKE = Size(
    budget=100, budgets=(100,), steps=8, batch=8, labeler_steps=4, generator_steps=8, seeds=1,
    defaults={"pool": 32, "renew": 4, "every": 4}, trials=2, few=200,
)  # fmt: skip


def drop_words(
    texts: torch.Tensor, rng: torch.Generator, share: float = 0.2, vocabulary: Vocabulary | None = None
) -> torch.Tensor:
    """Each word of texts (B, T) taken out with probability `share`: its place is padding."""
    import torch

    from tgt.vocabulary import Vocabulary

    vocabulary = vocabulary or Vocabulary()
    dropped = torch.rand(texts.shape, generator=rng, device=texts.device) < share
    return texts.masked_fill(dropped & vocabulary.inside(texts), vocabulary.padding)


class TextTask(Task):
    """Sentences as tokens (N, T); a smoke size has `few` of each side, for MiniLM takes its time over all of them."""

    domain = "text"
    metric = "accuracy"
    also: tuple[str, ...] = ("macro_f1",)
    profile = Profile("natural")
    defaults = {"lr": 2e-3, "sigma": 2.0, "step_size": 30.0}
    search = {"sigma": [1.0, 2.0, 3.0, 5.0], "step_size": [10.0, 30.0, 60.0, 120.0]}
    lr = (2e-3, 2e-4)
    students = {"student": "transformer-64-1.v1"}
    teachers = {"generator": "autoencoder-96-192-2.v1", "labeler": "minilm-3.v1"}
    sigmas = (0.0, 1.0, 2.0, 3.0, 5.0)
    distances = (60.0, 120.0, 180.0, 300.0)  # noise of sigma 1 goes about 62 over 40 places of 96 numbers
    augment = staticmethod(drop_words)

    def corpus(self) -> Examples:
        """All examples of the task."""
        raise NotImplementedError

    def data(self) -> Examples:
        return few_of(self.corpus(), self.size.few, self.dataset) if self.size.few else self.corpus()

    def examples_of(self, given: dict[str, Any]) -> Examples:
        """Inputs that are strings are cut into word pieces, of a vocabulary of the training texts."""
        texts = {side: [str(text) for text in given.get(f"{side}_inputs", ())] for side in ("train", "test")}
        if not all(isinstance(given.get(f"{side}_inputs", [0])[0], str) for side in texts if texts[side]):
            return super().examples_of(given)
        numbers = {f"{side}_inputs": np.arange(len(words)) for side, words in texts.items()}
        found = super().examples_of({**given, **numbers})
        plain = [np.array([words_of_any_language(text) for text in words]) for words in texts.values()]
        if told := of_overlap(plain[0], plain[1]):
            raise BadInput(f"{self.name}: {told}")
        pieces = {side: word_pieces(words, LENGTH) for side, words in texts.items()}
        vocabulary = vocabulary_of(np.delete(pieces["train"], found.validation, axis=0))
        inputs = {side: in_vocabulary(array, vocabulary) for side, array in pieces.items()}
        return replace(found, pool_inputs=inputs["train"], test_inputs=inputs["test"], vocabulary=vocabulary)

    def student(self, classes: int) -> nn.Module:
        from benchmarks.networks.text import TextStudent

        vocabulary, length = self._shape()
        return TextStudent(len(vocabulary), length, classes)

    def pretrained(self, classes: int) -> nn.Module:
        """MiniLM cut to its first layer: as deep as the other student, but it has read more than the task's text."""
        from benchmarks.networks.text import TextLabeler

        return TextLabeler(self._shape()[0], classes, layers=1)

    def teacher(self, classes: int) -> tuple[nn.Module, nn.Module]:
        from benchmarks.networks.text import TextAutoencoder, TextLabeler

        vocabulary, length = self._shape()
        return TextAutoencoder(vocabulary, length), TextLabeler(vocabulary, classes, layers=3)

    def fits(self) -> dict[str, Callable[..., dict[str, Any]]]:
        from benchmarks.teachers.text import fit_autoencoder, fit_labeler

        return {"generator": fit_autoencoder, "labeler": fit_labeler}

    def readable(self, tokens: np.ndarray) -> str:
        return words_of(tokens, self._shape()[0])

    def _shape(self) -> tuple[np.ndarray, int]:
        """Vocabulary (V,) and the length of a text in tokens."""
        found = self.examples()
        assert found.vocabulary is not None
        return found.vocabulary, found.pool_inputs.shape[1]


def few_of(found: Examples, count: int, name: str) -> Examples:
    """At most `count` examples of each side, at least one of each class."""
    rng = np.random.default_rng(seed_of("few", f"{name}_examples"))
    trained = np.setdiff1d(np.arange(len(found.pool_labels)), found.validation)
    order = rng.permutation(trained)
    one_of_each = np.sort(np.unique(found.pool_labels[order], return_index=True)[1])  # no class may go missing
    chosen = np.concatenate([order[one_of_each], np.delete(order, one_of_each)])[:count]
    held_out = rng.permutation(found.validation)[:count]
    tested, pool = rng.permutation(len(found.test_labels))[:count], np.concatenate([chosen, held_out])
    more = found.extra_unlabelled
    return replace(
        found,
        pool_inputs=found.pool_inputs[pool],
        pool_labels=found.pool_labels[pool],
        validation=np.arange(len(chosen), len(pool)),
        test_inputs=found.test_inputs[tested],
        test_labels=found.test_labels[tested],
        extra_unlabelled=None if more is None else more[rng.permutation(len(more))[:count]],
    )


def first_of_each(indices: np.ndarray, copy: np.ndarray) -> np.ndarray:
    """Of texts that are copies of each other only the first."""
    return np.sort(indices[np.unique(copy[indices], return_index=True)[1]])


def text_examples(
    texts: list[str],
    chosen: np.ndarray,
    labels: np.ndarray,
    side: np.ndarray,
    names: tuple[str, ...],
    length: int,
    unlabelled: np.ndarray | None = None,
) -> Examples:
    """Examples of the chosen texts.

    Args:
        chosen: indices of texts (N,) with their labels (N,) and side (N,): 0 training, 1 validation, 2 test.
        length: tokens of a text, which is cut or padded. unlabelled: indices of further texts, for the generator.
    """
    pool, test = np.flatnonzero(side < 2), np.flatnonzero(side == 2)
    extra = np.zeros(0, np.int64) if unlabelled is None else unlabelled
    split = [word_pieces([texts[i] for i in part], length) for part in (chosen[pool], extra, chosen[test])]
    # Word pieces of text that is trained on; what occurs in validation or test text alone is unknown there.
    vocabulary = vocabulary_of(np.concatenate([split[0][side[pool] == 0].ravel(), split[1].ravel()]))
    inputs = [in_vocabulary(array, vocabulary) for array in split]
    return Examples(
        pool_inputs=inputs[0],
        pool_labels=labels[pool].astype(np.int64),
        validation=np.flatnonzero(side[pool] == 1),
        test_inputs=inputs[2],
        test_labels=labels[test].astype(np.int64),
        class_names=names,
        extra_unlabelled=inputs[1] if len(extra) else None,
        vocabulary=vocabulary,
    )
