"""Retrieval at the paper's size: files exactly as published, tiny models of the real classes, search in shards."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from prepared import prepared
from safetensors.torch import load_file
from torch.nn import functional as F

from benchmarks import task as tasks_module
from benchmarks.commands.main import main
from benchmarks.core.errors import BadInput
from benchmarks.data import dpr
from benchmarks.data.asset import Unavailable
from benchmarks.networks.given_encoder import GivenEncoder, framed
from benchmarks.networks.text import present
from benchmarks.registry import tasks
from benchmarks.registry.methods import rows_of
from benchmarks.runs import handover, prior
from benchmarks.runs.execute import execute, teacher_and_data
from benchmarks.tasks import nq
from benchmarks.teachers import own, store
from benchmarks.validation.toys import rng, seeded
from tgt import Costs, hub

WORDS = [f"{a}{b}" for a in ("ba", "ne", "ri", "so", "tu") for b in ("la", "mo", "pi", "re", "st", "ul")]
PASSAGES = 40


# --- DPR's files --------------------------------------------------------------------------------------------------


def _passage(number):
    source = np.random.default_rng(number)
    return " ".join(source.choice(WORDS, 12)), f"Title {WORDS[number % len(WORDS)]}"


def _context(number):
    text, title = _passage(number)
    return {"title": title, "text": text, "score": 1000.0, "title_score": 1, "passage_id": str(number + 1)}


def _teacher(folder):
    """A tiny MPNet with pooling and normalisation, in the format of sentence-transformers."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.sentence_transformer import modules
    from transformers import MPNetConfig, MPNetModel, MPNetTokenizer

    raw = folder.parent / "raw"
    raw.mkdir(parents=True)
    vocabulary = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>", ".", "title", "what", "is", *WORDS]
    (raw / "vocab.txt").write_text("\n".join(vocabulary))
    tokenizer = MPNetTokenizer(vocab={word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]")
    config = MPNetConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=160,
    )  # fmt: skip
    seeded(lambda: MPNetModel(config, add_pooling_layer=False), 0).save_pretrained(raw)
    tokenizer.save_pretrained(raw)
    body = Transformer(str(raw), max_seq_length=150)
    model = SentenceTransformer(modules=[body, modules.Pooling(32), Normalize()], device="cpu")
    model.save(str(folder))


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A folder of data with DPR's files, as published."""
    root = tmp_path_factory.mktemp("given")
    folder = root / "nq"
    folder.mkdir()
    for name, wanted in (("psgs_w100.tsv", range(PASSAGES)), ("psgs_w100_subset.tsv", range(0, PASSAGES, 2))):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file, delimiter="\t", lineterminator="\n")
            lines.writerow(["id", "text", "title"])
            for number in wanted:
                text, title = _passage(number)
                lines.writerow([number + 1, f'the "{text}' if number == 4 else text, title])
    for name, first, count in (("train", 0, 24), ("dev", 24, 8)):
        questions = []
        for number in range(first, first + count):
            text = _passage(number)[0]
            question = {
                "dataset": f"nq_{name}_psgs_w100", "question": f"what is {' '.join(text.split()[2:5])}\u2019s",
                "answers": [" ".join(text.split()[:2])],
                "positive_ctxs": [_context(number), _context(number + 1)] if number % 7 else [],
                "negative_ctxs": [_context((number + 5) % PASSAGES)],
                "hard_negative_ctxs": [_context((number + 9) % PASSAGES)] if number % 5 else [],
            }  # fmt: skip
            questions.append(question)
        (folder / f"biencoder-nq-{name}.json").write_text(json.dumps(questions, indent=4))
    with (folder / "nq-test.qa.csv").open("w", newline="", encoding="utf-8") as file:
        for number in range(30, PASSAGES):
            words = _passage(number)[0].split()
            answers = [" ".join(words[:2]), "it's none"]
            csv.writer(file, delimiter="\t", lineterminator="\n").writerow([f"what is {words[5]}", answers])
    _teacher(folder / "teacher")
    return root


