"""Text networks over one small vocabulary: a compact student, a MiniLM labeler, a denoising autoencoder.

All take a text as tokens (B, T) of whole numbers, or as a distribution over the vocabulary for each place (B, T, V), so
that a gradient can pass from student and labeler through a decoded text to its latent. A place whose likeliest token is
padding is no part of the text.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel

from benchmarks.tasks.text import CLS, PAD
from benchmarks.text_assets import MINILM


def embed(text: Tensor, table: Tensor) -> Tensor:
    """Rows of `table` (V, d) for tokens (B, T), or their means under distributions (B, T, V): (B, T, d)."""
    return text @ table if text.is_floating_point() else F.embedding(text, table)


def present(text: Tensor) -> Tensor:
    """(B, T), true where a word stands. No gradient passes through this."""
    tokens = text.argmax(-1) if text.is_floating_point() else text
    return tokens != PAD


def mean_of_present(states: Tensor, mask: Tensor) -> Tensor:
    """Mean (B, d) of states (B, T, d) over the places of the mask; of all places for an empty text."""
    weights = torch.where(mask.any(1, keepdim=True), mask, True).to(states.dtype)
    return (states * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)


def straight_through(logits: Tensor) -> Tensor:
    """One-hot rows of the likeliest tokens (B, T, V) with the distributions' gradient (Bengio et al. 2013)."""
    soft = logits.softmax(-1)
    hard = F.one_hot(logits.argmax(-1), logits.shape[-1]).to(soft.dtype)
    return hard + soft - soft.detach()


class MiniLM(nn.Module):
    """The first layers of all-MiniLM-L6-v2 over our vocabulary: text -> pretrained states of its places (B, T, 384)."""

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
        words = embed(text, self.table)
        first = self.table[CLS].expand(len(text), 1, -1)
        mask = F.pad(present(text), (1, 0), value=True)
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


def encoder_stack(width: int, layers: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        width, nhead=4, dim_feedforward=2 * width, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)


class TextStudent(nn.Module):
    """A compact transformer from random weights: text -> logits (B, classes)."""

    def __init__(self, tokens: int, length: int, classes: int, width: int = 128, layers: int = 1) -> None:
        super().__init__()
        self.words = nn.Embedding(tokens, width)
        self.places = nn.Parameter(torch.randn(length, width) * 0.02)
        self.body = encoder_stack(width, layers)
        self.head = nn.Linear(width, classes)
        nn.init.normal_(self.words.weight, std=0.1)

    def forward(self, text: Tensor) -> Tensor:
        mask = present(text)
        open_places = torch.where(mask.any(1, keepdim=True), mask, True)  # an empty text attends to its padding
        states = self.body(embed(text, self.words.weight) + self.places, src_key_padding_mask=~open_places)
        return self.head(mean_of_present(states, mask))


class TextAutoencoder(nn.Module):
    """Frozen MiniLM states -> a small latent for each place -> all tokens at once.

    Latents (B, T, d) are normalised place by place, so that noise of one sigma means the same everywhere. Trained to
    restore a text from latents with noise added and some of them missing: what it has learned to correct is what
    exploration may do to a latent.
    """

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

    def encode(self, text: Tensor) -> Tensor:
        return F.layer_norm(self.project(self.encoder(text)), (self.latent,))

    def logits(self, latents: Tensor) -> Tensor:
        """(B, T, V) from latents (B, T, d)."""
        return self.words(self.body(self.widen(latents) + self.places))

    def decode(self, latents: Tensor) -> Tensor:
        """Tokens (B, T); where a gradient is asked for, the same tokens as one-hot rows (B, T, V) that carry it."""
        logits = self.logits(latents)
        return straight_through(logits) if latents.requires_grad else logits.argmax(-1)

    def sample_prior(self, count: int, rng: torch.Generator) -> Tensor:
        """Noise of the spread that all latents have, place by place: this autoencoder has no prior over texts."""
        return torch.randn(count, self.length, self.latent, generator=rng, device=rng.device)
