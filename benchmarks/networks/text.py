"""Text networks over one small vocabulary: a compact student, a MiniLM labeler, a denoising autoencoder.

All take a text as tokens (B, T) of whole numbers, or as a distribution over the vocabulary for each place (B, T, V), so
that a gradient can pass from student and labeler through a decoded text to its latent. A place whose likeliest token is
padding is no part of the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel

from benchmarks.data.texts import MINILM
from benchmarks.data.wordpieces import CLS, PAD
from tgt import one_hot

# PyTorch's fused inference path is no faster here, and multiply-adds cannot be counted through it.
torch.backends.mha.set_fastpath_enabled(False)

_BFLOAT16 = bool(torch.cpu.get_capabilities().get("avx512_bf16"))
_ROWS = 32  # texts of like length that pass through a network together
_DECODED = 8  # texts whose logits over the vocabulary are made together


def frozen_inference(module: nn.Module) -> AbstractContextManager:
    """bfloat16 where no gradient is asked for, of a frozen module on a processor that has it: thrice as fast there.

    Logits move by about 0.005 and one decoded word in 250 is another; students and gradients stay in float32.
    """
    parameters = list(module.parameters())
    frozen = not torch.is_grad_enabled() and not any(parameter.requires_grad for parameter in parameters)
    here = _BFLOAT16 and parameters[0].device.type == "cpu"
    return torch.autocast("cpu", torch.bfloat16) if frozen and here else nullcontext()


def embed(text: Tensor, table: Tensor) -> Tensor:
    """Rows of `table` (V, d) for tokens (B, T), or their means under distributions (B, T, V): (B, T, d)."""
    return text @ table if text.is_floating_point() else F.embedding(text, table)


def present(text: Tensor) -> Tensor:
    """(B, T), true where a word stands. No gradient passes through this."""
    tokens = text.argmax(-1) if text.is_floating_point() else text
    return tokens != PAD


def lengths(mask: Tensor) -> Tensor:
    """Places up to the last word (B,), of texts by their mask (B, T)."""
    return (mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)).amax(1)


def of_like_length(mask: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Indices of texts of like length, by their mask (B, T), and the length to cut them to, so that few are padded."""
    found = lengths(mask).clamp_min(1)
    for rows in found.argsort().split(_ROWS):
        yield rows, int(found[rows].max())


def enclosed(words: Tensor, mask: Tensor, begin: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors (B, b + T + e, d) of texts between what stands before (b, d) and behind (e, d) each, and their mask."""
    behind = len(begin) + lengths(mask)[:, None]
    words = torch.cat([begin.expand(len(words), -1, -1), F.pad(words, (0, 0, 0, len(end)))], 1)
    mask = F.pad(F.pad(mask, (len(begin), 0), value=True), (0, len(end)))
    at = torch.arange(words.shape[1], device=words.device)
    for number, vector in enumerate(end):
        here = at == behind + number
        words, mask = torch.where(here[..., None], vector, words), mask | here
    return words, mask


def mean_of_present(states: Tensor, mask: Tensor) -> Tensor:
    """Mean (B, d) of states (B, T, d) over the places of the mask; of all places for an empty text."""
    weights = torch.where(mask.any(1, keepdim=True), mask, True).to(states.dtype)
    return (states * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)


def main_directions(vectors: Tensor, width: int) -> Tensor:
    """Vectors (V, d) in their `width` main directions (V, width), centred, of unit variance on average."""
    centred = vectors - vectors.mean(0)
    values, directions = torch.linalg.eigh(centred.T @ centred)
    return centred @ directions[:, -width:] / (values[-width:].mean() / len(vectors)).sqrt()


def straight_through(logits: Tensor) -> Tensor:
    """One-hot rows of the likeliest tokens (B, T, V) with the distributions' gradient (Bengio et al. 2013)."""
    soft = logits.softmax(-1)
    return one_hot(logits.argmax(-1), soft) + soft - soft.detach()


class MiniLM(nn.Module):
    """The first layers of all-MiniLM-L6-v2 over our vocabulary: text -> pretrained states of its places (B, T, 384).

    Places without a word have zeros. Texts pass in groups of like length, each cut to its longest.
    """

    width = 384

    def __init__(self, vocabulary: np.ndarray, layers: int) -> None:
        super().__init__()
        config = BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=self.width,
            num_hidden_layers=layers,
            num_attention_heads=12,
            intermediate_size=1536,
        )
        self.bert = BertModel(config, add_pooling_layer=False)
        weights = {name: torch.from_numpy(array) for name, array in MINILM.load().items() if name != "vocabulary"}
        words = "embeddings.word_embeddings.weight"
        weights[words] = weights[words][torch.from_numpy(vocabulary)]
        wanted = self.bert.state_dict().keys()
        self.bert.load_state_dict({name: weights[name] for name in wanted})

    @property
    def table(self) -> Tensor:
        return self.bert.embeddings.word_embeddings.weight

    def forward(self, text: Tensor) -> Tensor:
        mask = present(text)
        states = self.table.new_zeros(*mask.shape, self.width)
        with frozen_inference(self):
            for rows, longest in of_like_length(mask):
                states[rows, :longest] = self._states(text[rows, :longest], mask[rows, :longest]).to(states.dtype)
        return states * mask[..., None]

    def _states(self, text: Tensor, mask: Tensor) -> Tensor:
        words = embed(text, self.table)
        first = self.table[CLS].expand(len(text), 1, -1)
        mask = F.pad(mask, (1, 0), value=True)
        states = self.bert(inputs_embeds=torch.cat([first, words], 1), attention_mask=mask.long()).last_hidden_state
        return states[:, 1:]