@pytest.fixture
def paper(given, tmp_path, monkeypatch):
    """Natural Questions at a size of three steps, over the tiny files."""
    monkeypatch.setenv("TGT_DATA", str(given))
    monkeypatch.setenv("TGT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(nq, "SHARD", 16)
    monkeypatch.setattr(nq, "TAUGHT", 30)
    forgotten = {"nq", "nq-seen", "nq-bart"}
    tiny = nq.Nq.sizes["paper"]
    tiny = replace(
        tiny, budget=12, budgets=(12,), steps=3, batch=4, generator_steps=3, defaults={"pool": 8, "renew": 2}
    )
    for name in forgotten:
        monkeypatch.setattr(tasks.get(name), "sizes", {"paper": tiny})
    yield tasks.get("nq")
    for name in forgotten:
        tasks_module._LOADED.pop(name, None)
    for key in [key for key in own.MADE if key[0] in forgotten]:
        del own.MADE[key]
    _forget()


def _forget():
    from benchmarks.runs import diagnose, run
    from benchmarks.teachers import recipe

    for cached in (run._split, run._data_sha256):
        cached.cache_clear()
    for key in [key for key in recipe._HASHES if key[0].startswith("nq")]:
        del recipe._HASHES[key]
    diagnose._HELD_OUT.clear()


def test_passages_are_read_line_by_line_as_dpr_reads_them(given, tmp_path, monkeypatch):
    monkeypatch.setenv("TGT_CACHE", str(tmp_path))
    passages = dpr.Passages(given / "nq" / "psgs_w100.tsv")
    assert len(passages) == PASSAGES
    text, title = _passage(7)
    assert passages.read([7]) == [(title, text)]
    assert passages.read([4])[0][1] == f'the "{_passage(4)[0]}'
    with (given / "nq" / "psgs_w100.tsv").open() as file:
        wanted = [(row[2], row[1]) for row in csv.reader(file, delimiter="\t")][1:]
    assert passages.read(range(PASSAGES)) == wanted
    assert dpr.Passages(given / "nq" / "psgs_w100.tsv").sha256 == passages.sha256  # from the cache
    subset = dpr.Passages(given / "nq" / "psgs_w100_subset.tsv")
    assert subset.numbers_of(np.array([1, 3, 2, 39, 99])).tolist() == [0, 1, -1, 19, -1]
    (tmp_path / "torn.tsv").write_text("id\ttext\ttitle\n1\tone\tOne\n2\tno title\n")
    with pytest.raises(BadInput, match="line 3 is no id, text and title"):
        dpr.Passages(tmp_path / "torn.tsv")


def test_questions_are_read_as_dpr_keeps_them_and_one_at_a_time(given, tmp_path, monkeypatch):
    monkeypatch.setattr(dpr, "_CHUNK", 100)  # less than a question
    found = list(dpr.trained(given / "nq" / "biencoder-nq-train.json"))
    assert len(found) == 20  # four have no positive passage
    assert found[0].positive == (2, 3)
    assert found[0].hard == (11,)
    assert found[0].text.endswith("'s")
    assert dpr.asked(given / "nq" / "nq-test.qa.csv")[0].answers == (" ".join(_passage(30)[0].split()[:2]), "it's none")
    whole = (given / "nq" / "biencoder-nq-train.json").read_text()
    (tmp_path / "cut.json").write_text(whole[:-30])
    with pytest.raises(BadInput, match="breaks off"):
        list(dpr.trained(tmp_path / "cut.json"))
    (tmp_path / "other.json").write_text('[{"question": "who"}]')
    with pytest.raises(BadInput, match="question 0 is not in DPR's format: KeyError 'positive_ctxs'"):
        list(dpr.trained(tmp_path / "other.json"))
    (tmp_path / "other.csv").write_text("who\tnobody\n")
    with pytest.raises(BadInput, match="row 1 is no question"):
        dpr.asked(tmp_path / "other.csv")


# --- the teacher --------------------------------------------------------------------------------------------------


def test_a_given_encoder_is_the_model_itself_and_soft_tokens_are_the_hard_ones(paper):
    examples, model = paper.examples(), nq._model()
    encoder = GivenEncoder(examples.vocabulary, model).eval()
    tokens = paper.tensor(examples.passages[:5])
    with torch.no_grad():
        ours = encoder(tokens)
        soft = encoder(F.one_hot(tokens, len(examples.vocabulary)).float())
    theirs = torch.from_numpy(nq._model().encode(list(examples.passage_texts[:5])))
    assert torch.allclose(ours, theirs, atol=5e-3)  # in bfloat16 where the processor has it
    assert torch.allclose(ours, soft, atol=5e-3)
    assert present(tokens).sum() < tokens.numel()
    assert torch.allclose(paper._vectors()[:5], theirs, atol=1e-3)


def test_only_safetensors_of_a_known_revision_without_prompts_or_code_are_read(given, tmp_path):
    with pytest.raises(ValueError, match="the revision must be given"):
        hub.sentence_transformer("sentence-transformers/multi-qa-mpnet-base-cos-v1", "main")
    folder = shutil.copytree(given / "nq" / "teacher", tmp_path / "teacher")
    own_code = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(
        json.dumps([*own_code, {"idx": 3, "name": "3", "path": "", "type": "evil.Module"}])
    )
    with pytest.raises(ValueError, match="not part of Sentence Transformers"):
        hub.sentence_transformer(str(folder))
    (folder / "modules.json").write_text(json.dumps(own_code))
    config = json.loads((folder / "config_sentence_transformers.json").read_text())
    (folder / "config_sentence_transformers.json").write_text(json.dumps({**config, "prompts": {"query": "query: "}}))
    with pytest.raises(ValueError, match="prompts"):
        hub.sentence_transformer(str(folder))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"no model\.safetensors beside it"):
        hub.sentence_transformer(str(folder))


