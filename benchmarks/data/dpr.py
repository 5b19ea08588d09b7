"""The files of dense passage retrieval, as published: passages, questions with their passages, questions with answers.

Karpukhin et al. 2020 (arXiv 2004.04906) and the code beside it (facebookresearch/DPR: `CsvCtxSrc`, `JsonQADataset`,
`CsvQASrc`). All are read as streams: the passages have 13 GB, the training questions with their passages 8.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.core import kept, paths
from benchmarks.core.errors import BadInput
from benchmarks.core.fingerprint import digest

_HEADER = ["id", "text", "title"]
_CHUNK, _LARGEST = 2**20, 2**25  # characters that are read at once; of one question, at most


class Passages:
    """A TSV of id, text and title with a header, one passage a line; a line is read when it is asked for.

    Where lines begin is found once and kept in the cache, with the file's SHA-256 in its name.

    Attributes:
        ids: of all passages (N,), memory-mapped. sha256: of the file.
    """

    def __init__(self, path: Path) -> None:
        """Raises BadInput for a line that is no passage."""
        self.path, folder = path, paths.cache() / "data"
        name = f"passages-{digest([str(path.resolve()), *kept.stamp(path)])[:16]}"
        known = sorted(folder.glob(f"{name}-*.npy"))
        if not known:
            index, sha256 = _indexed(path)
            known = [kept.array(folder / f"{name}-{sha256}.npy", lambda: index)]
        self.sha256 = known[0].stem.rpartition("-")[2]
        index = np.load(known[0], mmap_mode="r")
        self._starts, self.ids = index[0], index[1, :-1]

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, numbers: Iterable[int]) -> list[tuple[str, str]]:
        """(title, text) of passages by their number, from 0."""
        found = []
        with self.path.open("rb") as file:
            for number in numbers:
                file.seek(int(self._starts[number]))
                _, text, title = _row(file.read(int(self._starts[number + 1] - self._starts[number])))
                found.append((title, text.strip('"')))  # as DPR reads them
        return found

    def numbers_of(self, ids: np.ndarray) -> np.ndarray:
        """Numbers (K,) of passages by their ids (K,); -1 where there is none."""
        order = np.argsort(self.ids, kind="stable")  # the published files are in order, which this takes no time for
        place = np.minimum(np.searchsorted(self.ids, ids, sorter=order), len(self) - 1)
        return np.where(self.ids[order[place]] == ids, order[place], -1)


def _row(line: bytes) -> list[str]:
    return next(csv.reader([line.decode()], delimiter="\t"), [])


def _indexed(path: Path) -> tuple[np.ndarray, str]:
    """Beginnings and ids of the passages (2, N + 1), the last of none, and the file's SHA-256."""
    starts, ids, end, state = array("q"), array("q"), 0, hashlib.sha256()
    with path.open("rb") as file:
        for number, line in enumerate(file):
            found = line.rstrip(b"\r\n").split(b"\t")
            if number == 0 and _row(line) != _HEADER:
                raise BadInput(f"{path}: its first line is {line[:40]!r}, not id, text and title with tabs between")
            if number and not ((len(found) == 3 or len(_row(line)) == 3) and found[0].isdigit()):
                raise BadInput(f"{path}: line {number + 1} is no id, text and title with tabs between")
            if number:
                starts.append(end)
                ids.append(int(found[0]))
            state.update(line)
            end += len(line)
    if not ids:
        raise BadInput(f"{path} holds no passage")
    return np.array([[*starts, end], [*ids, -1]], np.int64), state.hexdigest()


@dataclass(frozen=True)
class Question:
    """A question with its answers; of one to train on, the ids of passages that answer it and of some that do not."""

    text: str
    answers: tuple[str, ...]
    positive: tuple[int, ...] = ()
    hard: tuple[int, ...] = ()


def trained(path: Path) -> Iterator[Question]:
    """Questions of a `biencoder-nq-*.json` that have a positive passage, as DPR keeps them. Raises BadInput."""
    for number, one in enumerate(_objects(path)):
        try:
            positive, hard = (
                tuple(int(passage.get("passage_id") or passage["psg_id"]) for passage in one[name])
                for name in ("positive_ctxs", "hard_negative_ctxs")
            )
            found = Question(_plain(one["question"]), tuple(one["answers"]), positive, hard)
        except (KeyError, TypeError, ValueError) as error:
            told = f"{type(error).__name__} {error}"
            raise BadInput(f"{path}: question {number} is not in DPR's format: {told}") from error
        if positive:
            yield found


def asked(path: Path) -> list[Question]:
    """Questions of an `nq-*.qa.csv`: a question and a list of answers as Python writes it, a tab between."""
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file, delimiter="\t")):
            try:
                question, answers = row
                found.append(Question(_plain(question), tuple(map(str, ast.literal_eval(answers)))))
            except (ValueError, SyntaxError, TypeError) as error:
                raise BadInput(f"{path}: row {number + 1} is no question with a list of answers") from error
    return found


def _plain(question: str) -> str:
    return question.replace("\u2019", "'")  # DPR's normalize_question


def _objects(path: Path) -> Iterator[Any]:
    """The members of a JSON list, one after the other. Raises BadInput for a file that breaks off."""
    decoder, text = json.JSONDecoder(), ""
    with path.open(encoding="utf-8") as file:
        while True:
            text = text.lstrip(" \r\n\t[,")
            try:
                found, end = decoder.raw_decode(text)
            except json.JSONDecodeError as error:
                if len(text) < _LARGEST and (more := file.read(_CHUNK)):
                    text += more
                    continue
                if text.strip() != "]":
                    raise BadInput(f"{path} breaks off, or is no JSON list: {text[:40]!r}") from error
                return
            yield found
            text = text[end:]
