"""The rows of the tables: a name, the class behind it, and what the row fixes of its hyper-parameters."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from benchmarks.paths import REFERENCE

if TYPE_CHECKING:
    from tgt import Method

_STEPS: dict[str, list[Any]] = {"step_size": [1.0, 2.0, 4.0, 8.0]}


@dataclass(frozen=True)
class Row:
    """`module:name` of a `tgt.Method`, the hyper-parameters that make this row, and values only its search tries."""

    target: str
    summary: str
    fixed: dict[str, Any] = field(default_factory=dict)
    search: dict[str, list[Any]] = field(default_factory=dict)

    def load(self) -> type[Method]:
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(module), name)

    @property
    def module(self) -> str:
        return self.target.partition(":")[0]


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
        "baselines.distillation_mixup:MixupDistillation", "distillation, half of each step mixed from pairs"
    ),
    "distillation-unlabelled": Row(
        "baselines.distillation_unlabelled:UnlabelledDistillation",
        "distillation, half of each step real samples that the generator was trained on: its ceiling",
    ),
    "data-free": Row("baselines.data_free:DataFree", "no data: a generator learnt from scratch against the student"),
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
}


#: Sees real samples that else only the teacher saw: shown in every table, but not called a rival.
CEILING = "distillation-unlabelled"


@cache
def tuned(size: str) -> dict[str, Any]:
    """Hyper-parameters chosen on validation data by the target `tune`: {task: {method: {"params": ..., ...}}}."""
    path = REFERENCE / size / "tuned.json"
    return json.loads(path.read_text()) if path.exists() else {}


def config(method: str, task: str, size: str, overrides: dict[str, Any] | None = None) -> Any:
    """A method's resolved hyper-parameters: its defaults, then the tuned ones of `task`, the row's own, the overrides.

    Args:
        overrides: settings of a search or a user; None takes the tuned ones.

    Raises:
        ValueError: a hyper-parameter that the method does not have, or a value it refuses.
    """
    row = METHODS[method]
    chosen = tuned(size).get(task, {}).get(method, {}).get("params", {}) if overrides is None else overrides
    try:
        return row.load().Config(**{**chosen, **row.fixed})
    except TypeError as error:
        raise ValueError(f"{method}: {error}") from error
