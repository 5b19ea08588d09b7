"""Text classification at the paper's size: reviews and pairs of sentences, BART as generator, RoBERTa as labeler.

Generator, labeler and students read one BPE. Which models and settings the paper had is not known: these models are
recalled, all numbers are this suite's (docs/paper.md).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.core.errors import BadInput, in_a_line
from benchmarks.core.fingerprint import seed_of
from benchmarks.data.given import Given
from benchmarks.data.splits import Profile
from benchmarks.task import HELD_OUT, Examples, Size
from benchmarks.tasks.texts import TextTask, drop_words

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from torch import nn

    from tgt.vocabulary import Vocabulary

# Revisions of the hub that folders are expected to hold.
BART_REVISION = "aadd2ab0ae0c8268c7c9693540e9904811f36177"
DISTILROBERTA_REVISION = "fb53ab8802853c8e4fbdbcd0529f21fc6f459b2b"
ROBERTA_REVISION = "e2da8e2f811d1448a5b465c236feacd80ffbac7b"
ROBERTA_MNLI_REVISION = "2a8f12d27941090092df78e4ba6f0928eb5eac98"
YELP_REVISION = "c1f9ee939b7d05667af864ee1cb066393154bf85"
IMDB_REVISION = "e6281661ce1c48d982bc483cf8a173c1bbeb5d31"
GLUE_REVISION = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"

VALIDATION = 10_000  # training samples at most that are set aside to choose hyper-parameters
_SPREAD = 64  # training texts that the latents' spread is measured on


def _of_hub(name: str, revision: str, path: str, terms: str, gigabytes: float, kind: str = "") -> Given:
    return Given(path, f"hf download {name}{kind} --revision {revision} --local-dir DIR/{path}", terms, gigabytes)


def _labeler(name: str) -> Given:
    made = "fine-tuned on all training samples, its own save_pretrained with the tokenizer"
    return Given(
        f"models/labeler-{name}", f"FacebookAI/roberta-base at {ROBERTA_REVISION}, {made}", "MIT (the base model)", 0.5
    )


DATA = " --repo-type dataset"
MODELS = (
    _of_hub("facebook/bart-base", BART_REVISION, "models/bart-base", "Apache-2.0", 0.6),
    _of_hub("distilbert/distilroberta-base", DISTILROBERTA_REVISION, "models/distilroberta-base", "Apache-2.0", 0.3),
)


def bpe_of(folder: Path) -> Tokenizer:
    """A model's tokenizer. Raises BadInput where its folder holds none."""
    from tokenizers import Tokenizer

    if not (file := folder / "tokenizer.json").exists():
        raise BadInput(f"{folder} holds no tokenizer.json")
    return Tokenizer.from_file(str(file))


def vocabulary_of(bpe: Tokenizer) -> Vocabulary:
    """What the tokens of BART's and RoBERTa's BPE are."""
    from tgt.vocabulary import Vocabulary

    numbers: list[Any] = [bpe.token_to_id(token) for token in ("<pad>", "<unk>", "<s>", "</s>", "<mask>")]
    return Vocabulary(*numbers)


def _size(count: int, *few: int) -> Size:
    """All labels, and a few of them; UDA (Xie et al. 2020), whose Amazon-5 and Yelp-5 these are, has 10,000 steps too.

    With all labels no validation sample would be left to search by: 10,000 stand in for them.
    """
    table = (*few, count)
    curve, searched = tuple(sorted({2500, 10_000, count})), (*few, 10_000)
    return Size(budget=table[0], budgets=curve, table=table, steps=10_000, batch=32, search_budgets=searched, trials=8)


