"""What a task gives: examples, budgets, networks, and how large it is at each size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.metrics import classify, right
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
    table: tuple[int, ...] = ()  # budgets of a table; none: `budget` alone
    defaults: dict[str, Any] = field(default_factory=dict)  # hyper-parameters in place of the task's
    search_budget: int | None = None  # labelled samples of the search; None: `budget`
    trials: int = 8  # settings that the search tries, of every method alike, its defaults the first
    examples: Callable[[], Examples] | None = None  # in place of the task's, where they would be too many; and
    networks: Callable[[], Networks] | None = None  # the networks that fit them
    keep_answers: bool = False  # the teacher's logits and latents of the whole pool are computed once, kept on disk


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
    coarse: tuple[int, ...] | None = None  # of each class: the coarse class it belongs to, for a second reading
    passages: np.ndarray | None = None  # of retrieval: the tokens (L, T) of what is searched; each is a class
    #: Further test sets, (inputs, labels) by name; a student is judged on them after its last step.
    other_tests: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def pool_answers(self) -> np.ndarray:
        """What the pool's samples are judged by, in the shape of `test_labels`."""
        return self.pool_labels


@dataclass(frozen=True)
class Networks:
    """Builders of a task's networks, each a function of the number of classes, and how its teachers are trained.

    Attributes:
        pretrained: a student that begins from pretrained weights, for the rows that ask for it.
        fit: part ("generator", "labeler") -> function that trains it (`benchmarks.teachers.Fit`); by default as a VAE
            and as a classifier.
    """

    student: Callable[[int], nn.Module]
    labeler: Callable[[int], nn.Module]
    generator: Callable[[], nn.Module]
    pretrained: Callable[[int], nn.Module] | None = None
    fit: dict[str, Callable[..., dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A benchmark task. A task of one's own is one more value of this class.

    Attributes:
        title: one line for tables. note: what a reader must know (stand-ins, test set, long tail).
        examples: loads the data (numpy only). networks: loads the network builders (imports torch).
        tensor: stored inputs -> tensor for the networks. augment: see `TrainingData`.
        judge: (logits (N, L), labels, examples, training samples of each class) -> metrics.
        hits: (logits (N, L), labels) -> whether each sample is a success (N,), for the error that test samples make.
        domain: what the inputs are; a method that is for one domain alone names it.
        metric: the metric that tables lead with. also: metrics shown beside it.
        references: rows beside the students', and under which name the labeler's judgement holds their metrics; where
            one is the "teacher", tables say how much of its lead over distillation a student has made up for.
        beta: weight of a VAE's KL term. Chosen on validation inputs by how often the labeler keeps its class on
            a reconstruction: on fashion 71 % of them at 1, 81 % at 0.3, 88 % at 0.1, and on a neighbour at sigma 1 52,
            61 and 69 % (results/ledger/evidence/teachers-kl-weight.csv).
        tuned_on: the task that its hyper-parameters are chosen on, once: itself or one like it.
        defaults, search: hyper-parameters and values to try in place of the methods' own, where these networks and
            latents ask for another scale; for all methods that have them alike.
        lr: highest learning rate of the generator's and of the labeler's training.
        networks_code: modules that the networks and their training stand in.
        has_pretrained: whether its networks have a pretrained student.
        readable: one input as people read it, where that is words.
        sigmas: noise scales that the fidelity of the teachers is judged at. distances: of the neighbours in figure 1.
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
    judge: Callable[..., dict[str, float | None]] = classify
    hits: Callable[..., np.ndarray] = right
    domain: str = "image"
    metric: str = "balanced_accuracy"
    also: tuple[str, ...] = ("many_shot", "medium_shot", "few_shot")
    references: dict[str, str] = field(default_factory=dict)
    beta: float = 0.1
    tuned_on: str = "fashion-lt"
    family_name: str | None = None  # of a task that varies another
    defaults: dict[str, Any] = field(default_factory=dict)
    search: dict[str, list[Any]] = field(default_factory=dict)
    lr: tuple[float, float] = (2e-3, 4e-3)
    networks_code: tuple[str, ...] = ("benchmarks.networks",)
    has_pretrained: bool = False
    sigmas: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 3.0)
    distances: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    readable: Callable[[np.ndarray], str] | None = None

    def at(self, size: str) -> Task:
        """The task with the examples and the networks that it has at a size."""
        own = self.sizes[size]
        return replace(self, examples=own.examples or self.examples, networks=own.networks or self.networks)

    @property
    def family(self) -> str:
        """The task this one is a variation of, else its own name."""
        return self.family_name or self.name
