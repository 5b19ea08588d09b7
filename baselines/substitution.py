"""Distillation, half of each step real texts with some words replaced by near ones, which the labeler is asked about.

The augmentation of TinyBERT's task distillation (Jiao et al. 2020, arXiv 1909.10351, section 3.2) without its masked
language model: near words are those whose pretrained vectors point in like directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tgt.guided import TGT, TGTConfig
from tgt.method import DISTILLATION_SEARCH, Batch, TrainingData
from tgt.pooled import pooled

_ROWS = 512  # words whose neighbours are looked up at a time


@dataclass(frozen=True)
class SubstitutionConfig(TGTConfig):
    replaced: float = 0.3  # share of the words of a text
    neighbours: int = 10  # a word is replaced by one of its so many nearest


class Substitution(TGT):
    """Needs texts as token numbers (B, T) and a labeler that shows its `word_vectors` (V, d); ValueError otherwise."""

    Config = SubstitutionConfig
    search = {**DISTILLATION_SEARCH, "w_tgt": [1.0, 2.0, 4.0], "replaced": [0.15, 0.3, 0.5]}
    config: SubstitutionConfig

    def __init__(self, config: SubstitutionConfig, data: TrainingData, rng: torch.Generator) -> None:
        super().__init__(config, data, rng)
        if data.inputs.is_floating_point() or not hasattr(data.teacher.labeler, "word_vectors"):
            raise ValueError("substitution replaces words: it needs token numbers and a labeler with word_vectors")
        vectors = F.normalize(data.teacher.labeler.word_vectors.detach(), dim=1)  # type: ignore[operator,arg-type]
        occurring = torch.unique(data.inputs)
        near = [
            (vectors[words] @ vectors.T).topk(config.neighbours + 1, dim=1).indices[:, 1:]
            for words in occurring.split(_ROWS)
        ]
        self.near = torch.zeros(len(vectors), config.neighbours, dtype=torch.long, device=occurring.device)
        self.near[occurring] = torch.cat(near)

    def generate(self, student: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        repeats = -(-batch.num_generated // len(batch.indices))
        texts = self.substitute(self.data.inputs[batch.indices.repeat(repeats)[: batch.num_generated]])
        return texts, self.teacher.label(texts)

    def substitute(self, texts: Tensor) -> Tensor:
        """Each word (not the padding, token 0) of texts (B, T) replaced with probability `replaced`."""
        device = texts.device
        chosen = torch.rand(texts.shape, generator=self.rng, device=device) < self.config.replaced
        which = torch.randint(self.config.neighbours, texts.shape, generator=self.rng, device=device)
        return torch.where(chosen & (texts != 0), self.near[texts, which], texts)


PooledSubstitution = pooled(
    Substitution,
    {
        "substitution-pool": {
            "about": "distillation, half of each step with words replaced by near ones",
            "pool_of": "substitution",
            "only_for": "text",
            "tables": ["text"],
            "order": 160,
            "colour": "#009E73",
        },
    },
)
