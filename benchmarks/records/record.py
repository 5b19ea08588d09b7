"""Records: one validated JSON line a run, appended whole or not at all."""

from __future__ import annotations

import base64
import json
import os
import shutil
import zlib
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarks.core import paths
from benchmarks.core.errors import tell
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
    processes: int = 1  # that share a step's samples; sums in another order have other last bits
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
        return place_of(self.device, self.precision, self.processes)


def place_of(device: str, precision: str, processes: int) -> str:
    """Of a device, a precision and a number of processes, what is not usual of them."""
    words = device, precision, f"{processes}-processes"
    return "-".join(word for word in words if word not in ("cpu", "float32", "1-processes"))


Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
#: Of the records' fields: raised by one when one of them changes its meaning or goes.
SCHEMA = 1


class Checkpoint(BaseModel):
    step: int
    seconds: float  # of training up to here, evaluation excluded
    labeler_queries: int
    validation: dict[str, Share | None] | None  # None where the budget took the validation samples
    test: dict[str, Share | None]


class Record(BaseModel):
    """A finished or failed run."""

    model_config = ConfigDict(extra="forbid")

    key: str
    status: Literal["ok", "failed"]
    reason: str = ""
    spec: Spec
    metrics: dict[str, Share | None] = {}  # on the test set, after the last step
    hits: str = ""  # the test samples that were a success after the last step, see `pack`
    curve: list[Checkpoint] = []
    costs: dict[str, Finite] = {}
    phases: dict[str, Finite] = {}  # seconds, evaluation among them
    diagnostics: dict[
        str, Finite
    ] = {}  # of the trained student and of what its method made, see `analysis.diagnostics`
    teachers: dict[str, dict[str, Any]] = {}  # generator and labeler: hash of the weights, metrics, seconds of training
    identity: dict[str, Any]
    environment: dict[str, Any]
    code_sha256: str = ""  # of the code that made it: where it comes from, and no part of its key
    schema_version: int = SCHEMA

    def line(self) -> str:
        """JSON; task, teacher, budget, seed and method stand at the top level for readers of the file.

        `sha256` is of all the rest: a line that was edited by hand is found by it (`edited`).
        """
        data = self.model_dump(exclude={name for name in ("hits", "diagnostics") if not getattr(self, name)})
        flat = {**data.pop("spec"), **data}
        return json.dumps({**flat, "sha256": digest(flat)}, allow_nan=False)

    @classmethod
    def parse(cls, line: str) -> Record:
        """Raises ValueError in one line for what is no record, is of a newer schema, or is not as it was written."""
        data = json.loads(line, parse_constant=_no_number)
        if not isinstance(data, dict):
            raise ValueError("it is no JSON object")
        if isinstance(version := data.get("schema_version", SCHEMA), int) and version > SCHEMA:
            raise ValueError(f"its schema_version is {version}, and this suite knows those up to {SCHEMA}: update it")
        if data.pop("sha256", None) != digest(data) or data.get("key") != key_of(data.get("identity", {})):
            raise ValueError("it is not as it was written: its own hash, or its key's, says otherwise")
        data["spec"] = {name: data.pop(name) for name in Spec.model_fields if name in data}
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def pack(hits: np.ndarray) -> str:
    """Truth values (N,) as text, eight a byte."""
    return f"{len(hits)}:{base64.b64encode(np.packbits(hits).tobytes()).decode()}"


def unpack(text: str) -> np.ndarray | None:
    """What `pack` made; None of the empty text of a record without them."""
    if not text:
        return None
    count, _, coded = text.partition(":")
    return np.unpackbits(np.frombuffer(base64.b64decode(coded), np.uint8), count=int(count)).astype(bool)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no value of a record")


def key_of(identity: dict[str, Any]) -> str:
    """A run's name: the hash of everything that can change its number."""
    return digest(identity)[:24]


class Store:
    """A `records.jsonl`. Appending is safe against other processes and against being killed in the middle."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "records.jsonl"

    def read(self) -> dict[str, Record]:
        """Records by key, the latest of each.

        A torn last line (a killed writer's) is passed over. A line that is no record, or was edited, is set aside with
        a note, and the rest stands.
        """
        return dict(self._read().records)

    def damaged(self) -> dict[int, str]:
        """What is wrong with complete lines that are set aside, by the line's number."""
        return dict(self._read().damaged)

    def repair(self) -> Path | None:
        """Write the file anew without the lines that are set aside, and without half a line at its end.

        Returns:
            where the file as it was is kept; None where nothing was to be done.
        """
        if not self.path.exists():
            return None
        with FileLock(self.path.with_suffix(".lock")):
            *lines, torn = self.path.read_bytes().split(b"\n")
            if not (damaged := self.damaged()) and not torn:
                return None
            free = (self.path.with_suffix(f".jsonl.backup{n or ''}") for n in count())
            shutil.copy2(self.path, backup := next(path for path in free if not path.exists()))
            with paths.atomic(self.path) as temporary:
                whole = (line for number, line in enumerate(lines, 1) if number not in damaged)
                temporary.write_bytes(b"".join(line + b"\n" for line in whole))
        return backup

    def _read(self) -> _Read:
        """What stands in the file, with a note on lines that are newly set aside."""
        if not self.path.exists():
            return _Read()
        with open(self.path, "rb") as file:
            found = _READ.get(self.path)
            if found is None or zlib.crc32(file.read(found.size)) != found.checksum:
                found = _READ[self.path] = _Read()
            told = len(found.damaged)
            file.seek(found.size)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                found.add(line)
        untold = list(found.damaged)[told:]
        for number in untold[:3]:
            tell(f"{self.path}, line {number}, is set aside: {found.damaged[number]} (check --repair takes it out)")
        if len(untold) > 3:
            tell(f"{self.path}: {len(untold) - 3} more lines are set aside")
        return found

    def get(self, key: str) -> Record | None:
        """The latest record of a key; only lines that name it are parsed."""
        content = self.path.read_bytes() if self.path.exists() else b""
        named, end = f'"key": "{key}"'.encode(), content.rfind(b"\n") + 1
        while (place := content.rfind(named, 0, end)) >= 0:
            end = content.rfind(b"\n", 0, place) + 1
            try:
                return Record.parse(content[end : content.index(b"\n", place)].decode())
            except ValueError:
                continue
        return None

    def append(self, record: Record) -> None:
        """Add a record durably. Raises MachineFailure where it cannot be written, to a full disk say."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with paths.writing(self.path), FileLock(self.path.with_suffix(".lock")), open(self.path, "a+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    content = self.path.read_bytes()
                    file.truncate(content.rfind(b"\n") + 1)
            file.write(record.line().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


@dataclass
class _Read:
    """What was read of a file, and of which part of it: so many bytes and lines, and their checksum."""

    size: int = 0
    lines: int = 0
    checksum: int = 0
    records: dict[str, Record] = field(default_factory=dict)
    damaged: dict[int, str] = field(default_factory=dict)  # what is wrong with lines, by their number

    def add(self, line: bytes) -> None:
        self.size, self.lines = self.size + len(line), self.lines + 1
        self.checksum = zlib.crc32(line, self.checksum)
        if line == b"\n":
            return
        try:
            record = Record.parse(line[:-1].decode())
        except (ValueError, TypeError, RecursionError) as error:
            self.damaged[self.lines] = (str(error).splitlines() or [type(error).__name__])[0]
        else:
            self.records[record.key] = record


#: What was read of each file last. Of one that only grew since, what was added is all that is parsed.
_READ: dict[Path, _Read] = {}
