"""The contract between a training loop and a method: what a method is given, and the one thing it must answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tgt.teacher import Teacher
from tgt.vocabulary import Vocabulary

CHUNK = 256  # samples a call when the whole training set passes through a frozen network once


@dataclass(frozen=True)
class View:
    """A random change, such as crop and flip, of each real or decoded sample that a student is shown by any method.

    Attributes:
        change: inputs (B, ...), generator -> inputs of the same shape.
        seed: of the run; in a step all methods draw the same views of the same real samples.
        fresh: the labeler is asked about the view of a real sample, each time; else it is asked once about the sample.
    """

    change: Callable[[Tensor, torch.Generator], Tensor]
    seed: int
    fresh: bool = True

    def of_step(self, inputs: Tensor, progress: float) -> Tensor:
        if not len(inputs):
            return inputs
        # On the CPU a seed's lower 32 bits alone count.
        rng = torch.Generator(inputs.device).manual_seed((self.seed + round(progress * 2**32)) % 2**63)
        return self.change(inputs, rng)


class TrainingData:
    """The labelled samples of one run, with what the teacher says of them computed on first use and kept.

    A method that never reads `labeler_logits` or `latents` never pays for them.

    Args:
        inputs: (N, ...), a tensor or what has its `len`, `shape`, `device`, `[index]` and `split`.
        labels: (N,) int64; num_classes: L; teacher: the frozen teacher.
        augment: inputs (B, ...), generator -> augmented inputs; None where the domain has no augmentation.
        unlabelled: loads the inputs (M, ...) that the generator was trained on; None where they cannot be had.
        vocabulary: of texts, what their tokens are.
        view: what students are shown in place of the samples; None for the samples themselves.
        neighbours: these data, sigma, copies -> what `neighbours` gives; asked once of each.
    """

    def __init__(
        self,
        inputs: Tensor,
        labels: Tensor,
        num_classes: int,
        teacher: Teacher,
        augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
        unlabelled: Callable[[], Tensor] | None = None,
        vocabulary: Vocabulary | None = None,
        view: View | None = None,
        neighbours: Callable[[TrainingData, float, int], tuple[Tensor, Tensor]] | None = None,
    ) -> None:
        self.inputs, self.labels, self.num_classes, self.teacher = inputs, labels, num_classes, teacher
        self._augment, self._unlabelled, self.view = augment, unlabelled, view
        self.vocabulary = vocabulary or Vocabulary()
        self._neighbours, self._kept = neighbours, dict[tuple[float, int], tuple[Tensor, Tensor]]()

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def labeler_logits(self) -> Tensor:
        """Labeler's logits of every sample (N, L)."""
        return self._said(self.teacher.label)

    @cached_property
    def labeler_features(self) -> Tensor:
        """Labeler's features of every sample (N, D): what its last linear layer is given."""
        return self._said(lambda inputs: self.teacher.features(inputs)[0])

    @cached_property
    def latents(self) -> Tensor:
        """Encoder's latents of every sample (N, ...)."""
        return self._said(self.teacher.encode)

    def _said(self, ask: Callable[[Tensor], Tensor]) -> Tensor:
        return torch.cat([ask(chunk) for chunk in self.inputs.split(CHUNK)])

    def neighbours(self, sigma: float, copies: int) -> tuple[Tensor, Tensor]:
        """Decoded neighbours (N * copies, ...), those of a sample together, and the labeler's logits of them.

        Raises ValueError where the loop keeps none.
        """
        if self._neighbours is None:
            raise ValueError("this loop keeps no neighbours; tgt.stored.in_memory does")
        if (sigma, copies) not in self._kept:
            self._kept[sigma, copies] = self._neighbours(self, sigma, copies)
        return self._kept[sigma, copies]

    @cached_property
    def unlabelled(self) -> Tensor:
        """What the generator was trained on, real and without labels. Raises ValueError if it cannot be had."""
        if self._unlabelled is None:
            raise ValueError("this task gives no unlabelled samples")
        return self._unlabelled()

    @cached_property
    def class_counts(self) -> Tensor:
        """Training samples in each class (L,)."""
        return torch.bincount(self.labels, minlength=self.num_classes)

    def balanced_indices(self, count: int, rng: torch.Generator) -> Tensor:
        """`count` sample indices, with replacement, every class that has samples equally likely."""
        weights = 1.0 / self.class_counts.clamp_min(1).double()[self.labels]
        return torch.multinomial(weights, count, replacement=True, generator=rng)

    def augment(self, inputs: Tensor, rng: torch.Generator) -> Tensor:
        """Label-preserving random change of inputs. Raises ValueError if the task has none."""
        if self._augment is None:
            raise ValueError("this task defines no augmentation")
        return self._augment(inputs, rng)

    def shown(self, inputs: Tensor, rng: torch.Generator) -> Tensor:
        """Samples (B, ...) that are not the batch's as a student is to be shown them."""
        return inputs if self.view is None else self.view.change(inputs, rng)


