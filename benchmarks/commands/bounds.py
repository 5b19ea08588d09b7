"""What the words of a command line may be, before any of them is acted on: none empty, none twice, numbers in bounds.

The parser takes `--seeds ٣`, `--seeds 1_000` and the last of two `--seeds`; a person who typed these meant something
else.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from benchmarks.core.environment import processes
from benchmarks.core.errors import BadInput

#: The least and the most of options that take a whole number. A most is far beyond use: what it keeps out is a slip of
#: the finger that would run for weeks or fill the memory.
NUMBERS = {
    "seeds": (1, 1000), "draws": (1, 100), "jobs": (1, 1024), "n-max": (1, 10**6), "ratio": (1, 10**4),
    "sample": (1, 10**5), "seconds": (0, 10**6), "patience": (0, 10**6), "side": (8, 4096),
    "save-every": (1, 86_400), "dry-run": (1, 1000),
    "seed": (0, 2**32 - 1), "search-seed": (0, 2**32 - 1),
}  # fmt: skip
#: Exit status of a target of the paper's size where something that it needs is missing.
CANNOT = 3
#: Replications of students and draws of teachers are crossed: so many runs of a method on a cell at most.
MOST_CROSSED = 1000
#: A number of labelled samples, and how many numbers of them one call takes.
MOST_SAMPLES, MOST_BUDGETS = 10**8, 50
#: Characters of a word, and bytes of a part of a path (what file systems take).
LONGEST, LONGEST_NAME = 10_000, 255

#: Processors that this process may use, and how many processes a command takes where nobody says.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
JOBS = min(2, CORES)


def check(words: list[str], flags: Iterable[str]) -> None:
    """Look at all words of a command line whose options are known; `flags` are those that take no value.

    Raises:
        BadInput: a word that cannot be meant.
    """
    values: dict[str, str] = {}
    for word in words:
        if len(word) > LONGEST:
            raise BadInput(f"a word of {len(word):,} characters; {LONGEST:,} at most: {word[:20]}...")
        if any(unicodedata.category(one) == "Cc" for one in word):
            raise BadInput(f"a word holds a control character: {word[:100]!r}")
    for name, value in given(words):
        if name in values:
            raise BadInput(f"--{name} is given twice; once tells which is meant")
        values[name] = value
        if name not in flags and not value.strip(", \t\n"):
            raise BadInput(f"--{name} names nothing: {value!r}")
        if name in NUMBERS:
            _number(name, value)
        for part in re.split(r"[/,]", value) if name != "set" else ():
            if len(os.fsencode(part)) > LONGEST_NAME:
                raise BadInput(f"--{name}: a name of {len(part):,} characters is longer than a file's can be")
        _path(name, value)
    if int(values.get("seeds", "1").replace("auto", "20")) * int(values.get("draws", "1")) > MOST_CROSSED:
        raise BadInput(f"--seeds times --draws may be {MOST_CROSSED} at most")
    if (jobs := int(values.get("jobs", "1"))) > CORES and "oversubscribe" not in values:
        raise BadInput(f"--jobs {jobs} is more than the {CORES} cores of this machine; --oversubscribe allows it")


def given(words: list[str]) -> Iterator[tuple[str, str]]:
    """(name, value) of each option, its name as the help spells it; "" for the value of one that has none."""
    for number, word in enumerate(words):
        if not word.startswith("--"):
            continue
        name, equals, value = word.removeprefix("--").partition("=")
        if not equals and number + 1 < len(words) and not words[number + 1].startswith("--"):
            value = words[number + 1]
        name = name.replace("_", "-").removeprefix("no-")
        yield {"task": "tasks"}.get(name, name), value


def budgets(words: Iterable[str]) -> tuple[int, ...]:
    found = []
    for word in words:
        if not re.fullmatch("[0-9]{1,12}", word) or not 1 <= int(word) <= MOST_SAMPLES:
            raise BadInput(f"--budgets takes whole numbers above 0, not {word!r} ({MOST_SAMPLES:,} at most)")
        found.append(int(word))
    if len(found) > MOST_BUDGETS:
        raise BadInput(f"--budgets takes {MOST_BUDGETS} numbers at most, not {len(found)}")
    return tuple(found)


def engine(name: str, address: str, gpus: float | None) -> None:
    """Raises BadInput for options that no engine can mean."""
    if name == "local":
        if address or gpus is not None:
            raise BadInput(f"--{'address' if address else 'gpus-per-run'} goes with --engine ray")
        return
    if processes() > 1:
        raise BadInput("--engine ray: a cell on Ray is one process; several go with --engine local")
    if not find_spec("ray"):
        raise BadInput("--engine ray: Ray is not installed: pip install 'tgt-suite[cluster]'")
    if address and not re.fullmatch(r"[\w.-]+:[0-9]{1,5}", address):
        raise BadInput(f"--address takes HOST:PORT, not {address!r}")
    if gpus is not None and not (0 < gpus <= 1 or gpus in range(2, 1025)):
        raise BadInput(f"--gpus-per-run takes a share of one GPU (such as 0.5) or a whole number, not {gpus:g}")


def _path(name: str, value: str) -> None:
    """Raises BadInput for what cannot be the folder or the file that an option wants."""
    path = Path(value)
    there = next((one for one in (path, *path.parents) if one.exists()), path)
    if name == "results" and not there.is_dir():
        raise BadInput(f"--results: {there} is a file, not a folder")
    if name == "out" and path.is_dir():
        raise BadInput(f"--out: {path} is a folder, not a file")
    files = [word.strip() for word in value.split(",")] if name == "with" else []
    if absent := [word for word in files if word and not Path(word).is_file()]:
        raise BadInput(f"--with: there is no file {absent[0]}")


def _number(name: str, value: str) -> None:
    if name == "seeds" and value == "auto":  # of compare; the parser refuses it elsewhere
        return
    least, most = NUMBERS[name]
    if not re.fullmatch(r"-?[0-9]+", value):
        raise BadInput(f"--{name} takes a whole number in digits 0 to 9, not {value!r}")
    if len(value) > 20 or int(value) > most:
        raise BadInput(f"--{name} must be at most {most}, not {value if len(value) < 20 else 'so much'}")
    if int(value) < least:
        raise BadInput(f"--{name} must be at least {least}, not {value}")
