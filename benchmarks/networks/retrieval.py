"""Retrieval networks over one small vocabulary: a frozen sentence encoder and compact students.

Labeler and students take a text as tokens (B, T) or as distributions over the vocabulary (B, T, V), as text networks
do, and give scores (B, L) over the L passages: `SCALE` times the cosine of query and passage.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.data.wordpieces import PAD
from benchmarks.networks.sentence_encoder import SentenceEncoder
from benchmarks.networks.text import embed, present

#: The scale that sentence-transformers trains cosines with (MultipleNegativesRankingLoss).
SCALE = 20.0


class DenseLabeler(nn.Module):
    """The frozen sentence encoder as a labeler: text -> scores (B, L) over the passages it has embedded."""

    passages: Tensor

    def __init__(self, vocabulary: np.ndarray, passages: Tensor, encoder: SentenceEncoder | None = None) -> None:
        super().__init__()
        self.encoder = (encoder or SentenceEncoder(vocabulary)).requires_grad_(False)
        self.register_buffer("passages", passages.clone())

    def embed(self, text: Tensor) -> Tensor:
        """Unit vectors (B, 384), which `score` makes scores of."""
        return self.encoder(text)

    def score(self, vectors: Tensor) -> Tensor:
        return SCALE * vectors @ self.passages.T

    def forward(self, text: Tensor) -> Tensor:
        return self.score(self.embed(text))


class BagTower(nn.Module):
    """A compact encoder: text -> unit vectors (B, out). A mean of word vectors by learned weights, then two layers."""

    def __init__(self, tokens: int, out: int, width: int = 64, hidden: int = 256) -> None:
        super().__init__()
        self.words = nn.Embedding(tokens, width)
        self.weights = nn.Embedding(tokens, 1)
        self.body = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, out))
        # Small, so that a few hundred steps can move a word far from where it began.
        nn.init.normal_(self.words.weight, std=0.05)
        nn.init.zeros_(self.weights.weight)

    def forward(self, text: Tensor) -> Tensor:
        weights = embed(text, self.weights.weight).exp() * present(text)[..., None]
        return self.head((embed(text, self.words.weight) * weights).sum(1), weights.sum(1))

    def of_counts(self, counts: Tensor) -> Tensor:
        """Unit vectors (N, out) of texts given as how often each token occurs (N, V), sparse."""
        weights = self.weights.weight.exp()
        return self.head(counts @ (self.words.weight * weights), counts @ weights)

    def head(self, total: Tensor, weight: Tensor) -> Tensor:
        return F.normalize(self.body(total / weight.clamp_min(1e-6)), dim=1)


class QueryStudent(nn.Module):
    """Embeds queries only; the passages' vectors (L, 384) are the teacher's, frozen: text -> scores (B, L)."""

    passages: Tensor

    def __init__(self, tower: nn.Module, passages: Tensor) -> None:
        super().__init__()
        self.tower = tower
        self.register_buffer("passages", passages, persistent=False)

    def embed(self, text: Tensor) -> Tensor:
        """Unit vectors (B, d), to search other passages by."""
        return self.tower(text)

    def forward(self, text: Tensor) -> Tensor:
        return SCALE * self.tower(text) @ self.passages.T


class TiedStudent(nn.Module):
    """One tower for queries and passages, all L of them embedded anew each time: text -> scores (B, L)."""

    counts: Tensor

    def __init__(self, tower: BagTower, passages: Tensor) -> None:
        super().__init__()
        self.tower = tower
        row, column = (passages != PAD).nonzero(as_tuple=True)
        counts = torch.sparse_coo_tensor(
            torch.stack([row, passages[row, column]]),
            torch.ones(len(row)),
            (len(passages), tower.words.num_embeddings),
            check_invariants=True,
        )
        self.register_buffer("counts", counts.coalesce(), persistent=False)

    def forward(self, text: Tensor) -> Tensor:
        return SCALE * self.tower(text) @ self.tower.of_counts(self.counts).T
