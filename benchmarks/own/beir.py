"""A folder in the format of BEIR (Thakur et al. 2021, arXiv 2104.08663) as rows of queries and passages."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from benchmarks.core.errors import BadInput, tell


def read(folder: Path) -> tuple[dict[str, list[Any]], tuple[str, ...]]:
    """Rows of query, passage and side, one for each judgement above 0, and all passages.

    The folder has `corpus.jsonl` and `queries.jsonl` (`_id`, `text`, of passages `title` too) and `qrels/*.tsv`
    (query-id, corpus-id, score, under a header), a file for each side. Degrees of relevance are all one here.

    Raises:
        BadInput: a line that is not in the format, or no judgement.
    """
    corpus, queries = (_texts(folder / f"{name}.jsonl") for name in ("corpus", "queries"))
    rows: dict[str, list[Any]] = {"query": [], "passage": [], "side": []}
    absent = 0
    for path in sorted((folder / "qrels").glob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)):
                if number == 0:
                    continue  # the header
                try:
                    query, passage, score = row[0], row[1], int(row[2])
                except (IndexError, ValueError) as error:
                    raise BadInput(f"{path}: line {number + 1} is no query-id, corpus-id and score") from error
                if score <= 0:
                    continue
                if query not in queries or passage not in corpus:
                    absent += 1
                    continue
                for name, value in zip(rows, (queries[query], corpus[passage], path.stem), strict=True):
                    rows[name].append(value)
    if absent:
        tell(f"{folder.name}: {absent} judgements of queries or passages that are not there are left out")
    if not rows["query"]:
        raise BadInput(f"{folder}: qrels/*.tsv hold no judgement above 0 of a query and a passage that are there")
    return rows, tuple(corpus.values())


def _texts(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                one = json.loads(line)
                found[str(one["_id"])] = ". ".join(part for part in (one.get("title"), one["text"]) if part)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: after {len(found)} texts a line has no _id and text") from error
    return found
