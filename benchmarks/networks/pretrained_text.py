"""Text models of transformers over a task's own vocabulary: a classifier, and a masked language model as a generator.

A task's tokens are numbers of a short list of word pieces; the model must know these word pieces, as models over BERT's
uncased vocabulary do. `tgt.hub` wraps models whose own tokens a task uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.data.wordpieces import PAD
from benchmarks.networks.text import embed, enclosed, present, straight_through


class Reader(nn.Module):
    """A transformer of a folder or a hub's id, and its tokens behind those of a task.

    Args:
        words: the word piece behind each token of the task (V,), padding first.

    Raises:
        ValueError: the model's tokenizer does not know one of them.
    """

    pieces: Tensor
    around: Tensor

    def __init__(self, name: str, model: Any, words: Sequence[str]) -> None:
        from transformers import AutoTokenizer

        super().__init__()
        self.model = model.eval()
        tokenizer = AutoTokenizer.from_pretrained(name)
        known = tokenizer.get_vocab()
        if absent := [word for word in words if word not in known]:
            told = ", ".join(absent[:3])
            raise ValueError(f"{name} reads other word pieces: it lacks {len(absent)} of {len(words)} ({told}, ...)")
        self.register_buffer("pieces", torch.tensor([known[word] for word in words]))
        self.register_buffer("around", torch.tensor([tokenizer.cls_token_id, tokenizer.sep_token_id]))

    def read(self, model: Any, text: Tensor) -> Any:
        """What `model`, the whole or a part of it, makes of tokens (B, T) or distributions over them (B, T, V)."""
        table = self.model.get_input_embeddings().weight
        words, mask = enclosed(embed(text, table[self.pieces]), present(text), *table[self.around][:, None])
        return model(inputs_embeds=words, attention_mask=mask.long())


class Classifier(Reader):
    """A classifier as a labeler: text -> logits (B, classes)."""

    def __init__(self, name: str, words: Sequence[str]) -> None:
        from transformers import AutoModelForSequenceClassification

        super().__init__(name, AutoModelForSequenceClassification.from_pretrained(name), words)

    def forward(self, text: Tensor) -> Tensor:
        return self.read(self.model, text).logits


class MaskedLanguageModel(Reader):
    """A masked language model as a generator: its states of the words are the latents, its head tells words from them.

    Latents (B, T, d + 1) are of about unit variance but for the last number, `presence` where a word stands and else
    -`presence`. There is no prior over texts to sample from.
    """

    presence = 10.0
    scale: Tensor

    def __init__(self, name: str, words: Sequence[str]) -> None:
        from transformers import AutoModelForMaskedLM

        super().__init__(name, AutoModelForMaskedLM.from_pretrained(name), words)
        head = getattr(self.model, "cls", None) or getattr(self.model, "lm_head", None)
        if head is None:
            raise ValueError(f"{name} is no masked language model of BERT's or RoBERTa's kind")
        self.head = head
        self.register_buffer("scale", torch.ones(()))
        with torch.no_grad():
            self.scale.copy_(self.encode(torch.arange(len(words))[None, :64])[..., :-1].std())

    def encode(self, text: Tensor) -> Tensor:
        states = self.read(self.model.base_model, text).last_hidden_state[:, 1:-1] / self.scale
        return torch.cat([states, self.presence * (2.0 * present(text)[..., None] - 1)], -1)

    def decode(self, latents: Tensor) -> Tensor:
        """Tokens (B, T); where a gradient is asked for, the same tokens as one-hot rows (B, T, V) that carry it."""
        logits = self.head(latents[..., :-1] * self.scale)[..., self.pieces]
        absent = F.one_hot(torch.tensor(PAD, device=logits.device), logits.shape[-1]).bool()
        logits = logits.masked_fill((latents[..., -1:] > 0) == absent, -1e4)  # words are no padding, padding no words
        return straight_through(logits) if latents.requires_grad else logits.argmax(-1)
