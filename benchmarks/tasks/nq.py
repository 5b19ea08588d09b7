"""Natural Questions over DPR's Wikipedia passages: all 21 million, or those of the articles that NQ asks about.

A student is taught over some of the passages, which are its classes, and then searched with over all of them: their
vectors are the teacher's, in files that are never in memory at once. A task here judges ranks; a passage is right if it
holds an answer, by DPR's rule.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.core import kept, paths
from benchmarks.core.errors import BadInput
from benchmarks.core.fingerprint import digest, seed_of
from benchmarks.data import dpr
from benchmarks.data.answer_matching import holding
from benchmarks.data.given import Given
from benchmarks.data.stored import Samples
from benchmarks.data.texts import pack, unpack
from benchmarks.data.wordpieces import PAD, PASSAGE_LENGTH
from benchmarks.task import RetrievalExamples, Size, Task
from benchmarks.tasks.paper_texts import MODELS, bpe_of, vocabulary_of
from benchmarks.tasks.retrieval import LENGTH, RetrievalTask

if TYPE_CHECKING:
    import torch
    from torch import nn

TAUGHT = 2**18  # passages that a student is taught over, at most
VALIDATION = 2000  # questions of DPR's development set, the first
SHARD = 2**17  # passages whose vectors stand in one file
VERSION = "vectors.v1"  # of these files: raise it when they change
_TERMS = "CC BY-NC 4.0 (the files; the text of Wikipedia CC BY-SA 3.0)"
_AT = "dl.fbaipublicfiles.com/dpr"
PASSAGES = Given("nq/psgs_w100.tsv", f"{_AT}/wikipedia_split/psgs_w100.tsv.gz", _TERMS, 13)
SEEN = Given(
    "nq/psgs_w100_subset.tsv",
    "filter_subset_wiki.py of github.com/efficientqa/retrieval-based-baselines, run on psgs_w100.tsv",
    _TERMS,
    1,
)
TRAIN, DEV = (
    Given(f"nq/biencoder-nq-{side}.json", f"{_AT}/data/retriever/biencoder-nq-{side}.json.gz", _TERMS, gigabytes)
    for side, gigabytes in (("train", 8), ("dev", 1))
)
TEST = Given("nq/nq-test.qa.csv", f"{_AT}/data/retriever/nq-test.qa.csv", _TERMS, 0.001)
TEACHER = Given(
    "nq/teacher",
    "a snapshot of one revision of huggingface.co/sentence-transformers/multi-qa-mpnet-base-cos-v1, or of any other "
    "model of sentence-transformers",
    "the model's own",
    0.5,
)
_SPREAD = 64  # questions that the spread of BART's states is measured on


@dataclass(frozen=True)
class SearchedExamples(RetrievalExamples):
    """Passages here are those that are taught; labels of tested queries are numbers of questions (N, 1).

    Attributes:
        searched: all passages. taught: numbers of those that are taught (L,), rising. collection: SHA-256 of the file
            of all, as bytes. answers: those of each question, packed.
    """

    searched: dpr.Passages = field(kw_only=True)
    taught: np.ndarray = field(kw_only=True)
    collection: np.ndarray = field(kw_only=True)
    answers: np.ndarray = field(kw_only=True)


class Nq(RetrievalTask):
    name = "nq"
    title = "Natural Questions over Wikipedia"
    note = (
        "Natural Questions over DPR's 21,015,324 passages of Wikipedia: 58,880 questions to train on, the first 2,000 "
        "of the development set for validation, 3,610 to test on. A passage is right if it holds an answer, by DPR's "
        "rule. Taught over 2^18 passages (the questions' own, a hard negative of each, others at random), searched "
        "with over all. The student embeds queries alone: passages keep the teacher's vectors"
    )
    version = 1
    stand_in = "nq-wiki"
    scale = "paper"
    also = ("success_1", "success_100", "mrr_10")
    references = {"teacher": "test"}
    students = {"student": "bag-of-words-256-1024.v1"}
    teachers = {"generator": "query-copynet-256-256-given.v1", "labeler": "sentence-transformers.v1"}
    own = frozenset({"generator", "labeler"})  # known by what they hold
    pca = tied = False
    collection: Given = PASSAGES
    kept = ("vectors of 21 million passages", 32.0)
    needs: tuple[Given, ...] = (PASSAGES, TRAIN, DEV, TEST, TEACHER)
    sizes = {
        "paper": Size(
            budget=58_880, budgets=(2_500, 10_000, 58_880), steps=18_400, batch=128, generator_steps=20_000, trials=8
        )
    }

    def __init__(self) -> None:
        Task.__init__(self)

    @classmethod
    def all(cls) -> list[Task]:
        return [cls()]

    def data(self) -> SearchedExamples:
        from benchmarks.networks.given_encoder import Vocabulary, token_ids

        passages, model = dpr.Passages(self.collection.need()), _model()
        train, dev = (_kept(passages, dpr.trained(given.need())) for given in (TRAIN, DEV))
        dev, test = dev[:VALIDATION], dpr.asked(TEST.need())
        pool = len(train + dev)
        own = passages.numbers_of(np.array([one.positive[0] for one in train + dev]))
        hard = passages.numbers_of(np.array([one.hard[0] for one in train if one.hard], np.int64))
        taught = _taught(own, hard[hard >= 0], len(passages))
        texts = tuple(f"{title}. {text}" for title, text in passages.read(taught))
        words = token_ids(model, texts, PASSAGE_LENGTH)
        queries = token_ids(model, [one.text for one in train + dev + test], LENGTH)
        vocabulary = Vocabulary(model, words, queries[: len(train)])
        tokens, question = vocabulary.of(queries), np.arange(len(queries))[:, None]
        return SearchedExamples(
            pool_inputs=tokens[:pool],
            pool_labels=np.searchsorted(taught, own),
            validation=np.arange(len(train), pool),
            test_inputs=tokens[pool:],
            test_labels=question[pool:],
            class_names=tuple(map(str, taught)),
            vocabulary=vocabulary.ids,
            passages=vocabulary.of(words),
            passage_texts=texts,
            test_texts=tuple(one.text for one in test),
            pool_relevant=question[:pool],
            searched=passages,
            taught=taught,
            collection=np.frombuffer(bytes.fromhex(passages.sha256), np.uint8),
            answers=pack([json.dumps(one.answers) for one in train + dev + test]),
        )

    def student(self, classes: int) -> nn.Module:
        from benchmarks.networks.retrieval import BagTower, QueryStudent

        vectors = self._vectors()
        return QueryStudent(BagTower(len(self._vocabulary()), vectors.shape[1], 256, 1024), vectors)

    def teacher(self, classes: int) -> tuple[nn.Module, nn.Module]:
        from benchmarks.networks.given_encoder import GivenEncoder, GivenQueryGenerator
        from benchmarks.networks.retrieval import DenseLabeler
        from benchmarks.teachers.own import content_of

        vocabulary, vectors = self._vocabulary(), self._vectors()
        encoder = GivenEncoder(vocabulary, _model())
        labeler = DenseLabeler(vocabulary, vectors, encoder).eval()
        width = min(256, vectors.shape[1])
        generator = GivenQueryGenerator(
            content_of(labeler), vocabulary, vectors, self._passages(), LENGTH, width, 256, width // 2, encoder
        )
        return generator, labeler

    def fits(self) -> dict[str, Callable[..., dict[str, Any]]]:
        from benchmarks.teachers.retrieval import fit_generator

        return {"generator": fit_generator}

    def ranks(self, module: Any, inputs: Samples) -> np.ndarray:
        """First passages (N, 100) of all, for queries that a student or a labeler embeds."""
        import torch

        from benchmarks.metrics.ranking import search

        device = next(tensor.device for tensor in module.parameters())
        with torch.no_grad():
            return search(
                torch.cat([module.embed(part.to(device)) for part in self.tensor(inputs).split(512)]), self._shards()
            )

    def judge(self, logits: Any, labels: np.ndarray, examples: Any, counts: np.ndarray) -> dict[str, Any]:
        """Metrics of ranks (N, K): of what is right among them, for nobody knows of all passages which are."""
        from benchmarks.metrics.ranking import first_hits

        return first_hits(self._right(logits, labels))

    def hits(self, logits: Any, labels: np.ndarray) -> np.ndarray:
        return np.asarray(self._right(logits, labels)[:, :20].any(1))

    def readable(self, tokens: np.ndarray) -> str:
        return _model().tokenizer.decode(self._vocabulary()[tokens[tokens != 0]])

    def _examples(self) -> SearchedExamples:
        found = self.examples()
        assert isinstance(found, SearchedExamples)
        return found

    def _right(self, ranked: np.ndarray, labels: np.ndarray) -> np.ndarray:
        found = self._examples()
        answers = unpack(found.answers)
        wanted = [json.loads(answers[number]) for number in labels[:, 0]]
        return holding(ranked, wanted, lambda number: found.searched.read([number])[0][1])

    def _vectors(self) -> torch.Tensor:
        """The teacher's vectors of the taught passages (L, d)."""
        import torch

        taught, shards = self._examples().taught, self._shards()
        parts = np.split(taught, np.searchsorted(taught, SHARD * np.arange(1, len(shards))))
        rows = [np.load(path, mmap_mode="r")[part % SHARD] for path, part in zip(shards, parts, strict=True)]
        return torch.from_numpy(np.concatenate(rows)).float()

    def _shards(self) -> list[Path]:
        """Files of the teacher's vectors of all passages (n, d), float16; made once, on a GPU where there is one."""
        import torch

        searched, device = self._examples().searched, "cuda" if torch.cuda.is_available() else "cpu"
        model = cache(_model)  # loaded once, if there is something to embed

        def vectors(first: int) -> np.ndarray:
            rows = searched.read(range(first, min(first + SHARD, len(searched))))
            texts = [f"{title}. {text}" for title, text in rows]
            return model().encode(texts, batch_size=256, device=device, normalize_embeddings=True).astype(np.float16)

        files = sorted(path for path in TEACHER.need().rglob("*") if path.suffix in (".safetensors", ".json", ".txt"))
        key = digest([searched.sha256, VERSION, *map(kept.found, files)])[:16]
        folder, starts = paths.cache() / "teachers", range(0, len(searched), SHARD)
        return [
            kept.array(folder / f"vectors-{key}-{i:04d}.npy", partial(vectors, first), Path.exists)
            for i, first in enumerate(starts)
        ]


