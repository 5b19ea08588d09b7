"""A custom task from a user's class: what it gives is the user's at every size, what it does not its base's."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from benchmarks.core.errors import did_you_mean
from benchmarks.data.splits import Profile
from benchmarks.registry.tasks import TASKS
from benchmarks.task import Size, Task

_SUITE = ("benchmarks", "builtins")
_BUDGETS = tuple(step * 10**power for power in range(1, 7) for step in (1, 2, 5))
_USUAL = 500  # labelled samples of a run, where the data give so many
_SMOKE: dict[str, Any] = {"seeds": 2, "test_limit": 500, "trials": 2}


def task_of(name: str, cls: type[Task], code: tuple[str, ...]) -> Task:
    """The task of a user's class. Raises ValueError for what it lacks, misspells or names in vain."""
    said = _said(cls)
    base = _base(cls)
    refuse_unknown(cls, said, type(base) if base else cls)
    absent = sorted(part for part in ("data", "student", "teacher") if getattr(cls, part) is getattr(Task, part))
    if base is None and absent:
        raise ValueError(f"{cls.__name__} has no {', '.join(absent)}, and names no `base` to take them from")
    if base is not None and base.domain == "retrieval" and "data" in said:
        raise ValueError(f"{cls.__name__}: data for {cls.base} cannot be given here; derive from RetrievalData")
    own = set(cls.own)
    own |= {"data"} if {"data", "corpus"} & said.keys() else set()
    facts: dict[str, Any] = {"name": name, "family": name, "code": code}
    if "teacher" in said and "fits" not in said:
        parts, more = teacher_of(cls, said["teacher"], base)
        own, facts = own | parts, facts | more
    own |= {"training"} if {"teacher", "fits", "augment", "tensor", "judge"} & said.keys() else set()
    facts["own"] = frozenset(own)
    if "student" in said:
        facts["students"] = {**(base or cls).students, "student": "student.v1"}
    if base is None or "data" in own:
        facts |= {"dataset": name, "tuned_on": name}  # no search on other data chose for these
    if base is None:
        facts["note"] = cls.note or f"a task of the file {cls.__module__}.py"
    else:
        facts |= {"title": cls.title or f"{base.title} ({name})", "defaults": {**base.defaults, **cls.defaults}}
    like = said.get("sizes") or (base or cls).sizes
    facts |= {"said": said, "like": like or dict.fromkeys(("smoke", "small"), Size(0, (), Task.steps, Task.batch))}
    return _made(cls, base, facts, said)


def teacher_of(cls: type[Task], given: Any, base: Task | None) -> tuple[set[str], dict[str, Any]]:
    """Which parts of the teacher are the user's, and what the class is given for them.

    Args:
        given: a method; a function of the number of classes; a word for a labeler, or two for (generator, labeler).

    Raises:
        ValueError: it is none of these, or a labeler without a generator beside it.
    """
    kept = type(base) if base else cls
    suite = next(vars(kind)["teacher"] for kind in kept.__mro__ if _in_suite(kind) and "teacher" in vars(kind))
    words = (given,) if isinstance(given, str) else given
    if isinstance(words, tuple | list) and len(words) in (1, 2) and all(isinstance(one, str) for one in words):
        from benchmarks.teachers import words as named

        if suite is Task.teacher:
            raise ValueError(f"{cls.__name__}: teacher names a labeler; write teacher(), which gives a generator too")
        return named.parts(words), named.facts(words, suite, kept.fits, kept.teachers)
    if not callable(given):
        raise ValueError(f"{cls.__name__}: teacher must be a method, a function or a word, not {type(given).__name__}")
    facts: dict[str, Any] = {"teachers": {}, "fits": lambda self: {}}
    if len(inspect.signature(given).parameters) == 1 and not isinstance(vars(cls).get("teacher"), staticmethod):
        facts["teacher"] = lambda self, classes: given(classes)
    return {"generator", "labeler"}, facts


def _in_suite(kind: type) -> bool:
    return kind.__module__.split(".")[0] in _SUITE


def _made(cls: type[Task], base: Task | None, facts: dict[str, Any], said: dict[str, Any]) -> Task:
    follows = "data" in facts["own"] and "sizes" not in said
    bases = (*((OwnSizes,) if follows else ()), cls, *((type(base),) if base else ()))
    if follows and "note" not in said:
        facts["note"] = cached_property(_note)
    task: Task = object.__new__(type(cls.__name__, bases, {"__module__": cls.__module__, **facts}))
    if base is None and not follows:
        task.__init__()  # type: ignore[misc]
    elif base is None:
        task.title = cls.title or task.name
        task.also = ("accuracy", "macro_f1") if cls.also is Task.also and cls.metric != "accuracy" else cls.also
    else:
        known = said.keys() | facts.keys() | {"sizes"}
        vars(task).update({part: value for part, value in vars(base).items() if part not in known})
    if not follows:
        task.sizes = {size: _asked(size, values, said) for size, values in facts["like"].items()}
    return task


