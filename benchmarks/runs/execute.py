"""A run, executed: teacher, data and student are made, trained and measured; what comes out is a record."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.core.environment import code_sha256, environment
from benchmarks.core.errors import in_a_line, of_the_machine
from benchmarks.core.fingerprint import array_digest, seed_of
from benchmarks.data.stored import Samples
from benchmarks.records.record import Checkpoint, Record, Spec, pack
from benchmarks.registry.custom import blamed, place
from benchmarks.runs import joined, loop, resume
from benchmarks.runs.device import Device
from benchmarks.runs.diagnose import diagnose
from benchmarks.runs.guard import contained, guarded
from benchmarks.runs.run import Run
from benchmarks.teachers import store
from benchmarks.teachers.answer_cache import LentData, RunData
from benchmarks.teachers.neighbours import Neighbours
from benchmarks.teachers.recipe import PARTS, unlabelled
from benchmarks.teachers.remembering import RememberingTeacher
from benchmarks.teachers.training import answers_of
from tgt import Costs, Method, Teacher, TrainingData, View

_NOT_PAID = ("evaluate", "untracked")  # phases whose seconds a method does not pay
COUNTED = ("student_samples", "labeler_queries", "encodes", "decodes", "gradient_evaluations")


def execute(
    run: Run,
    watch: Callable[[int, int, float], None] = lambda step, steps, loss: None,
    state: Path | None = None,
    save_every: float = resume.EVERY,
) -> Record:
    """Train the student and measure it. A failure of the run becomes a record with its reason.

    Args:
        watch: called now and then with step, steps and loss.
        state: file that the run goes on from if it is there, and saves its state in every `save_every` seconds.

    Raises:
        OSError: what failed is the machine or the cache; mostly as MachineFailure.
    """
    try:
        with contained() if run.row.packages else nullcontext():
            try:
                found = _train(run, watch, state, save_every)
            except resume.Unfit:
                found = _train(run, watch, state, save_every)
    except Exception as error:
        if of_the_machine(error) or (isinstance(error, OSError) and not blamed(error)):
            raise  # no result of the method: the cell stays missing
        if not (run.row.packages or run.task.code or isinstance(error, RuntimeError | ValueError | ArithmeticError)):
            raise  # a bug of the suite, not of a run: its trace is wanted
        return failed(run, in_a_line(error) + _place(run, error))
    return Record(status="ok", **found, **_common(run))


def failed(run: Run, reason: str) -> Record:
    return Record(status="failed", reason=reason, **_common(run))


def _common(run: Run) -> dict[str, Any]:
    return {
        "key": run.key,
        "spec": run.spec,
        "teachers": {} if run.spec.trial is not None else run.teachers,  # a search has thousands of records of one
        "identity": run.identity,
        "environment": {**environment(), **run.device.environment()},
        "code_sha256": code_sha256(),
    }


def _place(run: Run, error: Exception) -> str:
    """Where in the file of a custom method it went wrong; empty of the suite's own, and where it is not there."""
    if not run.row.packages:
        return ""
    file = Path(inspect.getsourcefile(run.row.load()) or "")
    _, _, line = place(error, file.resolve()).partition(", line ")
    return f" ({file.name}, line {line})" if line else ""


