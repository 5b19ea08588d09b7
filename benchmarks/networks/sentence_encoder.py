"""The frozen teacher of retrieval: all-MiniLM-L6-v2 as published, and its vectors of the passages."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.core import kept, paths
from benchmarks.core.fingerprint import array_digest, digest
from benchmarks.data.wordpieces import CLS, PASSAGE_LENGTH, SPECIAL_TOKENS, in_vocabulary, vocabulary_of, word_pieces
from benchmarks.networks.text import MiniLM, embed, enclosed, frozen_inference, of_like_length, present

SEP = SPECIAL_TOKENS.index("[SEP]")
_CHUNK = 512
VERSION = "all-minilm-passages.v1"  # names the vectors kept on disk: raise it when they change


class SentenceEncoder(MiniLM):
    """all-MiniLM-L6-v2 as published: text -> unit vectors (B, 384), the mean over all places with [CLS] and [SEP]."""

    def __init__(self, vocabulary: np.ndarray) -> None:
        super().__init__(vocabulary, layers=6)

    def forward(self, text: Tensor) -> Tensor:
        mask = present(text)
        found = self.table.new_zeros(len(text), self.width)
        with frozen_inference(self):
            for rows, longest in of_like_length(mask):
                found[rows] = self._means(text[rows, :longest], mask[rows, :longest]).to(found.dtype)
        return F.normalize(found, dim=1)

    def _means(self, text: Tensor, mask: Tensor) -> Tensor:
        words, mask = enclosed(embed(text, self.table), mask, self.table[CLS : CLS + 1], self.table[SEP : SEP + 1])
        states = self.bert(inputs_embeds=words, attention_mask=mask.long()).last_hidden_state
        return (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def passage_vectors(texts: tuple[str, ...]) -> Tensor:
    """The encoder's vectors (L, 384) of passages, computed once and kept on disk.

    Every word piece has its vector here; a vocabulary is for queries, which a gradient passes through.
    """
    pieces = word_pieces(list(texts), PASSAGE_LENGTH)
    name = digest([array_digest({"passages": pieces}), VERSION])[:16]
    path = paths.cache() / "teachers" / f"passages-{name}.npy"

    def make() -> np.ndarray:
        vocabulary = vocabulary_of(pieces, SPECIAL_TOKENS, 1)
        with torch.random.fork_rng(devices=[]):  # whoever asks first must not draw other weights for it
            encoder = SentenceEncoder(vocabulary).eval().requires_grad_(False)
        tokens = torch.from_numpy(in_vocabulary(pieces, vocabulary)).long()
        with torch.no_grad():
            return torch.cat([encoder(chunk) for chunk in tokens.split(_CHUNK)]).numpy()

    return torch.from_numpy(np.load(kept.array(path, make)))
