"""The rows of the tables: a name, the class behind it, and what the row fixes of its hyper-parameters."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.core.fingerprint import module_digest
from benchmarks.core.paths import REFERENCE

if TYPE_CHECKING:
    from benchmarks.task import Task
    from tgt import Method

_STEPS: dict[str, list[Any]] = {"step_size": [1.0, 2.0, 4.0, 8.0]}


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        target: `module:name` of a `tgt.Method`.
        fixed: the hyper-parameters that make this row. search: values only its search tries.
        defaults: in place of the task's and the method's own.
        domain: the only domain it is for; "" means any.
        student: which of a task's `Networks` it trains.
        packages: of a method from outside, further packages and modules whose code is the method's own.
    """

    target: str
    summary: str
    fixed: dict[str, Any] = field(default_factory=dict)
    search: dict[str, list[Any]] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    domain: str = ""
    student: str = "student"
    packages: tuple[str, ...] = ()

    def load(self) -> type[Method]:
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(module), name)

    @property
    def module(self) -> str:
        return self.target.partition(":")[0]

    @property
    def code_sha256(self) -> str:
        """Hash of the method's code and of all code of the suite, and of its own packages, that it rests on."""
        return module_digest(self.module, ("tgt", "baselines", *self.packages))

    @property
    def only_for(self) -> str:
        """The only domain it is for, by its row or, of a method from outside, by an attribute `domain` of its class."""
        return self.domain or (getattr(self.load(), "domain", "") if self.packages else "")

    def unfit(self, task: Task) -> str:
        """Why it cannot run on a task; "" if it can."""
        if self.only_for not in ("", task.domain):
            return f"it is for {self.only_for} tasks, and {task.name} is one of {task.domain}"
        if self.student == "pretrained" and not task.has_pretrained:
            return f"{task.name} has no pretrained student"
        return ""

    def space(self, task: Task) -> dict[str, list[Any]]:
        """The values that its search tries on a task, by hyper-parameter."""
        own = self.load().search
        return {**own, **{name: values for name, values in task.search.items() if name in own}, **self.search}


METHODS: dict[str, Row] = {
    "one-hot": Row("baselines.one_hot:OneHot", "plain training on the labels"),
    "logit-adjusted": Row("baselines.logit_adjusted:LogitAdjusted", "plain training, loss adjusted for the long tail"),
    "distillation": Row("baselines.distillation:Distillation", "labels and labeler's logits on the real samples"),
    "distillation-balanced": Row(
        "baselines.distillation:BalancedDistillation", "distillation, half of each step drawn class-balanced"
    ),
    "distillation-augmented": Row(
        "baselines.distillation_augmented:AugmentedDistillation", "distillation on flipped and shifted samples"
    ),
    "distillation-mixup": Row(
        "baselines.distillation_mixup:MixupDistillation",
        "distillation, half of each step mixed from pairs",
        domain="image",
    ),
    "distillation-unlabelled": Row(
        "baselines.distillation_unlabelled:UnlabelledDistillation",
        "distillation, half of each step real samples that the generator was trained on: its ceiling",
    ),
    "data-free": Row(
        "baselines.data_free:DataFree", "no data: a generator learnt from scratch against the student", domain="image"
    ),
    "prior-sampling": Row(
        "baselines.prior_sampling:PriorSampling", "distillation, half of each step decoded from the generator's prior"
    ),
    "tgt-random": Row("tgt.guided:TGT", "TGT, isotropic exploration around the batch", {"explore": "isotropic"}),
    "tgt-gradient": Row("tgt.guided:TGT", "TGT, gradient-based exploration", {"explore": "gradient"}, _STEPS),
    "tgt-random-balanced": Row(
        "tgt.guided:TGT", "TGT, isotropic, class-balanced starts", {"explore": "isotropic", "start": "balanced"}
    ),
    "tgt-gradient-balanced": Row(
        "tgt.guided:TGT",
        "TGT, gradient-based, class-balanced starts",
        {"explore": "gradient", "start": "balanced"},
        _STEPS,
    ),
    "distillation-unlabelled-pool": Row(
        "baselines.pooled:PooledUnlabelledDistillation",
        "as distillation-unlabelled, from a pool of them labelled once: the ceiling of a generator's pool",
    ),
    "augmentation-pool": Row(
        "baselines.pooled:PooledAugmentation", "distillation, half of each step augmented (text: words dropped)"
    ),
    "substitution-pool": Row(
        "baselines.pooled:PooledSubstitution",
        "distillation, half of each step with words replaced by near ones",
        domain="text",
    ),
    "uda": Row("baselines.uda:UDA", "labels, and consistency on unlabelled samples; no labeler, no generator"),
    "interpolation-pool": Row(
        "baselines.pooled:PooledInterpolation", "distillation, half of each step decoded from between training points"
    ),
    "prior-sampling-pool": Row(
        "baselines.pooled:PooledPriorSampling", "as prior-sampling, from a pool decoded and labelled once"
    ),
    "prior-only-pool": Row(
        "baselines.pooled:PooledPriorOnly", "data-free with a given generator: decoded prior samples alone"
    ),
    "tgt-random-pool": Row(
        "tgt.pooled:PooledTGT", "TGT, isotropic, neighbours kept in a pool and labelled once", {"explore": "isotropic"}
    ),
    "tgt-gradient-pool": Row(
        "tgt.pooled:PooledTGT", "TGT, gradient-based, neighbours kept in a pool", {"explore": "gradient"}
    ),
    "distillation-scores": Row(
        "baselines.distillation:Distillation",
        "distillation by squared differences of scores: of embeddings, in the metric of the passages",
        {"distance": "mse"},
        domain="retrieval",
    ),
    "sbert-kl": Row(
        "baselines.sentence_transformers_losses:LibraryDistillation",
        "distillation by sentence-transformers' DistillKLDivLoss over each query's own and its hard passages",
        {"loss": "kl"},
        domain="retrieval",
    ),
    "sbert-margin-mse": Row(
        "baselines.sentence_transformers_losses:LibraryDistillation",
        "as sbert-kl, by MarginMSELoss",
        {"loss": "margin-mse"},
        domain="retrieval",
    ),
    "corpus-pool": Row(
        "baselines.corpus:PooledCorpus",
        "distillation, half of each step beginnings of passages that the labeler is asked about",
        domain="retrieval",
    ),
    "inverse-cloze-pool": Row(
        "baselines.corpus:PooledInverseCloze", "as corpus-pool, spans from anywhere in a passage", domain="retrieval"
    ),
    "tgt-random-passages-pool": Row(
        "tgt.around_prior:PriorTGT",
        "as tgt-random-pool, around passages instead of queries",
        {"explore": "isotropic"},
        domain="retrieval",
    ),
    "tgt-gradient-passages-pool": Row(
        "tgt.around_prior:PriorTGT",
        "as tgt-gradient-pool, around passages instead of queries",
        {"explore": "gradient"},
        domain="retrieval",
    ),
    "pretrained-one-hot": Row(
        "baselines.one_hot:OneHot",
        "plain training on the labels of a student that begins from pretrained weights",
        defaults={"lr": 2e-4},
        search={"lr": [1e-4, 2e-4, 4e-4]},
        student="pretrained",
    ),
}


