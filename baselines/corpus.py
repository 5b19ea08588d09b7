"""Distillation that also asks the labeler about the passages that are searched: opening words, or spans.

Everyone who searches a collection has it, so these need no generator. The spans are those of the inverse cloze task
(Lee et al. 2019, arXiv 1906.00300), here labelled by the labeler instead of by the passage that they were cut out of.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tgt.guided import TGT, TGTConfig
from tgt.method import DISTILLATION_SEARCH, Batch, TrainingData
from tgt.pooled import pooled


class Corpus(TGT):
    """TGT's objective with x~ the opening words of a passage. ValueError where the data have no `passages` (L, T')."""

    search = {**DISTILLATION_SEARCH, "w_tgt": [1.0, 2.0, 4.0]}

    def __init__(self, config: TGTConfig, data: TrainingData, rng: torch.Generator) -> None:
        super().__init__(config, data, rng)
        passages: Tensor | None = getattr(data, "passages", None)
        if passages is None:
            raise ValueError("this method reads the passages of a retrieval task, and these data have none")
        self.passages = passages

    def generate(self, student: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        device = batch.indices.device
        texts = self.cut(
            self.passages[torch.randint(len(self.passages), (batch.num_generated,), generator=self.rng, device=device)]
        )
        return texts, self.teacher.label(texts)

    def cut(self, passages: Tensor) -> Tensor:
        """Texts (B, T) of passages (B, T'), as long as a query may be."""
        return passages[:, : self.data.inputs.shape[1]]


@dataclass(frozen=True)
class InverseClozeConfig(TGTConfig):
    longest: int = 16  # words of a span, at least `shortest`; all lengths are equally likely
    shortest: int = 4


class InverseCloze(Corpus):
    """TGT's objective with x~ a span from anywhere in a passage."""

    Config = InverseClozeConfig
    search = {**Corpus.search, "longest": [8, 16, 32]}
    config: InverseClozeConfig

    def cut(self, passages: Tensor) -> Tensor:
        c, device = self.config, passages.device
        words = self.data.vocabulary.inside(passages).sum(1)
        length = torch.randint(c.shortest, c.longest + 1, (len(passages),), generator=self.rng, device=device)
        length = torch.minimum(length, words)
        first = (torch.rand(len(passages), generator=self.rng, device=device) * (words - length + 1)).long()
        places = torch.arange(self.data.inputs.shape[1], device=device)
        taken = (first[:, None] + places).clamp_max(passages.shape[1] - 1)
        return torch.where(places < length[:, None], passages.gather(1, taken), self.data.vocabulary.padding)


PooledCorpus = pooled(
    Corpus,
    {
        "corpus-pool": {
            "about": "distillation, half of each step opening words of passages that the labeler is asked about",
            "pool_of": "corpus",
            "only_for": "retrieval",
            "tables": ["retrieval"],
            "order": 260,
            "colour": "#56B4E9",
        },
    },
)
PooledInverseCloze = pooled(
    InverseCloze,
    {
        "inverse-cloze-pool": {
            "about": "as corpus-pool, spans from anywhere in a passage",
            "pool_of": "inverse-cloze",
            "only_for": "retrieval",
            "tables": ["retrieval"],
            "order": 270,
            "colour": "#009E73",
        },
    },
)