def _said(cls: type) -> dict[str, Any]:
    """What a class and its own parents say, the suite's classes left out."""
    own = [parent for parent in reversed(cls.__mro__) if not _in_suite(parent)]
    return {part: value for parent in own for part, value in vars(parent).items() if not part.startswith("_")}


def _base(cls: type[Task]) -> Task | None:
    if cls.base and cls.base not in TASKS:
        raise ValueError(f"{cls.__name__}: base {cls.base!r} is no task; there are {', '.join(TASKS)}")
    if cls.base and cls.own:
        raise ValueError(f"{cls.__name__}: it has data of its own, so base {cls.base!r} gives it nothing; leave it out")
    return TASKS[cls.base] if cls.base else None


def refuse_unknown(cls: type, said: Iterable[str], *more: type) -> None:
    """Raises ValueError for an attribute that nothing reads, with the one that was meant; helpers may be functions."""
    known = {name for kind in (Task, cls, *more) for parent in kind.__mro__ for name in _names(parent)}
    for name in sorted(set(said) - known):
        meant = did_you_mean(name, sorted(known))
        if meant or not callable(getattr(cls, name)):
            raise ValueError(
                f"{cls.__name__}.{name}: nothing reads it{meant or '; a helper of your own begins with _'}"
            )


def _names(parent: type) -> set[str]:
    """What a class of the suite has and may be given."""
    if not _in_suite(parent):
        return set()
    return {name for name in (*vars(parent), *vars(parent).get("__annotations__", {})) if not name.startswith("_")}


class OwnSizes:
    """Sizes of a task whose data are a user's: their steps are those of `like`, their budgets what the data give."""

    said: ClassVar[dict[str, Any]]
    like: ClassVar[dict[str, Size]]

    @cached_property
    def sizes(self: Any) -> dict[str, Size]:
        found = self.examples()
        labels = np.delete(found.pool_labels, found.validation)
        budgets = _given_by(self.profile, np.bincount(labels, minlength=found.classes))
        usual = max((b for b in budgets if b <= _USUAL), default=budgets[0])
        curve = tuple(b for b in budgets if usual / 10 <= b <= 20 * usual)
        of = {
            size: replace(values, budget=usual, budgets=curve, table=(), search_budgets=(), few=None)
            for size, values in self.like.items()
        }
        if "smoke" in of:
            of["smoke"] = replace(of["smoke"], budget=curve[0], budgets=(curve[0],))
        return {size: _asked(size, values, self.said) for size, values in of.items()}


def _given_by(profile: Profile, available: np.ndarray) -> tuple[int, ...]:
    """Round numbers of labelled samples that a pool can give, or the largest that it can."""
    total = int(available.sum())
    if profile.kind == "uniform":
        available, fewest = np.array([total]), 1
    else:
        fewest = 2 * len(available)

    def can(budget: int) -> bool:
        try:
            return bool(profile.counts(available, budget).sum())
        except ValueError:
            return False

    found = tuple(budget for budget in _BUDGETS if fewest <= budget <= total and can(budget))
    return found or (next((n for n in range(min(total, fewest + 10), 0, -1) if can(n)), 1),)


def _asked(size: str, values: Size, said: dict[str, Any]) -> Size:
    """A size with what a class says of budgets, steps and batch."""
    given: dict[str, Any] = {part: said[part] for part in ("budget", "budgets", "steps", "batch") if part in said}
    if size == "smoke" and not values.seeds:
        values = replace(values, **_SMOKE, steps=Task.smoke_steps, batch=16)
    if size == "smoke":
        given["batch"] = min(given.get("batch", values.batch), values.batch)
        given["steps"] = said.get("smoke_steps", min(given.get("steps", values.steps), values.steps))
    if {"budget", "budgets"} & given.keys():
        given["budgets"] = tuple(given.get("budgets") or (given["budget"],))
        usual = max((b for b in given["budgets"] if b <= _USUAL), default=given["budgets"][0])
        given |= {"budget": given.get("budget", usual), "table": (), "search_budgets": ()}
    return replace(values, **given)


def _note(task: Task) -> str:
    found = task.examples()
    held_out = len(found.validation)
    return (
        f"{len(found.pool_labels) - held_out:,} samples to train on, {held_out:,} for validation, "
        f"{len(found.test_labels):,} for testing, {found.classes:,} classes"
    )