class PaperText(TextTask):
    """Texts of files as a hub has them.

    Attributes:
        needs: the data, generator, student and labeler. inside: the folder of the files in that of the data.
        columns: of a text. pairs: these are two texts. length: tokens of a text. names: of the classes.
        tested: splits to test on, the first the main one; `tested_as` names the others.
    """

    scale = "paper"
    own = frozenset({"generator", "labeler"})
    profile = Profile("balanced")  # as the published sets are
    teachers = {}
    students = {"student": "distilroberta-random.v1", "pretrained": "distilroberta.v1"}
    defaults = {"lr": 1e-4, "sigma": 0.5, "step_size": 60.0}
    search = {"lr": [2e-5, 5e-5, 1e-4, 2e-4], "sigma": [0.25, 0.5, 1.0, 2.0], "step_size": [30.0, 60.0, 120.0, 240.0]}
    training = {"weight_decay": 1e-2, "warm_up": 0.1, "clip": 1.0}
    sigmas = (0.0, 0.25, 0.5, 1.0, 2.0)
    distances = (60.0, 120.0, 240.0, 480.0)
    inside: str = "."
    columns: tuple[str, ...] = ("text",)
    pairs: bool = False
    length: int = 256
    names: tuple[str, ...] = ("1 star", "2 stars", "3 stars", "4 stars", "5 stars")
    tested: dict[str, str] = {"": "test"}
    unlabelled: str = ""

    def corpus(self) -> Examples:
        """The published splits; of the training samples a tenth, at most `VALIDATION`, is for validation."""
        inputs, labels = self._read("train")
        order = np.random.default_rng(seed_of("validation", self.name)).permutation(len(labels))
        tests = {name: self._read(split) for name, split in self.tested.items()}
        return Examples(
            pool_inputs=inputs,
            pool_labels=labels,
            validation=np.sort(order[: max(min(int(HELD_OUT * len(labels)), VALIDATION), 1)]),
            test_inputs=tests[""][0],
            test_labels=tests.pop("")[1],
            class_names=self.names,
            extra_unlabelled=self._read(self.unlabelled, -1)[0] if self.unlabelled else None,
            other_tests=tests,
        )

    def _read(self, split: str, lowest: int = 0) -> tuple[np.ndarray, np.ndarray]:
        from benchmarks.data import hub_texts

        folder = self.needs[0].need() / self.inside
        return hub_texts.tokens(folder, split, self.columns, self._tokenizer, len(self.names), self.pairs, lowest)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        found = bpe_of(self._model("bart-base"))
        found.enable_truncation(self.length)
        found.enable_padding(pad_id=found.token_to_id("<pad>"), pad_token="<pad>", length=self.length)
        return found

    def _model(self, name: str) -> Path:
        """The folder of a model. Raises Unavailable without it, BadInput where its BPE is not the generator's."""
        found = next(one for one in self.needs if one.path == f"models/{name}").need()
        if name != "bart-base" and bpe_of(found).get_vocab() != self._tokenizer.get_vocab():
            raise BadInput(
                f"{found / 'tokenizer.json'} is another BPE than the generator's: "
                "a gradient could not pass between them"
            )
        return found

    def tokens(self) -> Vocabulary:
        return vocabulary_of(self._tokenizer)

    def augment(self, texts: torch.Tensor, rng: torch.Generator) -> torch.Tensor:  # type: ignore[override]
        return drop_words(texts, rng, vocabulary=self.tokens())

    def student(self, classes: int) -> nn.Module:
        return self._classifier("distilroberta-base", random=True)

    def pretrained(self, classes: int) -> nn.Module:
        return self._classifier("distilroberta-base", new_head=True)

    def teacher(self, classes: int) -> tuple[nn.Module, nn.Module]:
        from tgt.hub_text import denoising_generator

        labeler, found = self._classifier(Path(self.needs[-1].path).name), self.examples()
        seen = np.delete(np.arange(len(found.pool_labels)), found.validation)[:_SPREAD]
        texts = self.tensor(found.pool_inputs[seen])
        return self._load(denoising_generator, "bart-base", vocabulary=self.tokens(), texts=texts), labeler

    def _classifier(self, name: str, **more: Any) -> nn.Module:
        from tgt.hub_text import text_classifier

        return self._load(text_classifier, name, classes=self.names, **more)

    def _load(self, load: Callable[..., nn.Module], name: str, **more: Any) -> nn.Module:
        folder = self._model(name)
        try:
            return load(str(folder), **more)
        except (OSError, RuntimeError, ValueError) as error:
            raise BadInput(f"{folder} cannot serve: {in_a_line(error)}") from error

    def fits(self) -> dict[str, Any]:
        return {}

    def readable(self, tokens: np.ndarray) -> str:
        text = self._tokenizer.decode([int(token) for token in tokens], skip_special_tokens=False)
        return text.replace("<pad>", "").replace("<s>", "").replace("</s></s>", " | ").replace("</s>", "").strip()


