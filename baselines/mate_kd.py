"""MATE-KD: distillation on texts whose masked words a generator fills against the student.

Rashid et al. 2021, arXiv 2105.05912. A masked language model fills 30 % of the words of real texts, chosen by
Gumbel-softmax with hard words forward and soft ones backward. It is trained to raise the divergence of student and
labeler, one step for every ten of the student (the official code: 10 for 100), and the student is distilled on the real
and on the filled texts. What differs here:

- The masked language model is the decoder of the given generator, copied and trained on: it fills places whose latents
  are missing, as in its own training, and the encoder reads the unknown word there, for the vocabulary has no mask.
- Filled texts are kept in a pool, as for every row of texts here; each renewal is preceded by a step of the generator.
- Its learning rate is searched around 3e-4, for it takes 40 steps here and not tens of thousands (the paper: 5e-7).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tgt.guided import TGT, TGTConfig
from tgt.losses import DISTANCES
from tgt.method import DISTILLATION_SEARCH, Batch, TrainingData
from tgt.pooled import pooled
from tgt.vocabulary import one_hot

_CLIP = 5.0  # norm of the generator's gradient, as in the official code


@dataclass(frozen=True)
class MateKDConfig(TGTConfig):
    masked: float = 0.3  # share of the words of a text
    generator_lr: float = 3e-4


class MateKD(TGT):
    """TGT's objective with x~ a real text, some words filled in by a generator that learns to raise l_d(f(x~), h(x~)).

    Inputs must be tokens (B, T), and the generator one of latents (B, T, d) with `hidden` and `words`: latents to
    states, and these to scores (..., V) of words. Raises ValueError otherwise.
    """

    Config = MateKDConfig
    search = {
        **DISTILLATION_SEARCH,
        "w_tgt": [1.0, 2.0, 4.0],
        "masked": [0.15, 0.3, 0.5],
        "generator_lr": [1e-4, 3e-4, 1e-3],
    }
    config: MateKDConfig
    step = 1  # of one with a pool: 0 while it is filled, by a student that has learned nothing

    def __init__(self, config: MateKDConfig, data: TrainingData, rng: torch.Generator) -> None:
        super().__init__(config, data, rng)
        given = data.teacher.generator
        if data.inputs.is_floating_point() or not (hasattr(given, "hidden") and hasattr(given, "words")):
            raise ValueError("MATE-KD fills in words: it needs token numbers and a generator with hidden and words")
        encoder = {id(part): part for name, part in given.named_children() if name == "encoder"}
        self.filler: Any = copy.deepcopy(given, encoder)  # but for the encoder, which stays as it is
        self.learned = [part for name, part in self.filler.named_parameters() if not name.startswith("encoder.")]
        for part in self.learned:
            part.requires_grad_()
        self.optimiser = torch.optim.AdamW(self.learned, lr=config.generator_lr)

    def generate(self, student: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        repeats = -(-batch.num_generated // len(batch.indices))
        texts = self.data.inputs[batch.indices.repeat(repeats)[: batch.num_generated]]
        chance = torch.rand(texts.shape, generator=self.rng, device=texts.device)
        vocabulary = self.data.vocabulary
        missing = (chance < self.config.masked) & vocabulary.inside(texts)
        latents = self.teacher.encode(texts.masked_fill(missing, vocabulary.unknown)).masked_fill(missing[..., None], 0)
        if self.step:
            self.train_filler(student, texts, missing, latents)
        with torch.no_grad():
            filled, _ = self.fill(texts, missing, latents)
        return filled, self.teacher.label(filled)

    def fill(self, texts: Tensor, missing: Tensor, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Texts (B, T) with words drawn in the missing places (B, T), and the words' distributions (M, V).

        A word is the highest of scores with Gumbel noise; the distribution is their softmax at temperature 1.
        """
        with self.teacher.costs.phase("decode"):
            scores = self.filler.words(self.filler.hidden(latents)[missing])
        self.teacher.costs.add("decodes", len(texts))
        none = torch.tensor([self.data.vocabulary.padding, self.data.vocabulary.unknown], device=scores.device)
        scores = scores.index_fill(1, none, -torch.inf)
        noisy = scores - torch.empty_like(scores).exponential_(generator=self.rng).log()
        return texts.masked_scatter(missing, noisy.argmax(1)), noisy.softmax(1)

    def train_filler(self, student: nn.Module, texts: Tensor, missing: Tensor, latents: Tensor) -> None:
        """One step of the generator up the disagreement; the student in eval mode, its gradients untouched."""
        was_training = student.training
        student.eval()
        with self.teacher.costs.phase("explore"):
            filled, soft = self.fill(texts, missing, latents)
            rows = one_hot(filled, soft.new_empty(*filled.shape, soft.shape[1]))  # hard forward, soft backward
            rows = rows.index_put((missing,), rows[missing] + soft - soft.detach())
            distance = DISTANCES[self.config.distance]
            rise = distance(student(rows), self.teacher.label(rows), self.config.temperature).mean()
            for part, gradient in zip(
                self.learned, torch.autograd.grad(-rise, self.learned, allow_unused=True), strict=True
            ):
                part.grad = gradient
            torch.nn.utils.clip_grad_norm_(self.learned, _CLIP)
            self.optimiser.step()
        self.teacher.costs.add("gradient_evaluations", len(texts))
        student.train(was_training)


PooledMateKD = pooled(
    MateKD,
    {
        "mate-kd-pool": {
            "about": "distillation, half of each step with words filled in by a generator trained against the student",
            "only_for": "text",
            "pool_of": "mate-kd",
            "generator_has": ["hidden", "words"],
            "tables": ["text"],
            "order": 165,
            "colour": "#e7298a",
        },
    },
)