# --- the tasks ----------------------------------------------------------------------------------------------------


def test_without_files_it_says_which_and_from_where(tmp_path, monkeypatch):
    monkeypatch.setenv("TGT_DATA", str(tmp_path))
    with pytest.raises(Unavailable, match=r"there is no .*psgs_w100.tsv \(from dl.fbaipublicfiles.com/dpr"):
        tasks.get("nq").data()


def test_what_is_taught_is_a_part_of_what_is_searched(paper):
    found = paper.examples()
    assert len(found.taught) == 30
    assert len(found.pool_labels) == 27
    assert len(found.validation) == 7
    first = found.taught[found.pool_labels[0]]
    assert first == 1  # the first question's own passage, in all
    assert found.passage_texts[found.pool_labels[0]] == f"{_passage(1)[1]}. {_passage(1)[0]}"
    ranked = np.array([[30 + i, 0] for i in range(10)])
    assert paper.hits(ranked, found.test_labels).all()
    scores = paper.judge(ranked[:, ::-1], found.test_labels, found, np.zeros(30))
    assert scores == {"success_1": 0.0, "success_20": 1.0, "success_100": 1.0, "mrr_10": 0.5}
    assert paper.readable(np.asarray(found.test_inputs[0])).startswith("what is")
    assert tasks.get("nq-seen").examples().searched.sha256 != found.searched.sha256


def test_every_row_takes_three_steps(paper):
    from benchmarks.registry.experiments import EXPERIMENTS

    for method in EXPERIMENTS["table3"].methods(paper):
        record = execute(prepared(paper.name, "paper", 12, method))
        assert record.status == "ok", record.reason
        assert set(record.metrics) == {"success_1", "success_20", "success_100", "mrr_10"}
        assert all(np.isfinite(list(record.metrics.values())))
        assert len(record.hits) > 0
        assert record.costs["student_samples"] > 0
        assert record.teachers["labeler"]["metrics"]["test"].keys() == record.metrics.keys()
    assert set(rows_of(paper)) >= {"one-hot", "distillation", "tgt-random-pool", "tgt-gradient-pool"}
    assert "tgt-gradient-pool" in EXPERIMENTS["table3"].methods(paper)