class NqSeen(Nq):
    name = "nq-seen"
    title = "Natural Questions over the articles that it asks about"
    note = (
        "As nq, over the 1,642,855 passages of the 78,050 articles that the original Natural Questions pair with a "
        "question: the subset of the EfficientQA baselines, which is made by their script. Questions whose own "
        "passage is not among them are left out of training and validation; all 3,610 are tested"
    )
    collection = SEEN
    kept = ("vectors of 1.6 million passages", 2.5)
    needs = (SEEN, TRAIN, DEV, TEST, TEACHER)


class NqBart(Nq):
    name = "nq-bart"
    title = "Natural Questions over Wikipedia, BART as generator"
    note = (
        "As nq, with BART in the place of a generator that is trained here; the teacher has to read BART's BPE, as "
        "all-distilroberta-v1 does. Queries are explored around queries alone"
    )
    teachers = {"labeler": "sentence-transformers.v1"}
    needs = (PASSAGES, TRAIN, DEV, TEST, TEACHER, MODELS[0])

    def teacher(self, classes: int) -> tuple[nn.Module, nn.Module]:
        import torch

        from benchmarks.networks.given_encoder import GivenEncoder, GivenWriter, framed
        from benchmarks.networks.retrieval import DenseLabeler
        from tgt.hub_text import denoising_generator

        model, folder, tokens = _model(), MODELS[0].need(), self._vocabulary()
        bpe = _bpe(folder, model)
        asked = self.tensor(self.examples().pool_inputs[:_SPREAD])
        texts = framed(torch.from_numpy(tokens.astype(np.int64))[asked], asked != PAD, bpe)
        writer = denoising_generator(str(folder), bpe, texts)
        return GivenWriter(writer, tokens), DenseLabeler(tokens, self._vectors(), GivenEncoder(tokens, model)).eval()

    def fits(self) -> dict[str, Callable[..., dict[str, Any]]]:
        return {}