class Amazon5(PaperText):
    name = "amazon-5"
    stand_in = "movie-5"
    title = "Amazon reviews, five stars"
    note = (
        "The paper's: Amazon reviews of Zhang et al. (2015), title and text: 3,000,000 of which 10,000 are for "
        "validation, 650,000 for testing, classes equally frequent"
    )
    sizes = {"paper": _size(3_000_000, 2500)}
    columns = ("title", "content")
    needs = (
        Given(
            "amazon_review_full_csv",
            "amazon_review_full_csv.tgz of Zhang, Zhao & LeCun 2015 (arXiv 1509.01626), unpacked: train.csv, test.csv",
            "no licence is named; cite McAuley & Leskovec 2013",
            1.8,
        ),
        *MODELS,
        _labeler("amazon-5"),
    )


class Yelp5(PaperText):
    name = "yelp-5"
    stand_in = "movie-5"
    title = "Yelp reviews, five stars"
    note = (
        "The paper's: Yelp reviews of Zhang et al. (2015): 650,000 of which 10,000 are for validation, 50,000 for "
        "testing, classes equally frequent"
    )
    sizes = {"paper": _size(650_000, 2500)}
    inside = "yelp_review_full"
    needs = (
        _of_hub("Yelp/yelp_review_full", YELP_REVISION, "yelp_review_full", "Yelp's dataset agreement", 0.3, DATA),
        *MODELS,
        _labeler("yelp-5"),
    )


class Imdb(PaperText):
    name = "imdb"
    stand_in = "amazon-food"
    title = "IMDB reviews, two classes"
    note = (
        "The paper's: film reviews of Maas et al. (2011): 25,000 of which 2,500 are for validation, 25,000 for "
        "testing, and 50,000 without a label, classes equally frequent"
    )
    sizes = {"paper": _size(25_000)}
    inside = "plain_text"
    names = ("negative", "positive")
    unlabelled = "unsupervised"
    needs = (
        _of_hub("stanfordnlp/imdb", IMDB_REVISION, "imdb", "no licence is named; cite Maas et al. 2011", 0.1, DATA),
        *MODELS,
        _labeler("imdb"),
    )


class Mnli(PaperText):
    name = "mnli"
    stand_in = "wiki-topic"
    title = "MNLI, three classes"
    note = (
        "The paper's: pairs of sentences of Williams et al. (2018): 392,702 of which 10,000 are for validation; tested "
        "on the 9,815 matched pairs of the published validation set, and beside them on the 9,832 mismatched ones"
    )
    sizes = {"paper": _size(392_702)}
    profile = Profile("natural")  # a few samples more of one class than of another
    inside = "mnli"
    columns = ("premise", "hypothesis")
    pairs = True
    length = 128
    names = ("entailment", "neutral", "contradiction")
    tested = {"": "validation_matched", "mismatched": "validation_mismatched"}
    needs = (
        _of_hub("nyu-mll/glue", GLUE_REVISION, "glue", "several licences: see MultiNLI's paper", 0.1, DATA),
        *MODELS,
        _of_hub("FacebookAI/roberta-large-mnli", ROBERTA_MNLI_REVISION, "models/roberta-large-mnli", "MIT", 1.4),
    )