def _train(run: Run, watch: Callable[[int, int, float], None], state: Path | None, save_every: float) -> dict[str, Any]:
    """What a record holds of a finished run: metrics, hits, curve, costs, phases and diagnostics."""
    size = run.task.size
    device = run.device
    run.split.write()
    device.reset_peak_memory()
    costs = costs_on(device)
    data, student = teacher_and_data(run, costs), new_student(run)
    evaluation = Evaluation(run, student, costs)
    keeper = None if state is None else _keeper(run, state, save_every, costs, evaluation)
    with private_randomness(run), guarded(student, data, costs) if run.row.packages else nullcontext():
        method = run.row.load()(run.config, data, generator("method", run))
        with costs.phase("untracked"), keeper.hearing() if keeper else nullcontext():
            loop.train(
                student,
                method,
                data,
                run.schedule,
                order_of(run),
                costs,
                evaluation,
                lambda step, loss: watch(step, run.steps, loss),
                keeper,
            )
    weights = torch.cat([parameter.detach().flatten() for parameter in student.parameters()])
    if not math.isfinite(weights.sum().item()):
        raise loop.Diverged("the student's weights are not finite after the last step")
    last, earlier = evaluation.curve[-1], keeper.earlier if keeper else {}
    few = device.tensor(run.task.tensor(evaluation.examples.test_inputs[: size.batch]))[:]
    paid = {
        **{name: costs.counts[name] for name in COUNTED},
        "seconds": round(last.seconds, 3),
        **{name: round(max(peak, earlier.get(name, 0)), 1) for name, peak in device.peak_memory().items()},
        "student_parameters": sum(parameter.numel() for parameter in student.parameters()),
        "student_macs": _macs(student, few),
    }
    return {
        "metrics": last.test,
        "hits": evaluation.hits,
        "curve": evaluation.curve,
        "costs": paid,
        "phases": {name: round(seconds, 3) for name, seconds in sorted(costs.seconds.items())},
        "diagnostics": {} if evaluation.searching else _diagnose(run, student, method, data),
    }


def _keeper(run: Run, state: Path, every: float, costs: Costs, evaluation: Evaluation) -> resume.Keeper:
    """Of a run's state: what other code, packages or machines made of it is not gone on from."""
    machine = {name: environment()[name] for name in ("cpu_model", "bfloat16", "packages")}
    of = {"key": run.key, "code_sha256": code_sha256(), **machine, **run.device.environment()}
    generators, memory = run.device.generators, run.device.peak_memory
    return resume.Keeper(state, of, run.spec.label, every, costs, evaluation, generators, memory)


class Evaluation:
    """A student's metrics at each checkpoint, on the test samples and on validation samples that no budget took."""

    def __init__(self, run: Run, student: torch.nn.Module, costs: Costs) -> None:
        self.task, self.student, self.costs, size = run.task, student, costs, run.task.size
        self.examples = examples = run.task.examples()
        self.last, self.limit = run.steps, size.test_limit
        self.searching = run.spec.trial is not None  # a search sees no test sample
        self.counts = np.bincount(examples.pool_labels[run.split.indices], minlength=examples.classes)
        self.held_out: dict[str, tuple[Samples, np.ndarray]] = {}
        if not self.searching:
            self.held_out["test"] = examples.test_inputs[: self.limit], examples.test_labels[: self.limit]
        if not np.isin(examples.validation, run.split.indices).any():
            inputs = examples.pool_inputs[examples.validation]
            self.held_out["validation"] = inputs, examples.pool_answers[examples.validation]
        self.curve: list[Checkpoint] = []
        self.hits = ""

    def __call__(self, step: int) -> None:
        if self.searching and step < self.last:
            return
        scores = {
            name: self._judge(*held, keep=name == "test" and step == self.last) for name, held in self.held_out.items()
        }
        if step == self.last and not self.searching:
            for name, (inputs, labels) in self.examples.other_tests.items():
                found = self._judge(inputs[: self.limit], labels[: self.limit])
                scores["test"] |= {f"{name}_{metric}": value for metric, value in found.items()}
        self.curve.append(
            Checkpoint(
                step=step,
                seconds=round(sum(s for phase, s in self.costs.seconds.items() if phase not in _NOT_PAID), 3),
                labeler_queries=self.costs.counts["labeler_queries"],
                validation=scores.get("validation"),
                test=scores.get("test", {}),
            )
        )

    def _judge(self, inputs: Samples, labels: np.ndarray, keep: bool = False) -> dict[str, float | None]:
        answers = answers_of(self.student, self.task, inputs)
        if keep:
            self.hits = pack(self.task.hits(answers, labels))
        return self.task.judge(answers, labels, self.examples, self.counts)


def _diagnose(run: Run, student: torch.nn.Module, method: Method, data: TrainingData) -> dict[str, float]:
    """Nothing where a custom method cannot be looked at once it has been trained: its score stands without."""
    try:
        with private_randomness(run):
            return {name: round(value, 5) for name, value in diagnose(run, student, method, data).items()}
    except Exception as error:
        if not run.row.packages or of_the_machine(error):
            raise
        return {}