def _bpe(folder: Path, model: Any) -> Any:
    """What a denoising model's tokens are. Raises BadInput where the teacher reads others."""
    if (found := bpe_of(folder)).get_vocab() != model.tokenizer.get_vocab():
        raise BadInput(f"the teacher reads other words than {folder} has: a gradient could not pass between them")
    return vocabulary_of(found)


def _model() -> Any:
    from tgt.hub import sentence_transformer

    return sentence_transformer(str(TEACHER.need()))


def _kept(passages: dpr.Passages, questions: Iterable[dpr.Question]) -> list[dpr.Question]:
    """Questions whose own passage, which is the first positive one as in DPR's training, is there."""
    found = list(questions)
    there = passages.numbers_of(np.array([one.positive[0] for one in found], np.int64)) >= 0
    return [one for one, known in zip(found, there, strict=True) if known]


def _taught(own: np.ndarray, hard: np.ndarray, count: int) -> np.ndarray:
    """Numbers of passages to teach over, rising: of `count` the questions' own, then hard ones, then any."""
    others = np.random.default_rng(seed_of("taught", count)).choice(count, min(count, TAUGHT), replace=False)
    wanted = np.concatenate([own, hard, others])
    first = np.sort(np.unique(wanted, return_index=True)[1])
    return np.sort(wanted[first[:TAUGHT]])
