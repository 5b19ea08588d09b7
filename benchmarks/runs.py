"""From a spec to a record: resolve all that decides the number, name it by a key, train, measure."""

from __future__ import annotations

import ctypes
import inspect
import math
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import methods, splits, tasks, teachers
from benchmarks.environment import environment
from benchmarks.hashing import array_digest, digest, module_digest, seed_of
from benchmarks.records import Checkpoint, Record, Spec, key_of, pack
from benchmarks.registry.methods import Row
from benchmarks.tasks import Task

PRECISION = "float32"


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
    def recipes(self) -> dict[str, teachers.Recipe]:
        return {
            part: teachers.recipe(self.task, self.spec.size, part, self.spec.teacher, self.split)
            for part in teachers.PARTS
        }

    @cached_property
    def config(self) -> Any:
        overrides = None if self.overrides is None else dict(self.overrides)
        return methods.config(self.spec.method, self.task, self.spec.size, overrides)

    @property
    def row(self) -> Row:
        return methods.METHODS[self.spec.method]

    @property
    def has_teachers(self) -> bool:
        return all(recipe.trained for recipe in self.recipes.values())

    @cached_property
    def teachers(self) -> dict[str, dict[str, Any]]:
        """Hash of the weights, metrics and seconds of training of the generator and the labeler, once trained."""
        found = {part: teachers.metadata(recipe) for part, recipe in self.recipes.items()}
        return {part: {name: info[name] for name in ("sha256", "metrics", "seconds")} for part, info in found.items()}

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that can change the number. Needs the teachers, for their weights are part of it."""
        return {**self.made_of, "teacher_sha256": {part: info["sha256"] for part, info in self.teachers.items()}}

    @cached_property
    def made_of(self) -> dict[str, Any]:
        """The identity without the teachers."""
        spec, size, row = self.spec, self.task.sizes[self.spec.size], self.row
        return {
            **spec.model_dump(exclude={"trial"}),
            "data_sha256": _data_sha256(spec.task, spec.size),
            "profile": asdict(self.task.profile),
            "split_sha256": self.split.sha256,
            "config": asdict(self.config),
            "method_class": row.target,
            **({} if row.student == "student" else {"student": row.student}),
            "method_sha256": module_digest(row.module, ("tgt", "baselines", *row.packages)),
            "networks_sha256": _networks_sha256(self.task.networks_code),
            "loop_sha256": module_digest("benchmarks.loop"),
            "steps": size.steps,
            "batch": size.batch,
            "test_limit": size.test_limit,
            "precision": PRECISION,
        }

    @cached_property
    def key(self) -> str:
        return key_of(self.identity)


def _networks_sha256(modules: tuple[str, ...]) -> str:
    found = [module_digest(name) for name in modules]
    return found[0] if len(found) == 1 else digest(found)


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
    arrays = {name: value for name, value in vars(examples).items() if isinstance(value, np.ndarray)}
    for name, (inputs, labels) in examples.other_tests.items():
        arrays |= {f"{name}_inputs": inputs, f"{name}_labels": labels}
    return array_digest(arrays)


def execute(run: Run, watch: Callable[[int, int, float], None] = lambda step, steps, loss: None) -> Record:
    """Train the student and measure it. A failure of the run becomes a record with its reason.

    Args:
        watch: called now and then with step, steps and loss.
    """
    common: dict[str, Any] = {
        "key": run.key,
        "spec": run.spec,
        "teachers": run.teachers,
        "identity": run.identity,
        "environment": environment(),
    }
    try:
        found = _train(run, watch)
    except Exception as error:
        if not (run.row.packages or isinstance(error, RuntimeError | ValueError | ArithmeticError)):
            raise  # a bug of the suite, not of a run: its trace is wanted
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return Record(status="failed", reason=reason + _place(run, error), **common)
    return Record(status="ok", **found, **common)


def _place(run: Run, error: Exception) -> str:
    """Where in the file of a method from outside it went wrong; empty of the suite's own, and where it is not there."""
    from benchmarks.plugins import place

    if not run.row.packages:
        return ""
    file = Path(inspect.getsourcefile(run.row.load()) or "")
    _, _, line = place(error, file.resolve()).partition(", line ")
    return f" ({file.name}, line {line})" if line else ""


def teacher_and_data(run: Run, costs: Any) -> Any:
    """The run's frozen teacher and training samples, as a `TrainingData`."""
    import torch

    from benchmarks import answers
    from tgt import Teacher

    examples, indices = run.task.examples(), run.split.indices
    parts = {part: teachers.load(run.task, recipe) for part, recipe in run.recipes.items()}
    given: dict[str, Any] = {
        "inputs": run.task.tensor(examples.pool_inputs[indices]),
        "labels": torch.from_numpy(examples.pool_labels[indices]),
        "num_classes": examples.classes,
        "teacher": Teacher(parts["generator"], parts["labeler"], costs),
        "augment": run.task.augment,
        "unlabelled": lambda: run.task.tensor(teachers.unlabelled(examples, run.spec.teacher, run.split)),
        "passages": None if examples.passages is None else run.task.tensor(examples.passages),
    }
    if run.task.sizes[run.spec.size].keep_answers and run.spec.teacher == "full":
        return answers.LentData(task=run.task, recipes=run.recipes, indices=indices, **given)
    return answers.RunData(**given)


