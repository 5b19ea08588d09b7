"""Text at the paper's size, on tiny files in the published formats and tiny untrained models of the real classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Value
from prepared import prepared
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from benchmarks import task as loaded
from benchmarks.commands.main import main
from benchmarks.core.errors import BadInput
from benchmarks.data.asset import Unavailable
from benchmarks.registry import tasks
from benchmarks.registry.methods import METHODS, rows_of
from benchmarks.runs import prior
from benchmarks.runs.execute import execute
from benchmarks.tasks.paper_texts import DATA, MODELS
from benchmarks.tasks.texts import drop_words
from benchmarks.teachers import own, store
from benchmarks.validation.toys import SENTENCES, rng
from tgt import Teacher, Vocabulary, ascend, freeze, isotropic, kl, one_hot
from tgt.hub_text import denoising_generator, text_classifier

NAMES = ("amazon-5", "yelp-5", "imdb", "mnli")
STARS = [f"{n} star{'s' if n > 1 else ''}" for n in range(1, 6)]
MNLI = ["entailment", "neutral", "contradiction"]
SMALL = {"pool": 8, "renew": 4, "every": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What a user brings, in the published layout, found by `$TGT_DATA`; what was read is forgotten at the end."""
    root = tmp_path_factory.mktemp("paper")
    _models(root / "models")
    words = [sentence.replace("the", "a", 1) for sentence in SENTENCES]
    reviews = [f"{one}.\\n\\n{other} indeed" for one, other in zip(SENTENCES, words, strict=True)]
    for split, texts in {"train": reviews, "test": words}.items():
        labels = [i % 5 for i in range(len(texts))]
        _parquet(root / f"yelp_review_full/yelp_review_full/{split}-00000-of-00001.parquet", STARS, labels, text=texts)
        lines = [f'"{y + 1}","a ""title""","{text}"' for y, text in zip(labels, texts, strict=True)]
        (root / "amazon_review_full_csv").mkdir(exist_ok=True)
        (root / f"amazon_review_full_csv/{split}.csv").write_text("\n".join(lines))
    for split, labels in {"train": [0, 1] * 20, "test": [0, 1] * 20, "unsupervised": [-1] * 40}.items():
        _parquet(root / f"imdb/plain_text/{split}-00000-of-00001.parquet", ["neg", "pos"], labels, text=reviews)
    for split in ("train", "validation_matched", "validation_mismatched"):
        columns = {"premise": SENTENCES, "hypothesis": words if split == "train" else words[::-1]}
        labels, path = [i % 3 for i in range(40)], root / f"glue/mnli/{split}-00000-of-00001.parquet"
        _parquet(path, MNLI, labels, **columns, idx=list(range(40)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TGT_DATA", str(root))
        patch.setenv("TGT_CACHE", str(root / "cache"))
        for name in NAMES:
            cls = type(tasks.get(name))
            patch.setattr(cls, "sizes", {"paper": replace(cls.sizes["paper"], batch=4)})
            patch.setattr(cls, "length", 24)
        yield root
    for name in NAMES:
        loaded._LOADED.pop(name, None)
        vars(tasks.get(name)).pop("_tokenizer", None)
        own.MADE.pop((name, "paper", 0), None)


def _parquet(path, names, labels, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds = {name: Value("int32" if name == "idx" else "string") for name in columns}
    Dataset.from_dict({**columns, "label": labels}, Features({**kinds, "label": ClassLabel(names=names)})).to_parquet(
        path
    )


def _models(root):
    from transformers import (
        BartConfig,
        BartModel,
        RobertaConfig,
        RobertaForMaskedLM,
        RobertaForSequenceClassification,
    )

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    bpe.train_from_iterator(
        SENTENCES,
        trainers.BpeTrainer(
            vocab_size=330,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    bpe.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    bpe.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    tokens = {"vocab_size": bpe.get_vocab_size(), "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    layers = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    read = {**tokens, **layers, "max_position_embeddings": 40, "type_vocab_size": 1}
    sides = {
        f"{side}_{part}": n
        for side in ("encoder", "decoder")
        for part, n in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 16))
    }
    written = {
        **tokens,
        **sides,
        "d_model": 16,
        "max_position_embeddings": 40,
        "decoder_start_token_id": 2,
        "init_std": 0.3,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = {
            "bart-base": BartModel(BartConfig(**written)),  # the published one is saved without its head too
            "distilroberta-base": RobertaForMaskedLM(RobertaConfig(**read)),
            **{
                f"labeler-{name}": RobertaForSequenceClassification(
                    RobertaConfig(**read, num_labels=n, initializer_range=0.5)
                )
                for name, n in {"amazon-5": 5, "yelp-5": 5, "imdb": 2}.items()
            },
            "roberta-large-mnli": RobertaForSequenceClassification(
                RobertaConfig(
                    **read, id2label={0: "CONTRADICTION", 1: "NEUTRAL", 2: "ENTAILMENT"}, initializer_range=0.5
                )
            ),
        }
    for name, model in made.items():
        model.save_pretrained(root / name)
        bpe.save(str(root / name / "tokenizer.json"))


@pytest.fixture
def mnli(folder):
    """(task, its generator, its labeler, pairs as tokens (8, 24))."""
    task = tasks.get("mnli").at("paper")
    parts = store.networks_of(task)
    return task, freeze(parts["generator"]), freeze(parts["labeler"]), task.tensor(task.examples().test_inputs[:8])


def separated(text):
    """Whether each row is `<s> ... </s></s> ... </s>` and padding behind it."""
    rows = [row[row != 1].tolist() for row in text]
    places = [[i for i, token in enumerate(row) if token == 2] for row in rows]
    return all(
        row[0] == 0 and at[1] == at[0] + 1 and at[2:] == [len(row) - 1] and (text[i, len(row) :] == 1).all()
        for i, (row, at) in enumerate(zip(rows, places, strict=True))
    )


def run_of(name, method, seed=0):
    of_it = METHODS[method].load()
    more = {key: value for key, value in SMALL.items() if hasattr(of_it.Config, key)}
    return prepared(name, "paper", 12, method, tuple(more.items()), seed=seed, steps=3)


@pytest.mark.parametrize("name", NAMES)
def test_published_files_are_read_as_they_are(folder, name):
    task = tasks.get(name).at("paper")
    found = task.examples()
    assert (len(found.pool_labels), len(found.validation), len(found.test_labels)) == (40, 4, 40)
    assert found.pool_inputs.dtype == np.uint16
    assert found.pool_labels[:6].tolist() == [i % found.classes for i in range(6)]
    assert (found.extra_unlabelled is not None) == (name == "imdb")
    assert list(found.other_tests) == (["mismatched"] if name == "mnli" else [])
    first = {
        "amazon-5": 'a "title" he likes the film.  he likes', "mnli": "he likes the film | he likes a film",
    }.get(name, "he likes the film.  he likes a film")  # fmt: skip
    assert task.readable(found.pool_inputs[0]).startswith(first)


@pytest.mark.parametrize("name", NAMES)
def test_the_published_classes_give_all_budgets(name):
    task, classes = tasks.get(name), {"amazon-5": [600_000] * 5, "yelp-5": [130_000] * 5, "imdb": [12_500] * 2}
    counts = np.array(classes.get(name, [130_899, 130_900, 130_903]))
    budgets = type(task).sizes["paper"].budgets
    assert budgets[-1] == counts.sum()
    for budget in budgets:
        assert 0.9 * budget < task.profile.counts(counts, budget).sum() <= budget


@pytest.mark.parametrize("name", ["yelp-5", "mnli"])
def test_every_row_that_fits_takes_three_steps(folder, name):
    task = tasks.get(name).at("paper")
    rows = prior.fitting(rows_of(task), task)
    assert set(rows_of(task)) - set(rows) == {"prior-sampling-pool", "prior-only-pool", "mate-kd-pool"}
    for row in rows if name == "mnli" else ("pretrained-one-hot", "tgt-gradient-pool"):
        run = run_of(name, row)
        record = execute(run)
        assert record.status == "ok", f"{row}: {record.reason}"
        assert np.isfinite([value for value in record.metrics.values() if value is not None]).all()
        assert ("mismatched_accuracy" in record.metrics) == (name == "mnli")
        assert (record.costs["gradient_evaluations"] > 0) == (row == "tgt-gradient-pool"), row
        assert run.identity["student"] == task.students[METHODS[row].student]
        assert str(folder) not in record.model_dump_json()


def test_with_all_files_a_plan_is_good_and_a_dry_run_takes_them(folder, tmp_path, capsys):
    assert main(["table2", "--size", "paper", "--plan"]) == 0
    assert "cannot run" not in capsys.readouterr().out
    words = ["--tasks", "mnli,imdb", "--methods", "distillation", "--budgets", "12", "--jobs", "1"]
    assert main(["table2", "--size", "paper", "--dry-run", "2", "--results", str(tmp_path / "r"), *words]) == 0
    told = capsys.readouterr().out
    assert "2 cells of 2 steps" in told
    assert "stands in" not in told
    assert not (tmp_path / "r").exists()


def test_a_gradient_reaches_the_latent_through_the_words_alone(mnli):
    task, generator, labeler, text = mnli
    latents = isotropic(generator.encode(text), 0.5, rng()).requires_grad_()
    student = task.student(3).eval()
    decoded = Teacher(generator, labeler).decode(latents)
    kl(student(decoded), labeler(decoded)).sum().backward()
    places = generator.layout(latents) > 0
    assert (latents.grad[..., :-3][places].abs().sum(-1) > 0).all()
    assert not latents.grad[..., :-3][~places].any()
    assert not latents.grad[..., -3:].any()


def test_decoded_pairs_keep_their_separators(mnli):
    _, generator, _, text = mnli
    assert separated(text)
    for sigma in (0.0, 1.0, 5.0):
        latents = isotropic(generator.encode(text), sigma, rng())
        written = generator.decode(latents)
        assert separated(written), written
        assert (written != 1).sum(1).le((text != 1).sum(1)).all()
        assert not torch.isin(written[:, 1:], torch.tensor([0, 3])).any()
        mixed = generator.decode(0.6 * latents + 0.4 * latents.flip(0))
        assert separated(mixed)


def test_words_are_those_of_greedy_generation(folder):
    """Of one text, as `generate` of transformers writes it under the same bounds."""
    task = tasks.get("yelp-5").at("paper")
    generator = freeze(store.networks_of(task)["generator"])
    text = task.tensor(task.examples().test_inputs[:6])
    found = generator.decode(generator.encode(text))
    for row, written in zip(text, found, strict=True):
        row = row[row != 1][None]
        theirs = generator.model.generate(
            row, num_beams=1, do_sample=False, max_length=row.shape[1] + 1, forced_bos_token_id=0,
            forced_eos_token_id=2, bad_words_ids=[[0], [1], [3], [generator.vocabulary.mask]],
        )[0, 1:]  # fmt: skip
        assert written[written != 1].tolist() == theirs.tolist()


def test_soft_tokens_are_read_as_hard_ones_are(mnli):
    task, generator, labeler, text = mnli
    latents = isotropic(generator.encode(text), 1.0, rng())
    hard, soft = generator.decode(latents), generator.decode(latents.requires_grad_())
    assert soft.dtype == torch.float32
    assert soft.argmax(-1).equal(hard[:, : soft.shape[1]])
    for reader in (labeler, task.student(3).eval(), task.pretrained(3).eval()):
        torch.testing.assert_close(reader(soft), reader(hard), atol=1e-5, rtol=1e-5)
    dropped = drop_words(text, rng(), 0.5, task.tokens())  # padding between words
    rows = one_hot(dropped, soft.new_zeros(*text.shape, soft.shape[2]))
    torch.testing.assert_close(labeler(rows), labeler(dropped), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(labeler.model(dropped, (dropped != 1).long()).logits[:, [2, 1, 0]], labeler(dropped))


def test_ascent_in_micro_batches_is_the_whole(mnli):
    task, generator, labeler, text = mnli
    student, start = task.student(3).eval(), isotropic(generator.encode(text), 0.5, rng())

    def disagreement(points):
        decoded = generator.decode(points)
        return kl(student(decoded), labeler(decoded))

    whole = ascend(start, disagreement, 2, 3.0)
    assert not whole.equal(start)
    for size in (1, 3, 8):
        torch.testing.assert_close(ascend(start, disagreement, 2, 3.0, micro_batch=size), whole, atol=1e-4, rtol=1e-4)


def test_a_vocabulary_knows_what_a_change_may_touch():
    text = torch.tensor([[0, 5, 3, 2, 2, 6, 2, 1]])
    bpe = Vocabulary(padding=1, unknown=3, begin=0, end=2)
    assert bpe.inside(text).tolist() == [[False, True, True, False, False, True, False, False]]
    assert bpe.words(text).tolist() == [[False, True, False, False, False, True, False, False]]
    assert drop_words(text, rng(), 1.0, bpe).tolist() == [[0, 1, 1, 2, 2, 1, 2, 1]]
    assert drop_words(text, rng(), 1.0).tolist() == [[0] * 8]


def test_what_is_missing_or_wrong_is_told_in_a_line(folder, tmp_path, monkeypatch):
    from benchmarks.data import hub_texts

    bpe = tasks.get("yelp-5")._tokenizer
    with pytest.raises(Unavailable, match=r"holds no train-\*.parquet"):
        hub_texts.tokens(tmp_path, "train", ("text",), bpe, 5)
    (tmp_path / "train-0.parquet").write_bytes(b"no parquet")
    with pytest.raises(BadInput, match="train cannot be read"):
        hub_texts.tokens(tmp_path, "train", ("text",), bpe, 5)
    yelp = folder / "yelp_review_full/yelp_review_full"
    with pytest.raises(BadInput, match="train has no premise; it has text, label"):
        hub_texts.tokens(yelp, "train", ("premise",), bpe, 5)
    with pytest.raises(BadInput, match="row 3 of train has label 3, of 3 classes"):
        hub_texts.tokens(yelp, "train", ("text",), bpe, 3)
    with pytest.raises(ValueError, match="the revision must be given"):
        text_classifier("FacebookAI/roberta-base", "main")
    with pytest.raises(ValueError, match=r"lacks 4 weights of a Roberta.*, such as classifier.dense.bias"):
        text_classifier(str(folder / "models/distilroberta-base"), classes=STARS)
    monkeypatch.setenv("TGT_DATA", str(tmp_path))
    with pytest.raises(Unavailable, match=r"models/labeler-imdb \(from FacebookAI/roberta-base at [0-9a-f]{40}"):
        tasks.get("imdb").teacher(2)
    assert all(" --revision " in one.source for one in MODELS)
    assert DATA in tasks.get("mnli").needs[0].source


def test_a_model_is_its_weights_wherever_it_lies(folder, tmp_path):
    import shutil

    task = tasks.get("mnli").at("paper")
    shutil.copytree(folder / "models/bart-base", tmp_path / "elsewhere")
    text, vocabulary = task.tensor(task.examples().test_inputs[:8]), task.tokens()
    one, other = (
        own.content_of(denoising_generator(str(place), vocabulary, text))
        for place in (folder / "models/bart-base", tmp_path / "elsewhere")
    )
    assert one == other