def test_with_all_files_a_plan_is_good_and_a_dry_run_takes_them(paper, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert main(["table3", "--size", "paper", "--plan"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "cannot run" not in told
    assert "vectors" in told
    words = ["--methods", "distillation,tgt-gradient-pool", "--budgets", "12", "--jobs", "1"]
    assert main(["table3", "--size", "paper", "--dry-run", "2", "--results", str(tmp_path / "r"), *words]) == 0
    told = capsys.readouterr().out
    assert "2 cells of 2 steps" in told
    assert "stands in" not in told
    assert "hf_secret" not in told + "".join(p.read_text() for p in (tmp_path / "cache").rglob("*.json"))
    assert not (tmp_path / "r").exists()


def test_a_gradient_reaches_the_latent_through_student_and_labeler(paper):
    run = prepared(paper.name, "paper", 12, "tgt-gradient-pool")
    data = teacher_and_data(run, Costs())
    student = seeded(lambda: paper.student(30), 0)
    for network in (student, data.teacher.label):
        latents = data.latents[:4].clone().requires_grad_()
        decoded = data.teacher.decode(latents)
        (network(decoded).square().sum()).backward()
        assert latents.grad.abs().sum(1).min() > 0
    assert all(parameter.grad is None for parameter in data.teacher.labeler.parameters())


def test_given_networks_are_known_by_content_and_never_copied(paper, given, tmp_path, monkeypatch):
    run = prepared(paper.name, "paper", 12, "distillation")
    saved = load_file(run.recipes["generator"].path)
    assert not any(name.startswith(("encoder", "passages")) for name in saved)
    assert load_file(run.recipes["labeler"].path) == {}
    assert handover.pickled()  # for other processes
    known = run.key
    moved = shutil.copytree(given, tmp_path / "moved")
    monkeypatch.setenv("TGT_DATA", str(moved))
    own.MADE.clear()
    tasks_module._LOADED.pop("nq")
    _forget()
    again = prepared(paper.name, "paper", 12, "distillation")
    assert again.key == known
    latents = torch.randn(3, 32, generator=rng())
    made = [store.load(one.task, *one.recipes.values())["generator"].decode(latents) for one in (run, again)]
    assert made[0].equal(made[1])


def test_bart_writes_the_queries_where_the_teacher_reads_its_words(paper, given, tmp_path, monkeypatch):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.sentence_transformer import modules
    from test_paper_text import _models
    from transformers import PreTrainedTokenizerFast

    root = tmp_path / "bpe"
    _models(root / "models")
    shutil.copytree(given / "nq", root / "nq", ignore=shutil.ignore_patterns("teacher"))
    with pytest.raises(BadInput, match=r"the teacher reads other words than .*bart-base"):
        nq._bpe(root / "models" / "bart-base", nq._model())
    raw = root / "models" / "distilroberta-base"
    special = {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_file=str(raw / "tokenizer.json"), **special).save_pretrained(raw)
    body = Transformer(str(raw), max_seq_length=36)
    parts = [body, modules.Pooling(16), Normalize()]
    SentenceTransformer(modules=parts, device="cpu").save(str(root / "nq" / "teacher"))
    monkeypatch.setenv("TGT_DATA", str(root))
    for method in ("one-hot", "distillation", "tgt-random-pool", "tgt-gradient-pool"):
        run = prepared("nq-bart", "paper", 12, method, (("every", 1),) if "pool" in method else ())
        record = execute(run)
        assert record.status == "ok", record.reason
        assert (record.costs["gradient_evaluations"] > 0) == (method == "tgt-gradient-pool")
    task = run.task
    assert prior.unfit("prior-sampling-pool", task)
    generator, labeler = store.networks_of(task).values()
    texts = task.tensor(task.examples().pool_inputs[:6])
    assert generator.writer.model.config.vocab_size > len(task.examples().vocabulary)
    bpe, mask = generator.writer.vocabulary, texts != 0
    whole = framed(generator.ids[texts], mask, bpe)
    assert (whole == bpe.end).sum(1).tolist() == [1] * 6
    assert whole.ne(bpe.padding).sum(1).equal(mask.sum(1) + 2)
    latents = generator.encode(texts).detach().requires_grad_()
    soft, hard = generator.decode(latents), generator.decode(latents.detach())
    assert soft.argmax(-1).equal(hard[:, : soft.shape[1]])
    assert soft.sum(-1).allclose(torch.ones(soft.shape[:2]))
    labeler(soft).square().sum().backward()
    assert generator.writer.states(latents.grad).abs().sum() > 0
