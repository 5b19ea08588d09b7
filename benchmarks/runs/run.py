"""A cell of a grid with everything that it stands for, and the key that names it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache, cached_property
from typing import Any

from benchmarks.core.fingerprint import array_digest, modules_digest
from benchmarks.data import splits
from benchmarks.data.stored import Samples
from benchmarks.records.record import Spec, key_of
from benchmarks.registry import hyperparameters, tasks
from benchmarks.registry.methods import METHODS, Row, version_of
from benchmarks.runs import loop
from benchmarks.runs.device import Device
from benchmarks.task import Task
from benchmarks.teachers import store
from benchmarks.teachers.recipe import PARTS, Recipe, recipe

#: Of the training loop, the losses, the metrics and all else that every run has in common: raised by one when a change
#: of it gives other numbers.
PROTOCOL = 2
#: Of a spec, what stands in an identity only where it is not the usual: keys from before it was there stay as they are.
UNUSUAL = ("settings", "draw", "device", "precision", "processes")


@dataclass(frozen=True)
class Run:
    """A spec with everything that it stands for, computed when asked for."""

    spec: Spec
    overrides: tuple[tuple[str, Any], ...] | None = None  # hyper-parameters in place of the tuned ones

    @cached_property
    def task(self) -> Task:
        return tasks.get(self.spec.task).at(self.spec.size)

    @cached_property
    def split(self) -> splits.Split:
        return _split(self.spec.task, self.spec.size, self.spec.budget, self.spec.seed)

    @cached_property
    def recipes(self) -> dict[str, Recipe]:
        return {part: recipe(self.task, part, self.spec.teacher, self.split, self.spec.draw) for part in PARTS}

    @cached_property
    def config(self) -> Any:
        params = None if self.overrides is None else dict(self.overrides)
        if params is None:
            place = hyperparameters.place_of(self.task, self.spec.size, self.spec.teacher, self.spec.budget)
            params = hyperparameters.chosen(self.spec.method, place, self.spec.size) or {}
        return hyperparameters.config(self.spec.method, self.task, params)

    @property
    def device(self) -> Device:
        return Device(self.spec.device, self.spec.precision)

    @property
    def row(self) -> Row:
        return METHODS[self.spec.method]

    @property
    def steps(self) -> int:
        return self.spec.steps or self.task.size.steps * self.row.schedule

    @property
    def schedule(self) -> loop.Schedule:
        return loop.Schedule(self.steps, self.task.size.batch, self.spec.match, **self.task.training)

    @property
    def has_teachers(self) -> bool:
        return all(one.trained for one in self.recipes.values())

    @cached_property
    def teachers(self) -> dict[str, dict[str, Any]]:
        """Hash of the weights, metrics and seconds of training of the generator and the labeler, once trained."""
        found = {part: store.metadata(one.path) for part, one in self.recipes.items()}
        return {part: {name: info[name] for name in ("sha256", "metrics", "seconds")} for part, info in found.items()}

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that can change the number. Needs the teachers, for their weights are part of it."""
        return {**self.made_of, "teacher_sha256": {part: info["sha256"] for part, info in self.teachers.items()}}

    @cached_property
    def made_of(self) -> dict[str, Any]:
        """The identity without the teachers: what a person can read, and hashes of data. No file's name or place."""
        data = {"data_sha256": _data_sha256(self.spec.task, self.spec.size), "split_sha256": self.split.sha256}
        return {**self.declared, **data}

    @cached_property
    def declared(self) -> dict[str, Any]:
        """What is known of the identity without the data: names, versions, settings.

        Custom methods and tasks alone are also known by their code: nobody raises a version while trying ideas.
        """
        spec, size, row = self.spec, self.task.size, self.row
        usual = {name for name in UNUSUAL if getattr(spec, name) == Spec.model_fields[name].default}
        found = {
            "protocol": PROTOCOL,
            **spec.model_dump(exclude={"trial", *usual}),
            "task_version": self.task.version,
            "method_version": version_of(row.load()),
            "student": self.task.students[row.student],
            "config": asdict(self.config),
            "steps": self.steps,
            "batch": size.batch,
            "test_limit": size.test_limit,
        }
        if self.task.training:
            found["training"] = self.task.training
        if self.task.view is not None:
            found["view"] = "fresh labels" if self.task.fresh_labels else "kept labels"
        if row.packages:
            found["method_sha256"] = modules_digest(row.module, row.packages)
        if self.task.code:
            found["task_sha256"] = modules_digest(self.task.code[0], self.task.code)
        return found

    @cached_property
    def key(self) -> str:
        return key_of(self.identity)


@cache
def _split(task_name: str, size: str, budget: int, seed: int) -> splits.Split:
    task = tasks.get(task_name).at(size)
    examples = task.examples()
    return splits.draw(
        task.name, examples.pool_labels, examples.classes, task.profile, budget, seed, last=examples.validation
    )


@cache
def _data_sha256(task_name: str, size: str) -> str:
    examples = tasks.get(task_name).at(size).examples()
    arrays = {name: value for name, value in vars(examples).items() if isinstance(value, Samples)}
    for name, (inputs, labels) in examples.other_tests.items():
        arrays |= {f"{name}_inputs": inputs, f"{name}_labels": labels}
    return array_digest(arrays)