def _installed() -> dict[str, Row]:
    """Methods of installed packages: name -> `module:class` under the entry point group `tgt_benchmarks.methods`."""
    found = {}
    for point in metadata.entry_points(group="tgt_benchmarks.methods"):
        package = point.module.split(".")[0]
        found[point.name] = Row(point.value, f"from the package {package}", packages=(package,))
    return found


METHODS.update({name: row for name, row in _installed().items() if name not in METHODS})

#: See real samples that else only the teacher saw: shown in every table, but not called rivals.
CEILINGS = ("distillation-unlabelled", "distillation-unlabelled-pool")
#: A student that is not the other rows' student: shown, but not called a rival either.
OTHER_STUDENT = tuple(name for name, row in METHODS.items() if row.student != "student")


@cache
def tuned(size: str) -> dict[str, Any]:
    """Hyper-parameters chosen on validation data by the target `tune`: {task: {method: {"params": ..., ...}}}."""
    return read_tuned(REFERENCE / size / "tuned.json")


def read_tuned(path: Path) -> dict[str, Any]:
    """What a search left in a file; empty where there is no file. Raises ValueError naming one that is not that."""
    try:
        found = json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        raise ValueError(f"{path} is not what a search writes: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is not what a search writes: not a table of tasks")
    return found


def chosen(method: str, task: Task, size: str) -> dict[str, Any]:
    """Hyper-parameters that the search chose for a method on a task, or on the one that the task is tuned on."""
    return tuned(size).get(task.tuned_on, {}).get(method, {}).get("params", {})


def searched(method: str, task: Task, size: str) -> bool:
    """Whether the committed search has chosen for a method on a task, or on the one that the task is tuned on."""
    return method in tuned(size).get(task.tuned_on, {})


def config(method: str, task: Task, size: str, overrides: dict[str, Any] | None = None) -> Any:
    """A method's resolved hyper-parameters: its defaults, the task's, the row's, the tuned ones, what the row fixes.

    Args:
        overrides: settings of a search or a user in place of the tuned ones.

    Raises:
        ValueError: a hyper-parameter that the method does not have, or a value it refuses.
    """
    row = METHODS[method]
    known = {field.name for field in fields(row.load().Config)}
    given = {**task.defaults, **(task.sizes[size].defaults if size in task.sizes else {})}
    defaults = {name: value for name, value in given.items() if name in known} | row.defaults
    params = chosen(method, task, size) if overrides is None else overrides
    try:
        return row.load().Config(**{**defaults, **params, **row.fixed})
    except TypeError as error:
        raise ValueError(f"{method}: {error}") from error
