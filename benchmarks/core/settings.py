"""Hyper-parameters in place of the chosen ones, as one line: NAME=VALUE,NAME=VALUE in the order of the names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

#: Characters of a NAME=VALUE: it is a part of a folder's name.
LONGEST = 200


def of(values: Mapping[str, Any]) -> str:
    texts = ((name, value if isinstance(value, str) else json.dumps(value)) for name, value in sorted(values.items()))
    return ",".join(f"{name}={text}" for name, text in texts)


def parse(line: str) -> dict[str, Any]:
    """The values of a line: numbers, true, false and null as JSON has them, else text. Raises ValueError."""
    found: dict[str, Any] = {}
    for word in filter(None, line.split(",")):
        name, equals, value = word.partition("=")
        if not equals or not value:
            raise ValueError(f"NAME=VALUE is wanted, not {word!r}")
        if name in found:
            raise ValueError(f"{name} is given twice")
        if len(word) > LONGEST:
            raise ValueError(f"{name[:20]}: a value of {len(value):,} characters")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
