"""What a task is: data, student, teacher and settings. One class for the suite's own tasks and for custom ones."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from benchmarks.core.fingerprint import seed_of
from benchmarks.data import checks
from benchmarks.data.splits import Profile
from benchmarks.data.stored import Samples, Stored
from benchmarks.metrics.classification import classify, right

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.data.given import Given
    from tgt.vocabulary import Vocabulary

SIZES = ("smoke", "small", "paper")
HELD_OUT = 0.1  # share of the training samples set aside for validation where the data name none


@dataclass(frozen=True)
class Size:
    """How much of everything at one size: data, so that no code asks which size it is."""

    budget: int  # labelled samples of a run unless --budgets says otherwise
    budgets: tuple[int, ...]  # of a curve over budgets
    steps: int  # student updates
    batch: int  # real samples a step; methods that generate show as many generated ones beside them
    labeler_steps: int = 0
    generator_steps: int = 0
    seeds: int | None = None  # replications unless --seeds says otherwise; None: the experiment's own number
    test_limit: int | None = None  # evaluate on the first so many test samples
    table: tuple[int, ...] = ()  # budgets of a table; none: `budget` alone
    defaults: dict[str, Any] = field(default_factory=dict)  # hyper-parameters in place of the task's
    search_budgets: tuple[int, ...] = ()  # labelled samples of its searches, one a band of budgets; none: `budget`
    trials: int = 24  # settings that a search tries, of every method alike, its defaults the first
    few: int | None = None  # examples in place of all there are; what they are examples of, the task says
    keep_answers: bool = False  # the teacher's logits and latents of the whole pool are computed once, kept on disk

    @property
    def searched(self) -> tuple[int, ...]:
        """Budgets that hyper-parameters are searched at; a run takes those of the nearest one."""
        return self.search_budgets or (self.budget,)


@dataclass(frozen=True)
class Examples:
    """Decoded data of a task. Inputs are stored compactly; `Task.tensor` makes them a network's inputs."""

    pool_inputs: Samples
    pool_labels: np.ndarray
    validation: np.ndarray  # indices into the pool: teachers never see them, students only where the budget needs all
    test_inputs: Samples
    test_labels: np.ndarray
    class_names: tuple[str, ...]
    extra_unlabelled: Samples | None = None  # inputs without a class of the task, for the generator
    vocabulary: np.ndarray | None = None  # of text: the word piece of the pretrained encoder behind each token of ours
    coarse: tuple[int, ...] | None = None  # of each class: the coarse class it belongs to, for a second reading
    passages: np.ndarray | None = None  # of retrieval: the tokens (L, T) of what is searched; each is a class
    #: Further test sets, (inputs, labels) by name; a student is evaluated on them after its last step.
    other_tests: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def pool_answers(self) -> np.ndarray:
        """What the pool's samples are evaluated by, in the shape of `test_labels`."""
        return self.pool_labels


@dataclass(frozen=True)
class RetrievalExamples(Examples):
    """Labels are passage numbers: of a training sample (N,), of a tested query (N, R), filled up with -1.

    Attributes:
        passage_texts, test_texts: passages and test queries in words.
        pool_relevant: the pool's passages (N, R), as the test queries' are given.
    """

    passage_texts: tuple[str, ...] = field(kw_only=True)
    test_texts: tuple[str, ...] = field(kw_only=True)
    pool_relevant: np.ndarray = field(kw_only=True)

    @property
    def pool_answers(self) -> np.ndarray:
        return self.pool_relevant


