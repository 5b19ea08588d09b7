"""What a teacher network is made from, and so what its file is called."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.core import kept, paths
from benchmarks.core.errors import tell_once
from benchmarks.core.fingerprint import array_digest, digest, modules_digest
from benchmarks.data.splits import Split
from benchmarks.data.stored import Samples
from benchmarks.task import Examples, Task
from benchmarks.teachers import own
from benchmarks.teachers.weights import as_trained

KINDS = ("full", "same-data")
PARTS = ("generator", "labeler")


@dataclass(frozen=True)
class Recipe:
    """All that decides a teacher network's weights; its hash names the file."""

    dataset: str
    size: str
    part: str
    kind: str
    network: str  # with its version, that of its training too
    data_sha256: str
    steps: int
    lr: float
    beta: float
    code_sha256: str  # of a custom task's own code; empty of the suite's, whose versions tell
    draw: int = 0  # of its start and its training's random numbers
    perception: float = 0.0
    given_sha256: str = ""  # of a teacher that a custom task brings: what it holds
    tested_sha256: str = ""  # of a user's data: what the labeler's score is measured on

    @property
    def name(self) -> str:
        return f"{self.dataset}-{self.part}-{self.kind}-{digest(self.made_of)[:16]}.safetensors"

    @property
    def committed(self) -> Path:
        """Where the weights are if they are small enough to come with the reference."""
        return paths.REFERENCE / self.size / "teachers" / self.name

    @property
    def cached(self) -> Path:
        return paths.cache() / "teachers" / self.name

    @property
    def path(self) -> Path:
        """The committed file if there is one as listed beside it, else that in the cache."""
        if not self.committed.exists():
            return self.cached
        if kept.whole(self.committed):
            return self.committed
        wrong = kept.told(self.committed, kept.found(self.committed), kept.listed(self.committed))
        tell_once(f"{wrong}; the one in the cache is used in its place (git checkout restores it)")
        return self.cached

    @property
    def made_of(self) -> dict[str, Any]:
        rare = "draw", "perception", "given_sha256", "tested_sha256"
        return {name: value for name, value in asdict(self).items() if name not in rare or value}

    @property
    def trained(self) -> bool:
        """Whether the file is there, as it was when it was trained."""
        return self.path == self.committed or as_trained(self.cached, self.made_of)


def training_indices(examples: Examples, kind: str, split: Split) -> np.ndarray:
    """Pool indices a teacher of this kind may see: never validation samples, unless the student's own hold them."""
    if kind == "full":
        return np.setdiff1d(np.arange(len(examples.pool_labels)), examples.validation)
    return split.indices


def unlabelled(examples: Examples, kind: str, split: Split) -> Samples:
    """The inputs that a generator of this kind is trained on."""
    inputs = examples.pool_inputs[training_indices(examples, kind, split)]
    if kind == "full" and examples.extra_unlabelled is not None:
        inputs = np.concatenate([inputs, examples.extra_unlabelled])
    return inputs


def recipe(task: Task, part: str, kind: str, split: Split, draw: int = 0) -> Recipe:
    """The recipe of one network of a task at its size. Raises ValueError for an unknown part or kind."""
    if part not in PARTS or kind not in KINDS:
        raise ValueError(f"no teacher {kind!r} {part!r}: parts are {', '.join(PARTS)}; kinds are {', '.join(KINDS)}")
    return Recipe(
        dataset=task.name if kind == "same-data" else task.data_name,
        size=task.scale,
        part=part,
        kind=kind,
        network=task.teachers.get(part) or f"{task.name}.v{task.version}",
        data_sha256=_data_sha256(task, part, kind, split),
        steps=task.size.generator_steps if part == "generator" else task.size.labeler_steps,
        lr=task.lr[PARTS.index(part)],
        beta=task.beta if part == "generator" else 0.0,
        code_sha256=modules_digest(task.code[0], task.code) if task.code and not _of_the_suite(task, part) else "",
        draw=draw,
        perception=task.perception if part == "generator" else 0.0,
        given_sha256=own.given(task, draw)[1][PARTS.index(part)] if part in task.own else "",
        tested_sha256=_tested_sha256(task) if "data" in task.own else "",
    )


def _of_the_suite(task: Task, part: str) -> bool:
    """Whether a custom task gives data alone: its teachers are the suite's, trained as the suite trains its own."""
    return "data" in task.own and not task.own & {part, "training"}


_HASHES: dict[tuple[str, ...], str] = {}


def _data_sha256(task: Task, part: str, kind: str, split: Split) -> str:
    """Hash of training data, kept for the process: the full pool is 45 MB and every run asks for it."""
    key = (task.data_name, part, kind, split.sha256 if kind == "same-data" else "")
    if key not in _HASHES:
        examples = task.examples()
        indices = training_indices(examples, kind, split)
        data = {"inputs": examples.pool_inputs[indices], "labels": examples.pool_labels[indices]}
        if part == "generator" and kind == "full" and examples.extra_unlabelled is not None:
            data["extra"] = examples.extra_unlabelled
        if examples.passages is not None:
            data["passages"] = examples.passages
        _HASHES[key] = array_digest(data)
    return _HASHES[key]


def _tested_sha256(task: Task) -> str:
    key = task.data_name, "tested"
    if key not in _HASHES:
        found = task.examples()
        data = {"validation": found.pool_inputs[found.validation], "own": found.pool_labels[found.validation]}
        _HASHES[key] = array_digest({**data, "inputs": found.test_inputs, "labels": found.test_labels})
    return _HASHES[key]
