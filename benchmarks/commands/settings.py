"""`--set`: hyper-parameters in place of the chosen ones, each of its own type and within what it can mean."""

from __future__ import annotations

import re
from typing import Any, get_type_hints

from benchmarks.core import settings
from benchmarks.core.errors import BadInput, did_you_mean
from benchmarks.registry.methods import METHODS, Row

#: Hyper-parameters by the least that they can be, in every method that has them.
POSITIVE = {"lr", "generator_lr", "temperature", "radius", "contrast", "sharpening", "width", "noise_dim"}
POSITIVE |= {"pool", "every", "memory", "student_steps", "neighbours", "candidates", "hardest", "shortest", "longest"}
NOT_NEGATIVE = {"sigma", "ascent_steps", "step_size", "beta", "alpha", "weight", "renew", "read", "seen", "tau"}
SHARES = {"label_smoothing", "masked", "replaced", "confidence", "warmup", "second", "share"}
#: No hyper-parameter means anything beyond.
LARGEST = 1e6


def given(text: str, chosen_methods: tuple[str, ...]) -> str:
    """The line of NAME=VALUE words. Raises BadInput for what no method can be given."""
    if not text:
        return ""
    try:
        found = settings.parse(",".join(word.strip() for word in text.split(",")))
    except ValueError as error:
        raise BadInput(f"--set: {error}") from error
    rows = [METHODS[name] for name in chosen_methods or METHODS]
    hints = [(row, get_type_hints(row.load().Config)) for row in rows]
    there = {name for row, hint in hints for name in hint if name not in row.fixed}
    for name in found:
        if name not in there:
            whose = "none of these methods can be given" if chosen_methods else "no method has"
            hint = did_you_mean(name, there)
            raise BadInput(f"--set: {whose} {name!r}; there are {', '.join(sorted(there)) or 'none'}{hint}")
    _accepted(found, hints)
    return settings.of(found)


def _accepted(found: dict[str, Any], hints: list[tuple[Row, dict[str, Any]]]) -> None:
    """Raises BadInput for a value of another type than the rows' own, or for values that no row takes together."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    for name, value in found.items():
        if isinstance(value, str) and not re.fullmatch(r"[\w.+-]+", value):
            raise BadInput(f"--set {name}: {value!r} would be a part of a folder's name; letters, digits, . _ + - can")
        try:
            hint = next(hint[name] for row, hint in hints if name in hint and name not in row.fixed)
            TypeAdapter(hint, config=ConfigDict(strict=True, allow_inf_nan=False)).validate_python(value)
        except ValidationError as error:
            raise BadInput(f"--set {name}={value}: {error.errors()[0]['msg']}") from error
        if told := _beyond(name, value):
            raise BadInput(f"--set {name}={value}: it {told}")
    refused = []
    for row, hint in hints:
        if own := {name: value for name, value in found.items() if name in hint and name not in row.fixed}:
            try:
                row.load().Config(**{**row.defaults, **row.fixed, **own})
            except ValueError as error:
                refused.append(str(error))
            else:
                return
    if refused:
        raise BadInput(f"--set {settings.of(found)}: {refused[0]}")


def _beyond(name: str, value: object) -> str:
    """Why a hyper-parameter cannot have a value; "" where it can, or where its name is a custom method's own."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if name in POSITIVE and value <= 0:
        return "must be above 0"
    if (name in NOT_NEGATIVE or name.startswith("w_")) and value < 0:
        return "must be at least 0"
    if name in SHARES and not 0 <= value <= 1:
        return "must lie between 0 and 1"
    return f"must lie between {-LARGEST:,.0f} and {LARGEST:,.0f}" if abs(value) > LARGEST else ""
