"""Records: one validated JSON line a run, appended whole or not at all."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.core.fingerprint import digest


class Spec(BaseModel):
    """The cell a run fills: what a person asks for. What else decides its number is in `Record.identity`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    size: str
    teacher: Literal["full", "same-data"]
    budget: int
    seed: int  # of the split, the student's start and its batches
    draw: int = 0  # of the teacher: its networks' start and training; crossed with `seed`
    method: str
    match: Literal["samples", "real"] = "samples"
    device: Literal["cpu", "cuda", "mps"] = "cpu"
    precision: Literal["float32", "bf16"] = "float32"
    settings: str = ""  # NAME=VALUE,...: hyper-parameters in place of the chosen ones, see `core.settings`
    trial: int | None = None  # of a hyper-parameter search
    steps: int | None = None  # updates of an earlier search's shortened run; None: all that a row has

    @property
    def label(self) -> str:
        more = f" {self.settings}" if self.settings else ""
        more += "" if self.trial is None else f" trial {self.trial}"
        more += "" if self.steps is None else f" of {self.steps} steps"
        more += f" on {self.place}" if self.place else ""
        seed = f"seed {self.seed}" + (f" draw {self.draw}" if self.draw else "")
        return f"{self.task} {self.teacher} n={self.budget} {self.method} {seed}{more}"

    @property
    def place(self) -> str:
        """Where it runs, for names of folders and lines of text: "" on the CPU in float32, else such as cuda-bf16."""
        return place_of(self.device, self.precision)


def place_of(device: str, precision: str) -> str:
    """Of a device and a precision, what is not usual of them."""
    return "-".join(word for word in (device, precision) if word not in ("cpu", "float32"))


class Checkpoint(BaseModel):
    step: int
    seconds: float  # of training up to here, evaluation excluded
    labeler_queries: int
    validation: dict[str, float | None] | None  # None where the budget took the validation samples
    test: dict[str, float | None]


class Record(BaseModel):
    """A finished or failed run."""

    model_config = ConfigDict(extra="forbid")

    key: str
    status: Literal["ok", "failed"]
    reason: str = ""
    spec: Spec
    metrics: dict[str, float | None] = {}  # on the test set, after the last step
    hits: str = ""  # the test samples that were a success after the last step, see `pack`
    curve: list[Checkpoint] = []
    costs: dict[str, float] = {}
    phases: dict[str, float] = {}  # seconds, evaluation among them
    diagnostics: dict[str, float] = {}  # of the trained student and of what its method made, see `analysis.diagnostics`
    teachers: dict[str, dict[str, Any]] = {}  # generator and labeler: hash of the weights, metrics, seconds of training
    identity: dict[str, Any]
    environment: dict[str, Any]
    code_sha256: str = ""  # of the code that made it: where it comes from, and no part of its key

    def line(self) -> str:
        """JSON; task, teacher, budget, seed and method stand at the top level for readers of the file.

        `sha256` is of all the rest: a line that was edited by hand is found by it (`edited`).
        """
        data = self.model_dump(exclude={name for name in ("hits", "diagnostics") if not getattr(self, name)})
        flat = {**data.pop("spec"), **data}
        return json.dumps({**flat, "sha256": digest(flat)}, allow_nan=False)

    @classmethod
    def parse(cls, line: str) -> Record:
        data = json.loads(line)
        data.pop("sha256", None)
        data["spec"] = {name: data.pop(name) for name in Spec.model_fields if name in data}
        return cls.model_validate(data)


def pack(hits: np.ndarray) -> str:
    """Truth values (N,) as text, eight a byte."""
    return f"{len(hits)}:{base64.b64encode(np.packbits(hits).tobytes()).decode()}"


def unpack(text: str) -> np.ndarray | None:
    """What `pack` made; None of the empty text of a record without them."""
    if not text:
        return None
    count, _, coded = text.partition(":")
    return np.unpackbits(np.frombuffer(base64.b64decode(coded), np.uint8), count=int(count)).astype(bool)


def edited(line: str) -> bool:
    """Whether a record's line is not as it was written: its own hash, or its key's, says otherwise."""
    data = json.loads(line)
    return data.pop("sha256", None) != digest(data) or data["key"] != key_of(data["identity"])


def key_of(identity: dict[str, Any]) -> str:
    """A run's name: the hash of everything that can change its number."""
    return digest(identity)[:24]


class Store:
    """A `records.jsonl`. Appending is safe against other processes and against being killed in the middle."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "records.jsonl"

    def read(self) -> dict[str, Record]:
        """Records by key, the latest of each. A torn last line (a killed writer's) is passed over.

        Raises:
            ValueError: a complete line that is not a valid record.
        """
        if not self.path.exists():
            return {}
        status = self.path.stat()
        version = status.st_mtime_ns, status.st_size, status.st_ino
        if (kept := _READ.get(self.path)) is None or kept[0] != version:
            kept = _READ[self.path] = version, _read(self.path)
        return dict(kept[1])

    def get(self, key: str) -> Record | None:
        """The latest record of a key; only lines that name it are parsed."""
        if not self.path.exists():
            return None
        lines = self.path.read_text().split("\n")[:-1]
        return next((Record.parse(line) for line in reversed(lines) if f'"key": "{key}"' in line), None)

    def append(self, record: Record) -> None:
        """Add a record durably."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".lock")), open(self.path, "a+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    content = self.path.read_bytes()
                    file.truncate(content.rfind(b"\n") + 1)
            file.write(record.line().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


#: What was read of a file last, by its version: a file that was written to since is read again.
_READ: dict[Path, tuple[tuple[int, ...], dict[str, Record]]] = {}


def _read(path: Path) -> dict[str, Record]:
    records = {}
    for number, line in enumerate(path.read_text().split("\n")[:-1], 1):
        if not line:
            continue
        try:
            record = Record.parse(line)
        except (ValidationError, ValueError, TypeError) as error:
            summary = str(error).splitlines()[0]
            raise ValueError(f"{path}, line {number}, is not a valid record: {summary}") from error
        records[record.key] = record
    return records
