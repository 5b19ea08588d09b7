"""Tokens that are no words, and rows over a vocabulary that stand for tokens and carry a gradient."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Vocabulary:
    """Numbers of the tokens that are no words; as they stand, of this suite's own small vocabularies.

    Attributes:
        begin, end: around a text, and `end` twice between the two of a pair; None where texts are words alone.
        mask: of a word that is to be guessed.
    """

    padding: int = 0
    unknown: int = 1
    begin: int | None = None
    end: int | None = None
    mask: int | None = None

    def inside(self, text: Tensor) -> Tensor:
        """Of tokens (B, T), true where a word stands, known or not: what a change of a text's words may touch."""
        found = text != self.padding
        for token in (self.begin, self.end):
            if token is not None:
                found &= text != token
        return found

    def words(self, text: Tensor) -> Tensor:
        """Of tokens (B, T), true where a known word stands."""
        return self.inside(text) & (text != self.unknown)


def one_hot(tokens: Tensor, like: Tensor) -> Tensor:
    """Rows (..., V) of ones and zeros for tokens (...), in the type of `like` (..., V): whole numbers take 8 bytes."""
    return torch.zeros_like(like).scatter_(-1, tokens[..., None], 1)