def teacher_and_data(run: Run, costs: Costs) -> RunData:
    task, examples, indices = run.task, run.task.examples(), run.split.indices
    parts = {part: run.device.module(module) for part, module in store.load(task, *run.recipes.values()).items()}

    def tensor(inputs: Samples) -> torch.Tensor:
        return run.device.tensor(task.tensor(inputs))

    given: dict[str, Any] = {
        "inputs": tensor(examples.pool_inputs[indices]),
        "labels": run.device.tensor(torch.from_numpy(examples.pool_labels[indices])),
        "num_classes": examples.classes,
        "teacher": _teacher(run, parts, costs),
        "augment": task.augment,
        "unlabelled": lambda: tensor(unlabelled(examples, run.spec.teacher, run.split)),
        "vocabulary": task.tokens(),
        "view": task.view and View(task.view, _seed("view", run.spec), task.fresh_labels),
        "neighbours": partial(_neighbours, run),
        "passages": None if examples.passages is None else tensor(examples.passages),
    }
    if task.size.keep_answers and run.spec.teacher == "full":
        return LentData(task=task, recipes=run.recipes, indices=indices, **given)
    return RunData(**given)


def _neighbours(run: Run, data: RunData, sigma: float, copies: int) -> tuple[Any, ...]:
    """Decoded neighbours of the run's samples and their logits, from disk; counted as if made for it alone."""
    inputs, costs = run.task.examples().pool_inputs[run.split.indices], data.teacher.costs
    hashes = [run.teachers[part]["sha256"] for part in PARTS]
    known = [*hashes, array_digest({"inputs": inputs}), run.spec.device, run.spec.precision]
    with costs.phase("untracked"), joined.undivided():
        found = Neighbours(data.teacher, data.inputs, known, sigma, copies, inputs.dtype == np.uint8).all()
    for name, each in {"encodes": 1, "decodes": copies, "labeler_queries": copies}.items():
        costs.add(name, each * len(data))
    return tuple(run.device.tensor(run.task.tensor(part[:])) for part in found)


def _teacher(run: Run, parts: dict[str, torch.nn.Module], costs: Costs) -> Teacher:
    """That of a search's trial remembers; a custom one never does, for its networks may draw at random.

    On a GPU to answer anew takes less time than to look for a remembered answer.
    """
    networks = parts["generator"], parts["labeler"], costs
    if run.spec.trial is None or run.task.code or run.device.kind != "cpu":
        return Teacher(*networks)
    return RememberingTeacher(*networks, hashes={part: info["sha256"] for part, info in run.teachers.items()})


def new_student(run: Run) -> torch.nn.Module:
    """The untrained student. Its start depends on task and seed alone: all methods of a cell begin as the same one."""
    build = run.task.pretrained if run.row.student == "pretrained" else run.task.student
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("student", run.spec.task, run.spec.seed) % 2**63)
        student = build(run.task.examples().classes)
    student = joined.student(student, run.device.kind).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return run.device.module(student)


def costs_on(device: Device) -> Costs:
    """Fresh costs, whose clock waits for the device."""
    return Costs(None if device.kind == "cpu" else device.synchronise)


def generator(purpose: str, run: Run) -> torch.Generator:
    """Random numbers of one purpose. The method's name is no axis: methods of a cell are paired draw by draw."""
    return run.device.generator(_seed(purpose, run.spec))


def order_of(run: Run) -> torch.Generator:
    """What the order of real samples is drawn from: on the CPU, so that it is the same on every device."""
    return torch.Generator().manual_seed(_seed("batches", run.spec))


@contextmanager
def private_randomness(run: Run) -> Iterator[None]:
    """Torch's global generators, which dropout draws from, lent to a run and given back as they were."""
    with run.device.randomness(_seed("dropout", run.spec)), run.device.settings():
        yield


def _seed(purpose: str, spec: Spec) -> int:
    return seed_of(purpose, spec.task, spec.budget, spec.seed) % 2**63


def _macs(student: torch.nn.Module, batch: torch.Tensor) -> int:
    """Multiply-adds a sample of a batch's forward pass: a student that pads to the longest text pays for it."""
    with joined.undivided(), torch.no_grad(), FlopCounterMode(display=False) as counter:
        student(batch)
    return counter.get_total_flops() // 2 // len(batch)
