"""A method's code, records and pages in one zip file, to hand on. Reading one runs nothing and unpacks nothing."""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.core import paths
from benchmarks.core.fingerprint import sources_digest
from benchmarks.records.record import Record

_ABOUT, _RECORDS = "submission.json", "records.jsonl"
_NAME = re.compile(r"submission\.json|records\.jsonl|code/[\w.]+\.py|pages/[\w.-]+\.html")
_LARGEST = 256 * 2**20  # bytes that the parts of one may have together
_TIME = (1980, 1, 1, 0, 0, 0)  # of every part, so that equal contents give an equal file


class About(BaseModel):
    """What stands in `submission.json`. parts: SHA-256 of every other part by its name."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    method: str
    about: str
    size: str
    parts: dict[str, str] = {}


@dataclass(frozen=True)
class Submission:
    """sources: of the method's module and those that it imports beside it, by name. pages: HTML by file name."""

    about: About
    records: list[Record]
    sources: dict[str, str]
    pages: dict[str, str]

    def write(self, path: Path) -> None:
        parts = {_RECORDS: "".join(record.line() + "\n" for record in self.records)}
        parts |= {f"code/{name}.py": source for name, source in self.sources.items()}
        parts |= {f"pages/{name}": page for name, page in self.pages.items()}
        about = self.about.model_copy(update={"parts": {name: _sha256(text) for name, text in parts.items()}})
        with paths.atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file:
            for name, text in {_ABOUT: about.model_dump_json(indent=1), **parts}.items():
                file.writestr(zipfile.ZipInfo(name, _TIME), text, zipfile.ZIP_DEFLATED)


def read(path: Path) -> Submission:
    """A submission whose parts are as they were packed.

    Raises:
        ValueError: it is none, or a part was changed, added or lost since; one line.
    """
    try:
        with zipfile.ZipFile(path) as file:
            if any(not _NAME.fullmatch(name) for name in file.namelist()):
                raise ValueError(f"{path}: no submission: it holds more than `submit` packs")
            if sum(info.file_size for info in file.infolist()) > _LARGEST:
                raise ValueError(f"{path}: no submission: it would unpack to more than {_LARGEST >> 20} MB")
            parts = {name: file.read(name).decode() for name in file.namelist()}
        about = About.model_validate_json(parts.pop(_ABOUT))
    except FileNotFoundError as error:
        raise ValueError(f"there is no file {path}") from error
    except (OSError, KeyError, UnicodeDecodeError, ValidationError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: no submission: {str(error).splitlines()[0]}") from error
    found = {name: _sha256(text) for name, text in parts.items()}
    if changed := sorted(
        name for name in found.keys() | about.parts.keys() if found.get(name) != about.parts.get(name)
    ):
        raise ValueError(f"{path}: not as it was packed: {', '.join(changed)}")
    lines = parts[_RECORDS].splitlines() if _RECORDS in parts else []
    try:
        records = [Record.parse(line) for line in lines]
    except ValueError as error:
        raise ValueError(f"{path}: {_RECORDS}: {str(error).splitlines()[0]}") from error
    sources = {name[5:-3]: text for name, text in parts.items() if name.startswith("code/")}
    pages = {name[6:]: text for name, text in parts.items() if name.startswith("pages/")}
    one = Submission(about, records, sources, pages)
    if told := _unlike(one):
        raise ValueError(f"{path}: {told}")
    return one


def _unlike(one: Submission) -> str:
    """Why records and code are not of one method and size; empty where they are."""
    if not one.records:
        return "it holds no records"
    code = sources_digest(one.sources)
    for record in one.records:
        spec = record.spec
        if (spec.method, spec.size) != (one.about.method, one.about.size) or spec.trial is not None:
            return f"it holds a record of {spec.label} ({spec.size}), not of {one.about.method} ({one.about.size})"
        if record.identity.get("method_sha256") != code:
            return f"{spec.label} was made by other code than what is packed"
        if any(record.identity.get(name) != value for name, value in spec.model_dump(include=_COMMON).items()):
            return f"{spec.label} is not what its key stands for"
    return ""


_COMMON = {"task", "size", "teacher", "budget", "seed", "method", "match"}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