def new_student(run: Run) -> Any:
    """The untrained student. Its start depends on task and seed alone: all methods of a cell begin as the same one."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("student", run.spec.task, run.spec.seed) % 2**63)
        build = getattr(run.task.networks(), run.row.student)
        student = build(run.task.examples().classes)
    return student.to(memory_format=torch.channels_last)


def _train(run: Run, watch: Callable[[int, int, float], None]) -> dict[str, Any]:
    """What a record holds of a finished run: metrics, hits, curve, costs and phases."""
    import torch

    from benchmarks import loop
    from tgt import Costs

    task, spec, size = run.task, run.spec, run.task.sizes[run.spec.size]
    examples, indices = task.examples(), run.split.indices
    run.split.write()
    reset_peak_memory()
    costs = Costs()
    data, student = teacher_and_data(run, costs), new_student(run)
    method = run.row.load()(run.config, data, generator("method", spec))

    counts = np.bincount(examples.pool_labels[indices], minlength=examples.classes)
    clean_validation = not np.isin(examples.validation, indices).any()
    held_out = {"test": (examples.test_inputs[: size.test_limit], examples.test_labels[: size.test_limit])}
    if clean_validation:
        held_out["validation"] = examples.pool_inputs[examples.validation], examples.pool_answers[examples.validation]
    curve: list[Checkpoint] = []
    hits = ""

    def judge(inputs: np.ndarray, labels: np.ndarray, keep: bool = False) -> dict[str, float | None]:
        nonlocal hits
        logits = teachers.logits_of(student, task, inputs)
        if keep:
            hits = pack(task.hits(logits, labels))
        return task.judge(logits, labels, examples, counts)

    def evaluate(step: int) -> None:
        scores = {name: judge(*given, keep=name == "test" and step == size.steps) for name, given in held_out.items()}
        if step == size.steps:
            for name, (inputs, labels) in examples.other_tests.items():
                found = judge(inputs[: size.test_limit], labels[: size.test_limit])
                scores["test"] |= {f"{name}_{metric}": value for metric, value in found.items()}
        curve.append(
            Checkpoint(
                step=step,
                seconds=round(sum(s for phase, s in costs.seconds.items() if phase != "evaluate"), 3),
                labeler_queries=costs.counts["labeler_queries"],
                validation=scores.get("validation"),
                test=scores["test"],
            )
        )

    schedule = loop.Schedule(size.steps, size.batch, spec.match)
    with costs.phase("untracked"), private_randomness(spec):
        loop.train(
            student,
            method,
            data,
            schedule,
            generator("batches", spec),
            costs,
            evaluate,
            lambda step, loss: watch(step, size.steps, loss),
        )
    weights = torch.cat([parameter.detach().flatten() for parameter in student.parameters()])
    if not math.isfinite(weights.sum().item()):
        raise loop.Diverged("the student's weights are not finite after the last step")
    paid: dict[str, float] = {
        name: costs.counts[name]
        for name in ("student_samples", "labeler_queries", "encodes", "decodes", "gradient_evaluations")
    }
    paid["seconds"] = round(curve[-1].seconds, 3)
    paid["peak_memory_mb"] = round(peak_memory_mb(), 1)
    paid["student_parameters"] = sum(parameter.numel() for parameter in student.parameters())
    paid["student_macs"] = _macs(student, task.tensor(examples.test_inputs[: size.batch]))
    phases = {name: round(seconds, 3) for name, seconds in sorted(costs.seconds.items())}
    found = {"metrics": curve[-1].test, "hits": hits, "curve": curve, "costs": paid, "phases": phases}
    return {**found, "diagnostics": _diagnose(run, student, method, data)}


def _diagnose(run: Run, student: Any, method: Any, data: Any) -> dict[str, float]:
    """Nothing where a method from outside cannot be looked at once it has been trained: its score stands without."""
    from benchmarks.probe import diagnose

    try:
        with private_randomness(run.spec):
            return {name: round(value, 5) for name, value in diagnose(run, student, method, data).items()}
    except Exception:
        if not run.row.packages:
            raise
        return {}


def generator(purpose: str, spec: Spec) -> Any:
    """Random numbers of one purpose. The method's name is no axis: methods of a cell are paired draw by draw."""
    import torch

    return torch.Generator().manual_seed(seed_of(purpose, spec.task, spec.budget, spec.seed) % 2**63)


@contextmanager
def private_randomness(spec: Spec) -> Iterator[None]:
    """Torch's global generator, which dropout draws from, lent to a run and given back as it was."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("dropout", spec.task, spec.budget, spec.seed) % 2**63)
        yield


def _macs(student: Any, batch: Any) -> int:
    """Multiply-adds a sample of a batch's forward pass: a student that pads to the longest text pays for it."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        student(batch)
    return counter.get_total_flops() // 2 // len(batch)


def reset_peak_memory() -> None:
    """Start the process's high-water mark anew (Linux), so that a worker's earlier work does not count.

    What that work freed and the allocator still holds goes back to the system first.
    """
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def peak_memory_mb() -> float:
    """The process's peak resident memory; reported as the shape of the platform allows."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        unit = 1024 if os.uname().sysname == "Darwin" else 1
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / unit
