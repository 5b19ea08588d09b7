"""A query generator that reads the passages nearest to its latent, and may copy their words.

Attention and copying follow CopyNet (Gu et al. 2016, arXiv 1603.06393) and pointer-generators (See et al. 2017, arXiv
1704.04368); passages are found and weighed by their vectors, as in RAG (Lewis et al. 2020, arXiv 2005.11401).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.data.wordpieces import PAD, UNKNOWN
from benchmarks.networks.retrieval import SCALE
from benchmarks.networks.sentence_encoder import SentenceEncoder
from benchmarks.networks.text import frozen_inference, main_directions, present
from tgt import one_hot


@dataclass(frozen=True)
class Pages:
    """The passages that B decoders read, one after the other: J places.

    tokens: (B, J). words: (B, J, d), what stands there. before: (B, J), the token in front. weight: (B, J), the log of
    the passage's share; -inf where nothing stands, or an unknown word.
    """

    tokens: Tensor
    words: Tensor
    before: Tensor
    weight: Tensor

    def of(self, rows: Tensor) -> Pages:
        return Pages(self.tokens[rows], self.words[rows], self.before[rows], self.weight[rows])


class QueryGenerator(nn.Module):
    """A sentence vector -> a query, word by word, from the vector and from the passages that are nearest to it.

    Latents (B, 384) are the frozen encoder's unit vectors times sqrt(384), so that noise of sigma 1 is as long as they
    are. A passage's vector is a latent too: decoded, it is a query that the passage suggests. The decoder is a GRU that
    begins from the latent, and the latent is added to all that it tells. It attends to the `near` passages whose
    vectors have the largest cosines with the latent, weighed by a softmax of these cosines at the labeler's scale. A
    word's chance is the sum over all ways to write it, out of the vocabulary or copied from any of its places, under
    one softmax (CopyNet, section 3.2). A place is found by the words that stand there, before and behind it, by where
    it is in its passage, by whether the last word written stands in front of it (as in CopyNet's selective read) and by
    whether its word has been written already (in the place of See et al.'s coverage).

    Passages are read as word vectors, the main directions of those that are written with: their sentences do not pass
    through the encoder again, unlike CopyNet's source, which a recurrent network reads.

    Args:
        passages: unit vectors (L, 384). texts: their tokens (L, T'). length: T, words of a query at most.
        width: of word vectors. hidden: of the GRU. reading: of the words of passages. encoder: in MiniLM's place.
    """

    strongest_noise = 1.0  # of the sigmas drawn in training, one a text, evenly from 0
    sampled = 1000  # of the words that no text of a training step has, scored beside those it has
    near = 3  # passages that are read
    shown = 0.75  # share of training texts with a passage of their own where that is among those, found or not
    passages: Tensor
    texts: Tensor

    def __init__(
        self,
        vocabulary: np.ndarray,
        passages: Tensor,
        texts: Tensor,
        length: int,
        width: int = 256,
        hidden: int = 256,
        reading: int = 128,
        encoder: SentenceEncoder | None = None,
    ) -> None:
        super().__init__()
        self.length, self.reading = length, reading
        self.near = min(self.near, len(passages))
        self.encoder = (encoder or SentenceEncoder(vocabulary)).requires_grad_(False)
        self.words = nn.Embedding(len(vocabulary), width)
        self.words.weight.data = main_directions(self.encoder.table, width)
        self.places = nn.Parameter(torch.randn(texts.shape[1], reading) * 0.02)
        self.kinds = nn.Embedding(2, width)  # what to write: a query, or a passage's sentence
        self.widen = nn.Linear(self.encoder.width, width)
        self.begin = nn.Linear(self.encoder.width, hidden)
        self.cell = nn.GRU(width, hidden, batch_first=True)
        self.ask = nn.Linear(hidden, 4 * reading)  # for the word at a place, before it, behind it, and for the place
        self.ways = nn.Linear(hidden, 3)  # to copy at all, to go on behind the last word, to write a word again
        with torch.no_grad():  # at first copying is about as likely as the vocabulary is
            self.ways.bias.copy_(torch.tensor([math.log(len(vocabulary) / (self.near * texts.shape[1])), 1.0, -1.0]))
        self.narrow = nn.Linear(hidden, width)
        self.lift = nn.Linear(reading, width)
        self.bias = nn.Parameter(torch.zeros(len(vocabulary)))
        self.register_buffer("passages", passages.clone())
        self.register_buffer("texts", texts.int(), persistent=False)

    def encode(self, text: Tensor) -> Tensor:
        return self.encoder(text) * self.encoder.width**0.5

    def sample_prior(self, count: int, rng: torch.Generator) -> Tensor:
        """Vectors of passages, all equally likely: what queries of this collection are about."""
        chosen = torch.randint(len(self.passages), (count,), generator=rng, device=rng.device)
        return self.passages[chosen] * self.encoder.width**0.5

    def opening(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """What is added to all that is told (B, 1, width), and the state that the decoder begins in (1, B, hidden)."""
        latents = F.layer_norm(latents, latents.shape[1:])
        return self.widen(latents)[:, None], self.begin(latents).tanh()[None]

    @torch.no_grad()
    def nearest(self, latents: Tensor) -> Tensor:
        """Numbers of the passages to read (B, near), the nearest first."""
        return (latents @ self.passages.T).topk(self.near).indices

    def pages(self, latents: Tensor, chosen: Tensor) -> Pages:
        """The chosen passages (B, near) as the decoder reads them."""
        tokens = self.texts[chosen].long()
        tokens = tokens[:, :, : int(present(tokens).sum(2).max())]
        cosines = (F.normalize(latents, dim=1)[:, None] * self.passages[chosen]).sum(2)
        weight = (SCALE * cosines).log_softmax(1)[..., None].expand(tokens.shape)
        weight = weight.masked_fill((tokens == PAD) | (tokens == UNKNOWN), -math.inf).flatten(1)
        before = F.pad(tokens, (1, 0))[:, :, :-1].flatten(1)
        tokens = tokens.flatten(1)
        return Pages(tokens, F.embedding(tokens, self.words.weight[:, -self.reading :]), before, weight)

    def copying(self, states: Tensor, pages: Pages, text: Tensor, written: Tensor) -> Tensor:
        """Scores (B, S, J) of copying from each place at S states (B, S, hidden).

        text: the word before each state (B, S), PAD at the start. written: (B, S, J), true where a place's word has
        been written before.
        """
        asked = self.ask(states).unflatten(2, (4, self.reading))
        scores = asked[:, :, :3].flatten(1, 2) @ pages.words.transpose(1, 2)
        own, before, behind = scores.unflatten(1, (-1, 3)).unbind(2)
        length = pages.tokens.shape[1] // self.near
        at = (asked[:, :, 3] @ self.places[:length].T).repeat(1, 1, self.near)
        found = own + F.pad(before, (1, 0))[:, :, :-1] + F.pad(behind, (0, 1))[:, :, 1:] + at
        follows = (text[:, :, None] == pages.before[:, None]) & (text != PAD)[:, :, None]
        copy, follow, again = self.ways(states).split(1, 2)
        return found * self.reading**-0.5 + copy + follow * follows + again * written + pages.weight[:, None]

    def told(self, about: Tensor, states: Tensor, copied: Tensor, pages: Pages) -> Tensor:
        """What words are to be near to (B, S, width): of the latent, the states and what the attention reads."""
        return about + self.narrow(states) + self.lift(copied.softmax(2) @ pages.words)

    def logits(self, told: Tensor, table: Tensor, words: Tensor | slice = slice(None)) -> Tensor:
        """(..., W) out of the vocabulary, from what is told (..., width) and the words' vectors (W, width)."""
        return (told * table.shape[1] ** -0.5) @ table.T + self.bias[words]

    def forced(self, about: Tensor, state: Tensor, pages: Pages, text: Tensor, kind: Tensor) -> tuple[Tensor, Tensor]:
        """Before each word of texts (B, T) of kinds (B,): what is told (B, T, width), scores of copying (B, T, J)."""
        before = torch.cat([self.kinds(kind)[:, None], self.words(text[:, :-1])], 1)
        states = self.cell(before, state)[0]
        same = text[:, :, None] == pages.tokens[:, None]
        written = F.pad(same[:, :-1].cumsum(1) > 0, (0, 0, 1, 0))
        copied = self.copying(states, pages, F.pad(text, (1, 0))[:, :-1], written)
        return self.told(about, states, copied, pages), copied

    def shares(self, told: Tensor, copied: Tensor, pages: Pages) -> Tensor:
        """Distributions over the vocabulary (B, T, V), a word's ways to be written added up."""
        of_all = torch.cat([self.logits(told, self.words.weight), copied], 2).softmax(2)
        vocabulary, places = of_all.split([self.words.num_embeddings, copied.shape[2]], 2)
        return vocabulary.scatter_add(2, pages.tokens[:, None].expand_as(places), places)

    def decode(self, latents: Tensor) -> Tensor:
        """Likeliest tokens (B, T), one after the other; where a gradient is asked for, as one-hot rows that carry it.

        The gradient is that of the words' distributions given the words before them, straight through the choice. It
        reaches the latent through the states, the attention and the passages' shares; which passages are read is not
        differentiated. These rows end with the longest text.
        """
        about, state = self.opening(latents)
        pages = self.pages(latents, self.nearest(latents))
        with torch.no_grad(), frozen_inference(self):
            text = self._write(about, state, pages)
        if not latents.requires_grad:
            return text
        places = _to_its_end(text)
        text = text[:, : int(places.sum(1).max())]
        kind = torch.zeros(len(text), dtype=torch.long, device=text.device)
        with torch.backends.cudnn.flags(enabled=False):  # its GRU has no gradient in a frozen network
            soft = self.shares(*self.forced(about, state, pages, text, kind), pages)
        return one_hot(text, soft) + (soft - soft.detach()) * places[:, : text.shape[1], None]

    def _write(self, about: Tensor, state: Tensor, pages: Pages) -> Tensor:
        text = torch.full((len(about), self.length), PAD, device=about.device)
        word, last = self.kinds.weight[:1].expand(len(about), 1, -1), text[:, :1]
        written = torch.zeros_like(pages.tokens, dtype=torch.bool)
        table, pages = _as_computed(self.words.weight), replace(pages, words=_as_computed(pages.words))
        rows = torch.arange(len(about), device=about.device)  # of the texts that go on
        for place in range(self.length):
            states, state = self.cell(word, state)
            copied = self.copying(states, pages, last, written[:, None]).float()
            logits = self.logits(self.told(about, states, copied, pages)[:, 0], table)
            found = self._likeliest(logits, copied[:, 0], pages)
            text[rows, place] = found
            on = found != PAD
            if not on.any():
                break
            written |= pages.tokens == found[:, None]
            if not on.all():
                rows, about, state, found, written = rows[on], about[on], state[:, on], found[on], written[on]
                pages = pages.of(on)
            word, last = self.words(found)[:, None], found[:, None]
        return text

    def _likeliest(self, logits: Tensor, copied: Tensor, pages: Pages) -> Tensor:
        """Words (B,) that most of the mass is on: of the vocabulary's logits (B, V) and the places' scores (B, J)."""
        logits = logits.float()
        peak = torch.maximum(logits.amax(1), copied.amax(1))[:, None]
        return (logits - peak).exp_().scatter_add_(1, pages.tokens, (copied - peak).exp()).argmax(1)

    def loss(self, latents: Tensor, text: Tensor, kind: Tensor, own: Tensor, rng: torch.Generator) -> Tensor:
        """Mean cross-entropy of tokens (B, T), the padding after a text counted once, from noisy latents (B, 384).

        Read are the passages nearest to the noisy latent; for most texts their own (B,), -1 for none, is one of them,
        in the place of the last if it was not found.
        """
        sigma = self.strongest_noise * torch.rand(len(text), 1, generator=rng)
        noisy = latents + sigma * torch.randn(latents.shape, generator=rng)
        chosen = self.nearest(noisy)
        show = (torch.rand(len(text), generator=rng) < self.shown) & (own >= 0) & (chosen != own[:, None]).all(1)
        chosen[:, -1] = torch.where(show, own, chosen[:, -1])
        places = _to_its_end(text)
        text = text[:, : int(places.sum(1).max())]
        places = places[:, : text.shape[1]]
        pages = self.pages(noisy, chosen)
        told, copied = self.forced(*self.opening(noisy), pages, text, kind)
        row = places.nonzero()[:, 0]
        return self._sampled_loss(told[places], copied[places], pages.tokens[row], text[places], rng)

    def _sampled_loss(
        self, told: Tensor, copied: Tensor, tokens: Tensor, wanted: Tensor, rng: torch.Generator
    ) -> Tensor:
        """Cross-entropy of words (N,) over the batch's words, some of all the others, and the places (N, J).

        The others are drawn evenly and each stands for as many as were not drawn (importance sampling, Bengio and
        Senecal 2003): over all words the softmax would cost more than the rest of a step.
        """
        words, place = wanted.unique(return_inverse=True)
        rest = torch.ones(self.words.num_embeddings, dtype=torch.bool).index_fill(0, words, False).nonzero()[:, 0]
        others = rest[torch.randperm(len(rest), generator=rng)[: self.sampled]]
        stands_for = torch.full((len(others),), math.log(max(len(rest), 1) / max(len(others), 1)))
        scored = torch.cat([words, others])
        logits = self.logits(told, self.words.weight[scored], scored) + F.pad(stands_for, (len(words), 0))
        right = copied.masked_fill(tokens != wanted[:, None], -math.inf)
        ways = torch.cat([logits.gather(1, place[:, None]), right], 1).logsumexp(1)
        return (torch.cat([logits, copied], 1).logsumexp(1) - ways).mean()


def _to_its_end(text: Tensor) -> Tensor:
    """(B, T), true for a text's words and the first place behind them: where it is decided what comes."""
    return F.pad(present(text), (1, 0), value=True)[:, :-1]


def _as_computed(tensor: Tensor) -> Tensor:
    """In the precision of the products that it is for: autocast would convert it again at every word."""
    kind = tensor.device.type
    cast = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return tensor.to(torch.get_autocast_dtype(kind)) if cast else tensor
