"""Distillation of dense retrieval by the losses of the library sentence-transformers: the outside check of ours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tgt.method import LEARNING_RATES, Batch, Method, MethodConfig

LOSSES = ("kl", "margin-mse")


@dataclass(frozen=True)
class LibraryConfig(MethodConfig):
    loss: str = "kl"  # or "margin-mse"
    temperature: float = 1.0  # kl alone has one
    candidates: int = 16  # passages that a query is compared over, its own among them
    hardest: int = 100  # the others are drawn from its so many highest of the labeler's

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"loss must be one of {', '.join(LOSSES)}, not {self.loss!r}")
        if not 2 <= self.candidates <= self.hardest:
            raise ValueError(f"candidates must lie between 2 and hardest ({self.hardest}), not be {self.candidates}")


class LibraryDistillation(Method):
    """`DistillKLDivLoss` or `MarginMSELoss` alone, over a query's own and hard passages: the library's recipe."""

    Config = LibraryConfig
    search = {"lr": LEARNING_RATES, "temperature": [1.0, 2.0, 4.0], "candidates": [8, 16, 64]}
    variants = {
        "sbert-kl": {
            "about": "distillation by sentence-transformers' DistillKLDivLoss over a query's own and its hard passages",
            "fixed": {"loss": "kl"},
            "only_for": "retrieval",
            "order": 240,
            "colour": "#8c6d31",
        },
        "sbert-margin-mse": {
            "about": "as sbert-kl, by MarginMSELoss",
            "fixed": {"loss": "margin-mse"},
            "search": {"temperature": []},
            "only_for": "retrieval",
            "order": 250,
            "colour": "#F0E442",
        },
    }
    config: LibraryConfig

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        from sentence_transformers.sentence_transformer.losses import DistillKLDivLoss, MarginMSELoss

        wanted = batch.labeler_logits
        shown = self.candidates(wanted, batch.labels)
        # The library asks for a query's and the passages' vectors and how to compare them: the student has done that.
        passages = student(batch.inputs).gather(1, shown).unbind(1)
        compare = {"similarity_fct": lambda query, score: score}
        loss: nn.Module
        if self.config.loss == "kl":
            loss = DistillKLDivLoss(student, temperature=self.config.temperature, **compare)  # type: ignore[arg-type]
        else:
            loss = MarginMSELoss(student, **compare)  # type: ignore[arg-type]
        return {"distillation": loss.compute_loss_from_embeddings([batch.inputs, *passages], wanted.gather(1, shown))}

    def candidates(self, scores: Tensor, labels: Tensor) -> Tensor:
        """(B, candidates) passages, the first the query's own, the others drawn from the labeler's highest."""
        c = self.config
        others = scores.scatter(1, labels[:, None], -torch.inf)
        hard = others.topk(min(c.hardest, scores.shape[1] - 1), dim=1).indices
        order = torch.rand(hard.shape, generator=self.rng, device=hard.device).argsort(1)[:, : c.candidates - 1]
        return torch.cat([labels[:, None], hard.gather(1, order)], dim=1)
