"""Retrieval networks over one small vocabulary: a frozen sentence encoder, compact students, a query generator.

Labeler and students take a text as tokens (B, T) or as distributions over the vocabulary (B, T, V), as text networks
do, and give scores (B, L) over the L passages: `SCALE` times the cosine of query and passage.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.data.wordpieces import PAD
from benchmarks.networks.sentence_encoder import SentenceEncoder
from benchmarks.networks.text import embed, frozen_inference, present

#: The scale that sentence-transformers trains cosines with (MultipleNegativesRankingLoss).
SCALE = 20.0


def main_directions(vectors: Tensor, width: int) -> Tensor:
    """Vectors (V, d) in their `width` main directions (V, width), centred, of unit variance on average."""
    centred = vectors - vectors.mean(0)
    values, directions = torch.linalg.eigh(centred.T @ centred)
    return centred @ directions[:, -width:] / (values[-width:].mean() / len(vectors)).sqrt()


class DenseLabeler(nn.Module):
    """The frozen sentence encoder as a labeler: text -> scores (B, L) over the passages it has embedded."""

    passages: Tensor

    def __init__(self, vocabulary: np.ndarray, passages: Tensor) -> None:
        super().__init__()
        self.encoder = SentenceEncoder(vocabulary).requires_grad_(False)
        self.register_buffer("passages", passages.clone())

    @property
    def word_vectors(self) -> Tensor:
        """(V, 384): which words are near each other."""
        return self.encoder.table

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


class QueryGenerator(nn.Module):
    """A sentence vector -> a query, word by word: the inverse of the frozen sentence encoder, learned in the domain.

    Latents (B, 384) are the encoder's unit vectors times sqrt(384), so that noise of sigma 1 is as long as they are.
    The decoder is a GRU that sees the latent at every word. A passage's vector is a latent too: decoded, it is a query
    that the passage suggests, for the decoder was trained to write queries from their passages' vectors as well.
    """

    strongest_noise = 1.0  # of the sigmas drawn in training, one a text, evenly from 0
    sampled = 2000  # of the words that no text of a training step has, scored beside those it has
    passages: Tensor

    def __init__(
        self, vocabulary: np.ndarray, passages: Tensor, length: int, width: int = 256, hidden: int = 384
    ) -> None:
        super().__init__()
        self.length = length
        self.encoder = SentenceEncoder(vocabulary).requires_grad_(False)
        self.words = nn.Embedding(len(vocabulary), width)
        self.words.weight.data = main_directions(self.encoder.table, width)
        self.kinds = nn.Embedding(2, width)  # what to write: a query, or a passage's sentence
        self.widen = nn.Linear(SentenceEncoder.width, width)
        self.begin = nn.Linear(SentenceEncoder.width, hidden)
        self.cell = nn.GRU(2 * width, hidden, batch_first=True)
        self.narrow = nn.Linear(hidden, width)
        self.bias = nn.Parameter(torch.zeros(len(vocabulary)))
        self.register_buffer("passages", passages.clone())

    def encode(self, text: Tensor) -> Tensor:
        return self.encoder(text) * SentenceEncoder.width**0.5

    def opening(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder sees at every word (B, 1, width), and the state it begins in (1, B, hidden)."""
        latents = F.layer_norm(latents, latents.shape[1:])
        return self.widen(latents)[:, None], self.begin(latents).tanh()[None]

    def logits(self, states: Tensor, words: Tensor | slice = slice(None)) -> Tensor:
        """(..., V) from states (..., hidden), of some words (W,) if they are given."""
        return self.narrow(states) @ self.words.weight[words].T * self.words.embedding_dim**-0.5 + self.bias[words]

    def states(self, about: Tensor, state: Tensor, text: Tensor, kind: Tensor) -> Tensor:
        """States (B, T, hidden) before each word of a text (B, T), the first after the sign for its kind (B,)."""
        before = torch.cat([self.kinds(kind)[:, None], self.words(text[:, :-1])], 1)
        return self.cell(torch.cat([before, about.expand_as(before)], 2), state)[0]

    def decode(self, latents: Tensor) -> Tensor:
        """Likeliest tokens (B, T), one after the other; where a gradient is asked for, as one-hot rows that carry it.

        The gradient is that of the words' distributions given the words before them, straight through the choice. These
        rows end with the longest text.
        """
        about, state = self.opening(latents)
        with torch.no_grad(), frozen_inference(self):
            text = self._write(about, state)
        if not latents.requires_grad:
            return text
        places = _to_its_end(text)
        text = text[:, : int(places.sum(1).max())]
        kind = torch.zeros(len(text), dtype=torch.long, device=text.device)
        soft = self.logits(self.states(about, state, text, kind)).softmax(-1)
        return F.one_hot(text, soft.shape[-1]) + (soft - soft.detach()) * places[:, : text.shape[1], None]

    def _write(self, about: Tensor, state: Tensor) -> Tensor:
        text = torch.full((len(about), self.length), PAD, device=about.device)
        word = self.kinds.weight[:1].expand(len(about), 1, -1)
        rows = torch.arange(len(about), device=about.device)  # of the texts that go on
        for place in range(self.length):
            states, state = self.cell(torch.cat([word, about], 2), state)
            found = self.logits(states)[:, 0].argmax(1)
            text[rows, place] = found
            on = found != PAD
            rows, about, state, word = rows[on], about[on], state[:, on], self.words(found[on])[:, None]
            if not len(rows):
                break
        return text

    def sample_prior(self, count: int, rng: torch.Generator) -> Tensor:
        """Vectors of passages, all equally likely: what queries of this collection are about."""
        chosen = torch.randint(len(self.passages), (count,), generator=rng, device=rng.device)
        return self.passages[chosen] * SentenceEncoder.width**0.5

    def loss(self, latents: Tensor, text: Tensor, kind: Tensor, rng: torch.Generator) -> Tensor:
        """Mean cross-entropy of tokens (B, T), the padding after a text counted once, from noisy latents (B, 384)."""
        sigma = self.strongest_noise * torch.rand(len(text), 1, generator=rng)
        noisy = latents + sigma * torch.randn(latents.shape, generator=rng)
        places = _to_its_end(text)
        text = text[:, : int(places.sum(1).max())]
        places = places[:, : text.shape[1]]
        return self._sampled_loss(self.states(*self.opening(noisy), text, kind)[places], text[places], rng)

    def _sampled_loss(self, states: Tensor, wanted: Tensor, rng: torch.Generator) -> Tensor:
        """Cross-entropy of words (N,) from states (N, hidden), over the batch's words and some of all the others.

        The others are drawn evenly and each stands for as many as were not drawn (importance sampling, Bengio and
        Senecal 2003): over all words the softmax would cost more than the rest of a step.
        """
        words, places = wanted.unique(return_inverse=True)
        rest = torch.ones(self.words.num_embeddings, dtype=torch.bool).index_fill(0, words, False).nonzero()[:, 0]
        others = rest[torch.randperm(len(rest), generator=rng)[: self.sampled]]
        logits = self.logits(states, torch.cat([words, others]))
        logits[:, len(words) :] += math.log(len(rest) / len(others))
        return F.cross_entropy(logits, places)


def _to_its_end(text: Tensor) -> Tensor:
    """(B, T), true for a text's words and the first place behind them: where it is decided what comes."""
    return F.pad(present(text), (1, 0), value=True)[:, :-1]