@dataclass
class Batch:
    """One step's real samples, and how many generated ones the method may show to the student beside them."""

    data: TrainingData
    indices: Tensor
    num_generated: int = 0
    progress: float = 0.0  # share of the run's steps that are done, from 0 to below 1

    @cached_property
    def inputs(self) -> Tensor:
        found, view = self.data.inputs[self.indices], self.data.view
        return found if view is None else view.of_step(found, self.progress)

    @property
    def _asks_anew(self) -> bool:
        return self.data.view is not None and self.data.view.fresh

    @property
    def labels(self) -> Tensor:
        return self.data.labels[self.indices]

    @cached_property
    def labeler_logits(self) -> Tensor:
        return self.data.teacher.label(self.inputs) if self._asks_anew else self.data.labeler_logits[self.indices]

    @cached_property
    def labeler_features(self) -> Tensor:
        asked = self.data.teacher.features
        return asked(self.inputs)[0] if self._asks_anew else self.data.labeler_features[self.indices]


#: Learning rates that every method's search tries alike: no setting decides more, so none may have a better choice.
LEARNING_RATES = [1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2, 6.4e-2]
#: What every method that distils tries alike; each adds what is its own.
DISTILLATION_SEARCH: dict[str, list[Any]] = {
    "lr": LEARNING_RATES,
    "temperature": [1.0, 2.0, 4.0],
    "w_sup": [0.0, 0.1, 1.0],
}


@dataclass(frozen=True)
class MethodConfig:
    """Hyper-parameters that every method has; a method's own config adds to them."""

    lr: float = 8e-3


class Method:
    """A way to teach a student. Subclasses set `Config` and write `loss`; the loop owns everything else.

    Attributes:
        Config: frozen dataclass of hyper-parameters.
        search: values to try for each hyper-parameter when defaults are chosen on validation data.
        variants: the rows of the tables that it makes, by name, with what a row fixes and what it is: a plain dict of
            literals, for it is read without importing the file. Subclasses do not inherit them.
        version: raised by one in the class whose change gives other numbers. Those of a class and its parents are added
            up: Method has 1, and a class that is changed for the first time writes `version = 1`.
        real_share: share of a step's samples that are real; the rest is the batch's `num_generated`.
    """

    Config: ClassVar[type[MethodConfig]] = MethodConfig
    search: ClassVar[dict[str, list[Any]]] = {"lr": LEARNING_RATES}
    variants: ClassVar[dict[str, dict[str, Any]]] = {}
    version: ClassVar[int] = 1  # raised by one in the class whose change gives other numbers

    def __init__(self, config: Any, data: TrainingData, rng: torch.Generator) -> None:
        self.config, self.data, self.teacher, self.rng = config, data, data.teacher, rng

    @property
    def real_share(self) -> float:
        return 1.0

    @property
    def restarts(self) -> tuple[float, ...]:
        """At which shares of the run, in rising order, the optimiser and its schedule begin anew."""
        return ()

    def parameters(self, student: nn.Module) -> list[nn.Parameter]:
        """Those of layers of the method's own, which the loop trains as it does the student's."""
        return []

    def loss(self, student: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Named scalar terms; the loop minimises their sum in the student's parameters."""
        raise NotImplementedError
