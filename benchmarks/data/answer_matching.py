"""Which passages answer a question, by the rule of dense passage retrieval: those that hold an answer's words in a row.

The rule, its normalisation and its tokens are those of DPR (Karpukhin et al. 2020, arXiv 2004.04906; the uncased simple
tokeniser of DrQA). It is a weak one: a passage may hold the words and answer nothing. Over a small collection that is
searched whole, rather than among the best hundred of a search, two kinds of answers say nothing and are left out:
numbers and single letters (`telling`), and what more than `TOO_MANY` passages hold.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import numpy as np
import regex

TOO_MANY = 50
_TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]", regex.UNICODE)


def tokens(text: str) -> list[str]:
    """Runs of letters, digits and marks, and single other signs, in lower case, accents taken apart (NFD)."""
    return [token.lower() for token in _TOKEN.findall(unicodedata.normalize("NFD", text))]


def holding(ranked: np.ndarray, answers: Sequence[Sequence[str]], passage: Callable[[int], str]) -> np.ndarray:
    """Which passages ranked for each question (N, K) hold one of its answers; `passage` gives a number's text.

    An answer without tokens is in none, and in all by DPR's own code.
    """
    line = lru_cache(2**16)(lambda number: _line(tokens(passage(number))))
    wanted = [[_line(found) for found in map(tokens, each) if found] for each in answers]
    rows = zip(ranked.tolist(), wanted, strict=True)
    return np.array([[any(one in line(number) for one in each) for number in row] for row, each in rows], bool)


def telling(answer: list[str]) -> bool:
    """Whether an answer's tokens hold a word of two letters or more: years and other bare numbers do not."""
    return any(len(token) > 1 and token.isalpha() for token in answer)


def _line(found: list[str]) -> str:
    return f" {' '.join(found)} "


class Collection:
    """Passages, indexed by their tokens."""

    def __init__(self, passages: Iterable[str]) -> None:
        self._lines = []
        holders: dict[str, list[int]] = {}
        for number, passage in enumerate(passages):
            found = tokens(passage)
            self._lines.append(_line(found))
            for token in set(found):
                holders.setdefault(token, []).append(number)
        self._holders = {token: np.array(numbers) for token, numbers in holders.items()}
        self._holding = lru_cache(maxsize=None)(self._search)

    def relevant(self, answers: Iterable[str]) -> np.ndarray:
        """Numbers of the passages that hold an answer, rising; answers that say nothing are left out."""
        found = {tuple(tokens(answer)) for answer in answers}
        hits = [self._holding(answer) for answer in sorted(found) if telling(list(answer))]
        hits = [numbers for numbers in hits if len(numbers) <= TOO_MANY]
        return np.unique(np.concatenate(hits)) if hits else np.zeros(0, np.int64)

    def _search(self, answer: tuple[str, ...]) -> np.ndarray:
        if any(token not in self._holders for token in answer):
            return np.zeros(0, np.int64)
        held = sorted((self._holders[token] for token in set(answer)), key=len)
        numbers = held[0]
        for others in held[1:]:
            numbers = np.intersect1d(numbers, others, assume_unique=True)
        if len(answer) == 1:
            return numbers
        line = _line(list(answer))
        return np.array([number for number in numbers if line in self._lines[number]], np.int64)
