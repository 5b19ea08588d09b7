"""What a method from outside must leave alone, looked at over a whole run: a breach is a failed run with its reason."""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.core.errors import in_a_line
from benchmarks.core.fingerprint import array_digest
from tgt import Costs, Teacher, TrainingData

#: What must be after a run as it was before it, and what is said where it is not.
STAYS = {
    "generator": "the generator's weights or statistics changed while the student was trained",
    "labeler": "the labeler's weights or statistics changed while the student was trained",
    "teacher's mode": "the teacher was left in training mode, or thawed",
    "teacher's gradients": "the teacher's parameters were given gradients: take them for the latents alone",
    "student": "the student's parameters were replaced, removed or frozen: the loop trains those that it began with",
    "inputs": "the training inputs were written to: change a copy of them",
    "labels": "the training labels were written to: change a copy of them",
    "seeds": "a global random generator (torch's seed, numpy's or Python's) was set or drawn from: draw from self.rng",
    "settings": "torch's global settings (threads, default type, gradients) were changed",
}
#: The teacher's doors, and what each counts.
DOORS = {"label": "labeler_queries", "encode": "encodes", "decode": "decodes"}


class Breach(RuntimeError):
    """A term of the contract that a run broke, in plain words."""


class Ended(RuntimeError):
    """A person's code tried to end the program, or came to no end."""


def facts(student: nn.Module, data: TrainingData) -> dict[str, Any]:
    """What `STAYS` names, as it is now."""
    teacher = data.teacher
    parts = {"generator": teacher.generator, "labeler": teacher.labeler}
    frozen = [*teacher.generator.parameters(), *teacher.labeler.parameters()]
    modules = [*teacher.generator.modules(), *teacher.labeler.modules()]
    numpys: Any = np.random.get_state()
    return {
        **{name: (id(part), _digest(part.state_dict())) for name, part in parts.items()},
        "teacher's mode": (any(m.training for m in modules), any(p.requires_grad for p in frozen)),
        "teacher's gradients": any(p.grad is not None for p in frozen),
        "student": [(name, id(p), p.requires_grad) for name, p in student.named_parameters()],
        # What is read anew each time cannot be written to.
        "inputs": (id(data.inputs), _digest({"inputs": data.inputs} if isinstance(data.inputs, Tensor) else {})),
        "labels": (id(data.labels), _digest({"labels": data.labels})),
        "seeds": (torch.initial_seed(), random.getstate(), str(numpys[0]), bytes(numpys[1]), numpys[2:]),
        "settings": (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()),
    }


def _digest(tensors: dict[str, Tensor]) -> str:
    return array_digest({name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()})


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [name for name in before if before[name] != after.get(name)]


class Doors:
    """Samples that pass through the teacher's networks and through the student in training mode, whoever asks.

    A copy that a method makes of a network is not looked at: it is the method's own.
    """

    def __init__(self, student: nn.Module, teacher: Teacher, at: Callable[[str, int], None] | None = None) -> None:
        """at: called with the door and the samples of each pass, once it was counted."""
        self.seen: Counter[str] = Counter()
        self._at, self._kept = at, [(part, type(part)) for part in (teacher.labeler, teacher.generator)]
        self._handle = student.register_forward_pre_hook(
            lambda module, args: self._note("show", args[0]) if module is student and module.training else None
        )
        self._watch(teacher.labeler, {"forward": "label"})
        self._watch(teacher.generator, {"encode": "encode", "decode": "decode"})

    def _note(self, door: str, inputs: Tensor) -> None:
        self.seen[door] += len(inputs)
        if self._at:
            self._at(door, len(inputs))

    def _watch(self, part: nn.Module, doors: dict[str, str]) -> None:
        """The module as one of a class that counts, so that copies of it are of that class and do not count."""
        cls = type(part)

        def watched(name: str, door: str) -> Callable:
            def ask(self: nn.Module, inputs: Tensor, *more: Any) -> Any:
                if self is part:
                    note(door, inputs)
                return getattr(cls, name)(self, inputs, *more)

            return ask

        note = self._note
        part.__class__ = type(cls.__name__, (cls,), {name: watched(name, door) for name, door in doors.items()})

    def close(self) -> None:
        self._handle.remove()
        for part, cls in self._kept:
            part.__class__ = cls

    def uncounted(self, costs: Costs) -> tuple[str, str] | None:
        """The first door that more samples went through than were counted, and what is said of it."""
        for door, counter in DOORS.items():
            if self.seen[door] > costs.counts[counter]:
                return door, (
                    f"{self.seen[door]} samples went through the teacher, {costs.counts[counter]} of them counted as "
                    f"{counter}: call self.teacher.{door}, not the network itself"
                )
        return None


@contextmanager
def guarded(student: nn.Module, data: TrainingData, costs: Costs) -> Iterator[None]:
    """A run in which a method from outside is at work. Raises Breach at its end."""
    with lent_globals():
        before, doors = facts(student, data), Doors(student, data.teacher)
        try:
            yield
        finally:
            doors.close()
        if broken := changed(before, facts(student, data)):
            raise Breach(STAYS[broken[0]])
    if around := doors.uncounted(costs):
        raise Breach(around[1])
    if doors.seen["show"] > costs.counts["student_samples"]:
        raise Breach(
            f"the student was shown {doors.seen['show']} samples, and {costs.counts['student_samples']} were allowed: "
            "passes that do not teach belong in eval mode"
        )


@contextmanager
def lent_globals() -> Iterator[None]:
    """Global generators and settings, from a start that no code of a person sets, given back as they were."""
    kept: Any = random.getstate(), np.random.get_state(), torch.get_num_threads(), torch.get_default_dtype()
    random.seed("lent to a method")
    np.random.seed(220806825)
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        torch.set_num_threads(kept[2])
        torch.set_default_dtype(kept[3])


@contextmanager
def contained(seconds: float = 0) -> Iterator[None]:
    """A person's code, which must not end the program: what it raises to that end is `Ended`. Ctrl-C still ends it.

    Args:
        seconds: after which it is given up; 0 for never.
    """
    sent: list[int] = []

    def interrupted(number: int, frame: FrameType | None) -> None:
        sent.append(number)
        raise KeyboardInterrupt

    def late(number: int, frame: FrameType | None) -> None:
        raise Ended(f"no end after {seconds:g} seconds")

    here = threading.current_thread() is threading.main_thread()  # no other may hear signals
    handlers = {signal.SIGINT: interrupted, **({signal.SIGALRM: late} if seconds else {})} if here else {}
    kept = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    if seconds and here:
        signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except (SystemExit, KeyboardInterrupt) as error:
        if sent or (isinstance(error, KeyboardInterrupt) and not here):
            raise
        raise Ended(f"it tried to end the program ({in_a_line(error)})").with_traceback(error.__traceback__) from error
    finally:
        if seconds and here:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in kept.items():
            signal.signal(number, handler)
