"""What a task gives: examples, budgets, networks, and how large it is at each size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.splits import Profile

if TYPE_CHECKING:
    from torch import nn

SIZES = ("smoke", "small", "paper")


@dataclass(frozen=True)
class Size:
    """How much of everything at one size: data, so that no code asks which size it is."""

    budget: int  # labelled samples of a run unless --budgets says otherwise
    budgets: tuple[int, ...]  # of a curve over budgets
    steps: int  # student updates
    batch: int  # real samples a step; methods that generate show as many generated ones beside them
    labeler_steps: int
    generator_steps: int
    seeds: int | None = None  # replications unless --seeds says otherwise; None: the experiment's own number
    test_limit: int | None = None  # evaluate on the first so many test samples


@dataclass(frozen=True)
class Examples:
    """Decoded data of a task. Inputs are stored compactly; `Task.tensor` makes them a network's inputs."""

    pool_inputs: np.ndarray
    pool_labels: np.ndarray
    validation: np.ndarray  # indices into the pool: teachers never see them, students only where the budget needs all
    test_inputs: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]
    extra_unlabelled: np.ndarray | None = None  # inputs without a class of the task, for the generator
    vocabulary: np.ndarray | None = None  # of text: the word piece of the pretrained encoder behind each token of ours

    @property
    def classes(self) -> int:
        return len(self.class_names)


@dataclass(frozen=True)
class Networks:
    """Builders of a task's three networks, each a function of the number of classes."""

    student: Callable[[int], nn.Module]
    labeler: Callable[[int], nn.Module]
    generator: Callable[[], nn.Module]


@dataclass(frozen=True)
class Task:
    """A benchmark task. A task of one's own is one more value of this class.

    Attributes:
        title: one line for tables. note: what a reader must know (stand-ins, test set, long tail).
        examples: loads the data (numpy only). networks: loads the network builders (imports torch).
        tensor: stored inputs -> float tensor for the networks. augment: see `TrainingData`.
        metric: the metric that tables lead with.
        beta: weight of the generator's KL term. Chosen on validation inputs by how often the labeler keeps its class on
            a reconstruction: on fashion 71 % of them at 1, 81 % at 0.3, 88 % at 0.1, and on a neighbour at sigma 1 52,
            61 and 69 % (results/ledger/evidence/teachers-kl-weight.csv).
    """

    name: str
    title: str
    note: str
    profile: Profile
    sizes: dict[str, Size]
    examples: Callable[[], Examples]
    networks: Callable[[], Networks]
    tensor: Callable[[np.ndarray], Any]
    augment: Callable[..., Any]
    metric: str = "balanced_accuracy"
    beta: float = 0.1
    tuned_on: str = "fashion-lt"  # hyper-parameters are chosen once, on one task of a modality
    family_name: str | None = None  # of a task that varies another

    @property
    def family(self) -> str:
        """The task this one is a variation of, else its own name."""
        return self.family_name or self.name
