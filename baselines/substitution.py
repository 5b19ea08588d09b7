"""Distillation, half of each step real texts with some words replaced by near ones, which the labeler is asked about.

The augmentation of TinyBERT's task distillation (Jiao et al. 2020, arXiv 1909.10351, section 3.2 and appendix A). There
a masked language model proposes words for a masked place; the pretrained encoder of this suite carries no such head.
Here a word stays in its place, and those words are proposed whose mean state over unlabelled texts is nearest to the
state that the encoder gives the place in its context. States are the generator's latents, one a place: the frozen
encoder's, projected. A word is replaced with the paper's probability by one of as many as there, and a word of several
pieces piece by piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tgt.guided import TGT, TGTConfig
from tgt.method import DISTILLATION_SEARCH, Batch, TrainingData
from tgt.pooled import pooled

_CHUNK = 256  # texts that are read at a time


@dataclass(frozen=True)
class SubstitutionConfig(TGTConfig):
    replaced: float = 0.4  # share of the words of a text, as in TinyBERT
    neighbours: int = 15  # a word is replaced by one of its so many nearest, as in TinyBERT
    read: int = 2000  # unlabelled texts that the words' mean states are taken over
    seen: int = 3  # times that a word must be read: the state of a rare one says more of the place that it stood in


class Substitution(TGT):
    """TGT's objective with x~ a real text, some words replaced by others that are used alike.

    Inputs must be tokens (B, T), and the generator one with a latent for each place (B, T, d); ValueError otherwise.
    """

    version = 1
    Config = SubstitutionConfig
    search = {**DISTILLATION_SEARCH, "w_tgt": [1.0, 2.0, 4.0], "replaced": [0.2, 0.4, 0.6]}
    config: SubstitutionConfig

    def __init__(self, config: SubstitutionConfig, data: TrainingData, rng: torch.Generator) -> None:
        super().__init__(config, data, rng)
        if data.inputs.is_floating_point():
            raise ValueError("substitution replaces words: it needs token numbers")

    @cached_property
    def words(self) -> tuple[Tensor, Tensor, Tensor]:
        """Words (W,) of the texts that are read, the directions (W, d) of their mean states, all states' mean (d,)."""
        pool = self.data.unlabelled
        order = torch.randperm(len(pool), generator=self.rng, device=pool.device)
        texts = pool[order[: self.config.read]]
        states = torch.cat([self._states(self.teacher.encode(chunk)) for chunk in texts.split(_CHUNK)])
        if states.shape[:2] != texts.shape:
            raise ValueError("substitution needs a generator with a latent for each word of a text")
        at = self.data.vocabulary.words(texts)
        words, which, count = texts[at].unique(return_inverse=True, return_counts=True)
        total = states.new_zeros(len(words), states.shape[2]).index_add_(0, which, states[at])
        means, centre, kept = total / count[:, None], states[at].mean(0), count >= self.config.seen
        if kept.sum() < 2:
            raise ValueError(f"fewer than two words are read {self.config.seen} times in {len(texts)} texts")
        return words[kept], F.normalize(means[kept] - centre, dim=1), centre

    def _states(self, latents: Tensor) -> Tensor:
        """What latents say of the words: all of them, or what the generator's `states` takes out of them."""
        states = getattr(self.teacher.generator, "states", None)
        return latents if states is None else states(latents)

    def generate(self, student: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        repeats = -(-batch.num_generated // len(batch.indices))
        texts = self.substitute(batch.indices.repeat(repeats)[: batch.num_generated])
        return texts, self.teacher.label(texts)

    def substitute(self, indices: Tensor) -> Tensor:
        """Training texts (B, T) by their indices (B,), each of their words replaced with probability `replaced`."""
        words, directions, centre = self.words
        texts = self.data.inputs[indices]
        chance = torch.rand(texts.shape, generator=self.rng, device=texts.device)
        chosen = (chance < self.config.replaced) & self.data.vocabulary.words(texts)
        states = F.normalize(self._states(self.data.latents[indices])[chosen] - centre, dim=1)
        nearness = (states @ directions.T).masked_fill(texts[chosen][:, None] == words, -torch.inf)
        near = nearness.topk(min(self.config.neighbours, len(words) - 1), dim=1).indices
        which = torch.randint(near.shape[1], (len(near), 1), generator=self.rng, device=near.device)
        return texts.masked_scatter(chosen, words[near.gather(1, which)[:, 0]])


PooledSubstitution = pooled(
    Substitution,
    {
        "substitution-pool": {
            "about": "distillation, half of each step with words replaced by ones used alike",
            "pool_of": "substitution",
            "only_for": "text",
            "tables": ["text"],
            "order": 160,
            "colour": "#009E73",
        },
    },
)