class TextLabeler(nn.Module):
    """MiniLM with a linear head on the mean of its states: text -> logits (B, classes)."""

    def __init__(self, vocabulary: np.ndarray, classes: int, layers: int) -> None:
        super().__init__()
        self.body = MiniLM(vocabulary, layers)
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(MiniLM.width, classes))

    def forward(self, text: Tensor) -> Tensor:
        return self.head(mean_of_present(self.body(text), present(text)))


def encoder_stack(width: int, layers: int, dropout: float = 0.1) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        width, nhead=4, dim_feedforward=2 * width, dropout=dropout, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)


class TextStudent(nn.Module):
    """A compact transformer from random weights: text -> logits (B, classes)."""

    def __init__(
        self, tokens: int, length: int, classes: int, width: int = 64, layers: int = 1, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(tokens, width)
        self.places = nn.Parameter(torch.randn(length, width) * 0.02)
        self.body = encoder_stack(width, layers, dropout=0.0)  # inside the layers it would take a third of a step
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, classes)
        nn.init.normal_(self.words.weight, std=0.1)

    def forward(self, text: Tensor) -> Tensor:
        mask = present(text)
        words = embed(text, self.words.weight) + self.places
        found = words.new_zeros(len(text), words.shape[2])
        for rows, longest in of_like_length(mask):
            shown = mask[rows, :longest]
            open_places = torch.where(shown.any(1, keepdim=True), shown, True)  # an empty text attends to its padding
            states = self.body(words[rows, :longest], src_key_padding_mask=~open_places)
            found[rows] = mean_of_present(states, shown)
        return self.head(self.dropout(found))


class TextAutoencoder(nn.Module):
    """Frozen MiniLM states -> a small latent for each place -> all tokens at once.

    Latents (B, T, d) are normalised place by place, so that noise of one sigma means the same everywhere. Trained to
    restore a text from latents with noise added and some of them missing: what it has learned to correct is what
    exploration may do to a latent. The output layer starts from the main directions of the pretrained word vectors.
    """

    strongest_noise = 5.0  # of the sigmas drawn in training, one a text, evenly from 0
    missing = 0.15  # share of a text's latents that are set to zero in training
    places_a_step = 1024  # scored in a training step; over all of them the softmax would cost more than the rest

    def __init__(
        self, vocabulary: np.ndarray, length: int, latent: int = 96, width: int = 192, layers: int = 2
    ) -> None:
        super().__init__()
        self.length, self.latent = length, latent
        self.encoder = MiniLM(vocabulary, layers=3).requires_grad_(False)
        self.project = nn.Linear(MiniLM.width, latent)
        self.widen = nn.Linear(latent, width)
        self.places = nn.Parameter(torch.randn(length, width) * 0.02)
        self.body = encoder_stack(width, layers)
        self.words = nn.Linear(width, len(vocabulary))
        with torch.no_grad():
            self.words.weight[:, : MiniLM.width] = main_directions(self.encoder.table, width)
            self.words.weight.mul_(width**-0.5)

    def encode(self, text: Tensor) -> Tensor:
        return self.latents(self.encoder(text))

    def latents(self, states: Tensor) -> Tensor:
        """(B, T, d) from the frozen encoder's states (B, T, 384)."""
        return F.layer_norm(self.project(states), (self.latent,))

    def hidden(self, latents: Tensor) -> Tensor:
        return self.body(self.widen(latents) + self.places)

    def logits(self, latents: Tensor) -> Tensor:
        """(B, T, V) from latents (B, T, d)."""
        return self.words(self.hidden(latents))

    def decode(self, latents: Tensor) -> Tensor:
        """Tokens (B, T); where a gradient is asked for, the same tokens as one-hot rows (B, T, V) that carry it."""
        if latents.requires_grad:
            return straight_through(self.logits(latents))
        with frozen_inference(self):
            hidden = self.hidden(latents)
            # A few texts at a time: their logits stay in the processor's cache.
            return torch.cat([self.words(rows).float().argmax(-1) for rows in hidden.split(_DECODED)])

    def sample_prior(self, count: int, rng: torch.Generator) -> Tensor:
        """Noise of the spread that all latents have, place by place: this autoencoder has no prior over texts."""
        return torch.randn(count, self.length, self.latent, generator=rng, device=rng.device)

    def loss(self, states: Tensor, text: Tensor, rng: torch.Generator) -> Tensor:
        """Mean cross-entropy of tokens (B, T) restored from the encoder's states (B, T, 384) under noise."""
        latents = self.latents(states)
        sigma = self.strongest_noise * torch.rand(len(text), 1, 1, generator=rng)
        kept = torch.rand(*text.shape, 1, generator=rng) >= self.missing
        noisy = (latents + sigma * torch.randn(latents.shape, generator=rng)) * kept
        # Every word, and of the padding behind a text its first place: where to stop.
        ends = F.pad(present(text), (1, 0), value=True)[:, :-1] | present(text)
        chosen = ends.flatten().nonzero()[:, 0]
        chosen = chosen[torch.randperm(len(chosen), generator=rng)[: self.places_a_step]]
        logits = self.words(self.hidden(noisy).flatten(0, 1)[chosen])
        return F.cross_entropy(logits, text.flatten()[chosen])
