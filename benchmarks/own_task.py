"""A task of one's own: a class with data, student and teacher, in a file that is named where a task's name goes."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any, ClassVar

import numpy as np

from benchmarks.hashing import imports_of, seed_of
from benchmarks.metrics import classify
from benchmarks.splits import Profile
from benchmarks.tasks import TASKS
from benchmarks.tasks.base import Examples, Networks, Size, Task

_HELD_OUT = 0.1  # share of the training samples set aside for validation where the data name none


class OwnTask:
    """Derive from it and write what differs; or name one of the suite's tasks as `base` and change a part of it.

    Attributes:
        title, note: for tables. base: a task whose data, student and settings stand wherever this class gives none.
        domain: "image", "text" (tokens (N, T), 0 is padding) or any word of yours; methods for one domain look at it.
        metric: "accuracy", "balanced_accuracy", "macro_f1", ... that tables lead with.
        budget: labelled samples, spread over classes by `profile`; budgets: of a curve.
        steps, batch: student updates, and real samples a step. smoke_steps: updates at size smoke.
        defaults: hyper-parameters in place of the methods' own (sigma, step_size, lr), for all methods alike.
    """

    title: ClassVar[str] = ""
    note: ClassVar[str] = ""
    base: ClassVar[str] = ""
    domain: ClassVar[str] = "image"
    metric: ClassVar[str] = "accuracy"
    budget: ClassVar[int] = 500
    budgets: ClassVar[tuple[int, ...]] = ()
    profile: ClassVar[Profile] = Profile("balanced")
    steps: ClassVar[int] = 1000
    batch: ClassVar[int] = 64
    smoke_steps: ClassVar[int] = 12
    defaults: ClassVar[dict[str, Any]] = {}

    def data(self) -> dict[str, Any]:
        """Arrays `train_inputs` (N, ...), `train_labels` (N,), `test_inputs` (M, ...), `test_labels` (M,).

        If there are any: `unlabelled` (U, ...), more inputs that the generator was made from; `validation`, indices of
        training samples that choose hyper-parameters (else a tenth, drawn); `class_names`.
        """
        raise NotImplementedError

    def student(self, classes: int) -> Any:
        """The untrained student, a module from inputs (B, ...) to logits (B, classes)."""
        raise NotImplementedError

    def teacher(self, classes: int) -> tuple[Any, Any]:
        """(generator, labeler), pretrained: encode/decode(/sample_prior) of inputs; inputs (B, ...) to logits."""
        raise NotImplementedError

    def tensor(self, inputs: np.ndarray) -> Any:
        """Stored inputs as a network's: bytes of images to [0, 1], whole numbers to int64, others as they are."""
        import torch

        if inputs.dtype == np.uint8:
            from benchmarks.tasks.images import to_tensor

            return to_tensor(inputs)
        return torch.from_numpy(inputs.astype(np.int64 if np.issubdtype(inputs.dtype, np.integer) else np.float32))

    augment: Callable[..., Any] | None = None