class Task:
    """A benchmark task: derive from it and write what differs. An instance is a task at one size.

    A run's key holds `name`, `version` and the student's name: raise a number when a change gives other results.

    Attributes:
        name: as the command line and the tables have it. title: one line for tables. note: what a reader must know.
        version: of everything here that the hashes of data, split and teachers do not cover.
        base: of a custom task, the task whose data, networks and settings stand wherever this class gives none.
        dataset: names the data in teachers' files and their seeds; the task's own name by default.
        domain: "image", "text" (tokens (N, T), 0 is padding), "retrieval" or any word; methods may be for one alone.
        metric: the metric that tables lead with. also: metrics shown beside it.
        profile: how a budget is spread over the classes. budget, budgets, steps, batch, smoke_steps: what `sizes` is
            made of where a task does not write it out.
        defaults, search: hyper-parameters and values to try in place of the methods' own, where these networks and
            latents ask for another scale; for all methods that have them alike.
        tuned_on: the task whose search chooses its hyper-parameters; itself by default.
        students: of each student that it has ("student", "pretrained"), its name and version.
        teachers: of each part of the teacher that is trained here, name and version of the network and its training.
        references: rows beside the students', and under which name the labeler's scores hold their metrics; where
            one is the "teacher", tables say how much of its lead over distillation a student has made up for.
        beta, perception: weights of a VAE's KL term and of its perceptual term (see `teachers.image.fit_vae`).
        training: fields of `runs.loop.Schedule` in place of the usual, for all students of the task alike: `optimiser`,
            `weight_decay`, `warm_up`, `clip`.
        lr: highest learning rate of the generator's and of the labeler's training.
        sigmas: noise scales that the teachers' quality is measured at. distances: of the neighbours in figure 1.
        computed: its data are the result of arithmetic, whose last bits differ between kinds of processors.
        code: of a custom task, the modules that hold it: their digest is part of its runs' keys.
        own: of a custom task, which of "data", "generator", "labeler" and "training" are the user's.
        needs: files that only the user can bring (see `data.given`): of the tasks of the paper's size.
        stand_in: of these, the task at hand that is most like it. kept: what is made of the files once, and
            its gigabytes.
    """

    name: str = ""
    title: str = ""
    note: str = ""
    version: ClassVar[int] = 1
    base: ClassVar[str] = ""
    domain: str = "image"
    metric: str = "accuracy"
    also: tuple[str, ...] = ("balanced_accuracy", "macro_f1")
    profile: Profile = Profile("balanced")
    budget: int = 500
    budgets: tuple[int, ...] = ()
    steps: int = 1000
    batch: int = 64
    smoke_steps: int = 12
    sizes: dict[str, Size] = {}
    defaults: dict[str, Any] = {}
    search: dict[str, list[Any]] = {}
    tuned_on: str = ""
    students: dict[str, str] = {"student": "student.v1"}
    teachers: dict[str, str] = {}
    references: dict[str, str] = {}
    beta: float = 0.0
    perception: float = 0.0
    training: dict[str, Any] = {}
    lr: tuple[float, float] = (0.0, 0.0)
    sigmas: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 3.0)
    distances: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    computed: bool = False
    code: tuple[str, ...] = ()
    own: frozenset[str] = frozenset()
    needs: tuple[Given, ...] = ()
    stand_in: str = ""
    kept: tuple[str, float] = ("", 0.0)
    dataset: str = ""
    family: str = ""  # the task that this one is a variation of, else its own name
    scale: str = "small"  # the size that this instance is at

    def __init__(self) -> None:
        self.tuned_on = self.tuned_on or self.name
        self.dataset = self.dataset or self.name
        self.family = self.family or self.name
        self.title = self.title or self.name
        if not self.sizes:
            small = Size(self.budget, self.budgets or (self.budget,), self.steps, self.batch)
            smoke = replace(small, steps=self.smoke_steps, batch=min(self.batch, 16), seeds=2, test_limit=500, trials=2)
            self.sizes = {"smoke": smoke, "small": small}
        if self.also is Task.also and self.metric != "accuracy":
            self.also = ("accuracy", "macro_f1")

    @classmethod
    def all(cls) -> list[Task]:
        """The tasks that this class stands for: one, unless it is a family of them."""
        return [cls()]

    def at(self, scale: str) -> Task:
        """The task at a size. Raises ValueError for one that it does not have."""
        if scale not in self.sizes:
            raise ValueError(f"{self.name} has no size {scale}; there are {', '.join(self.sizes)}")
        other = copy(self)
        other.scale = scale
        return other

    @property
    def size(self) -> Size:
        return self.sizes[self.scale]

    @property
    def data_name(self) -> str:
        """Of the data at this size: fewer examples are other data. A user's are the same at every size."""
        return f"few_{self.dataset}" if "data" not in self.own and self.size.few else self.dataset

    def with_ratio(self, ratio: int) -> Task:
        """The task at another imbalance ratio, such as fashion-lt-r50. Raises ValueError where it has none."""
        if self.profile.kind != "exponential":
            raise ValueError(f"{self.name} has no imbalance ratio to set: its classes are {self.profile.kind}")
        other = copy(self)
        own = ratio == type(self).profile.ratio
        other.name = self.family if own else f"{self.family}-r{ratio}"
        other.profile = Profile("exponential", float(ratio))
        return other

    def examples(self) -> Examples:
        """The task's data, loaded once a process. Raises BadInput in one line where a user's cannot serve."""
        found = self.unchecked()
        if "data" in self.own and id(found) not in _CHECKED:
            checks.refuse(self.name, self.domain, found)
            _CHECKED[id(found)] = found
        return found

    def unchecked(self) -> Examples:
        """The data as they are given."""
        if (found := _LOADED.get(self.data_name)) is None:
            data = self.data()
            found = _LOADED[self.data_name] = data if isinstance(data, Examples) else self.examples_of(data)
        return found

    def examples_of(self, given: dict[str, Any]) -> Examples:
        """Examples from arrays that `data` gives. Raises ValueError naming what is missing or does not fit."""
        arrays = checks.arrays_of(given, self.name)
        names, labels, tested = checks.numbered(
            arrays["train_labels"], arrays["test_labels"], given.get("class_names"), self.name
        )
        validation = given.get("validation")
        if validation is None:
            order = np.random.default_rng(seed_of("validation", self.name)).permutation(len(labels))
            validation = order[: max(int(HELD_OUT * len(labels)), 1)]
        unlabelled = given.get("unlabelled")
        return Examples(
            pool_inputs=arrays["train_inputs"],
            pool_labels=labels,
            validation=np.sort(np.asarray(validation)),
            test_inputs=arrays["test_inputs"],
            test_labels=tested,
            class_names=names,
            extra_unlabelled=None if unlabelled is None else checks.as_array(unlabelled, f"{self.name}: unlabelled"),
            vocabulary=given.get("vocabulary"),
        )

    # What a task is made of: to be written by each.

    def data(self) -> Examples | dict[str, Any]:
        """`Examples`, or arrays `train_inputs` (N, ...), `train_labels` (N,), `test_inputs` (M, ...), `test_labels`.

        If there are any: `unlabelled` (U, ...), more inputs that the generator was made from; `validation`, indices of
        training samples that choose hyper-parameters (else a tenth, drawn); `class_names`.
        """
        raise NotImplementedError

    def student(self, classes: int) -> nn.Module:
        """The untrained student, a module from inputs (B, ...) to logits (B, classes)."""
        raise NotImplementedError

    def pretrained(self, classes: int) -> nn.Module:
        """A student that begins from pretrained weights, for the rows that ask for it."""
        raise NotImplementedError

    def teacher(self, classes: int) -> tuple[Any, Any]:
        """(generator, labeler): encode/decode(/sample_prior) of inputs; inputs (B, ...) to logits (B, classes)."""
        raise NotImplementedError

    def fits(self) -> dict[str, Callable[..., dict[str, Any]]]:
        """How each part of the teacher ("generator", "labeler") is trained; a part that is not here comes trained."""
        return {}

    # What a task may do in its own way.

    #: (inputs (B, ...), torch.Generator) -> inputs changed at random, their labels kept; None where there is no way.
    augment: Any = None
    #: As `augment`: what the students of all rows are shown in place of the samples; None: the samples themselves.
    view: Callable[..., Any] | None = None
    fresh_labels: bool = True  # of views of real samples; else the labeler's answers to the samples are kept

    #: (module, inputs (N, ...)) -> passage numbers (N, K), the best first: what `judge` and `hits` are given in place
    #: of logits (N, L) where these would be too many. None where logits it is.
    ranks: Callable[..., np.ndarray] | None = None

    def tensor(self, inputs: Samples) -> Any:
        """Stored inputs for networks: bytes of images to [0, 1], channels last; integers to int64; else float32.

        Of an array a tensor; of `Stored` what is used like one (`Rows`) and reads when it is asked.
        """
        import torch

        if isinstance(inputs, Stored):
            from benchmarks.data.reading import Inputs

            return Inputs(inputs, self.tensor)

        if inputs.dtype == np.uint8:
            return torch.from_numpy(inputs).float().div_(255).contiguous(memory_format=torch.channels_last)
        return torch.from_numpy(inputs.astype(np.int64 if np.issubdtype(inputs.dtype, np.integer) else np.float32))

    def judge(
        self, logits: torch.Tensor, labels: np.ndarray, examples: Examples, counts: np.ndarray
    ) -> dict[str, float | None]:
        """Metrics of logits (N, L) for labels as `test_labels`; counts: training samples of each class (L,)."""
        return classify(logits, labels, examples.classes, counts, examples.coarse)

    def hits(self, logits: torch.Tensor, labels: np.ndarray) -> np.ndarray:
        """Whether each sample is a success (N,), for the error that a finite test set makes."""
        return right(logits, labels)

    def tokens(self) -> Vocabulary:
        """Of texts: which tokens are no words."""
        from tgt.vocabulary import Vocabulary  # only now: it imports torch

        return Vocabulary()

    def readable(self, tokens: np.ndarray) -> str | None:
        """One input as people read it; None where it is not words."""
        return None


#: Examples by the name of their data: tasks that vary each other share them. Of a user's, those that were looked at.
_LOADED: dict[str, Examples] = {}
_CHECKED: dict[int, Examples] = {}


def sided(inputs: Samples, labels: np.ndarray, side: np.ndarray, names: tuple[str, ...]) -> Examples:
    """Examples of samples (N, ...) with their labels (N,) and sides (N,): 0 training, 1 validation, 2 test."""
    pool, test = np.flatnonzero(side < 2), np.flatnonzero(side == 2)
    return Examples(
        pool_inputs=inputs[pool],
        pool_labels=labels[pool],
        validation=np.flatnonzero(side[pool] == 1),
        test_inputs=inputs[test],
        test_labels=labels[test],
        class_names=names,
    )