def task(name: str, cls: type[OwnTask], siblings: tuple[str, ...] = ()) -> Task:
    """The suite's task of a person's class. Raises ValueError for a `base` that is none."""
    own = cls()
    given = {part for part in ("data", "student", "teacher") if getattr(cls, part) is not getattr(OwnTask, part)}
    base = _based_on(cls) if cls.base else None
    if base is None and (absent := sorted({"data", "student", "teacher"} - given)):
        raise ValueError(f"{cls.__name__} has no {', '.join(absent)}, and names no `base` to take them from")
    if base is not None and base.domain == "retrieval" and "data" in given:
        raise ValueError(f"{cls.__name__}: data for {cls.base} cannot be given here; change its student or teacher")
    code = _code(cls.__module__, siblings)
    examples = _examples(own, name) if base is None or "data" in given else base.examples
    if base is None:
        small = Size(
            budget=own.budget,
            budgets=own.budgets or (own.budget,),
            steps=own.steps,
            batch=own.batch,
            labeler_steps=0,
            generator_steps=0,
        )
        smoke = replace(small, steps=own.smoke_steps, batch=min(own.batch, 16), seeds=2, test_limit=500, trials=2)
        return Task(
            name=name,
            title=own.title or name,
            note=own.note or f"a task of the file {cls.__module__}.py",
            profile=own.profile,
            sizes={"smoke": smoke, "small": small},
            examples=examples,
            networks=lambda: _networks(own, given, examples),
            tensor=own.tensor,
            augment=own.augment,  # type: ignore[arg-type]
            judge=classify,
            domain=own.domain,
            metric=own.metric,
            also=("balanced_accuracy", "macro_f1") if own.metric == "accuracy" else ("accuracy", "macro_f1"),
            defaults=own.defaults,
            tuned_on=name,
            networks_code=code,
        )
    return replace(
        base,
        name=name,
        title=own.title or f"{base.title} ({name})",
        note=own.note or base.note,
        examples=examples,
        networks=lambda: _networks(own, given, examples, base.networks),
        sizes={
            size: replace(spec, networks=partial(_networks, own, given, examples, spec.networks))
            if spec.networks
            else spec
            for size, spec in base.sizes.items()
        },
        defaults={**base.defaults, **own.defaults},
        family_name=None,
        networks_code=(*base.networks_code, *code),
    )


def _based_on(cls: type[OwnTask]) -> Task:
    if cls.base not in TASKS:
        raise ValueError(f"{cls.__name__}: base {cls.base!r} is no task; there are {', '.join(TASKS)}")
    return TASKS[cls.base]


def _code(module: str, siblings: tuple[str, ...]) -> tuple[str, ...]:
    """The modules that a task's networks stand in: its file, and what that imports of the files beside it."""
    source = inspect.getsource(importlib.import_module(module))
    return (module, *sorted(set(imports_of(source)) & set(siblings)))


def _examples(own: OwnTask, name: str) -> Callable[[], Examples]:
    @cache
    def examples() -> Examples:
        given = own.data()
        needed = ("train_inputs", "train_labels", "test_inputs", "test_labels")
        if absent := [part for part in needed if part not in given]:
            raise ValueError(f"{name}: data() gives no {', '.join(absent)}")
        arrays = {part: np.asarray(given[part]) for part in needed}
        for part in ("train", "test"):
            if len(arrays[f"{part}_inputs"]) != len(arrays[f"{part}_labels"]):
                raise ValueError(
                    f"{name}: {len(arrays[f'{part}_inputs'])} {part} inputs, {len(arrays[f'{part}_labels'])} labels"
                )
        labels = arrays["train_labels"].astype(np.int64)
        classes = int(max(labels.max(), arrays["test_labels"].max())) + 1
        names = tuple(given.get("class_names") or (str(i) for i in range(classes)))
        validation = given.get("validation")
        if validation is None:
            order = np.random.default_rng(seed_of("validation", name)).permutation(len(labels))
            validation = order[: max(int(_HELD_OUT * len(labels)), 1)]
        unlabelled = given.get("unlabelled")
        return Examples(
            pool_inputs=arrays["train_inputs"],
            pool_labels=labels,
            validation=np.sort(np.asarray(validation)),
            test_inputs=arrays["test_inputs"],
            test_labels=arrays["test_labels"].astype(np.int64),
            class_names=names,
            extra_unlabelled=None if unlabelled is None else np.asarray(unlabelled),
        )

    examples.__name__ = f"{name}_examples"  # names the teachers' files
    return examples


def _networks(
    own: OwnTask, given: set[str], examples: Callable[[], Examples], base: Callable[[], Networks] | None = None
) -> Networks:
    made = base() if base else None
    student = own.student if made is None or "student" in given else made.student
    if made is not None and "teacher" not in given:
        return replace(made, student=student)
    import torch  # here: the command line is read without it

    from benchmarks.given import Given, as_given, judged

    def part(index: int, classes: int) -> Given:
        with torch.enable_grad():  # it may be made by a training of its own
            return Given(own.teacher(classes)[index])

    return Networks(
        student=student,
        labeler=lambda classes: part(1, classes),
        generator=lambda: part(0, examples().classes),
        fit={"generator": as_given, "labeler": judged},
    )
