"""Teachers by a word, from small models saved to folders: labelers and generators of images and of texts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from benchmarks.core import paths
from benchmarks.core.errors import BadInput
from benchmarks.data.wordpieces import PAD, all_pieces
from benchmarks.records.record import Spec
from benchmarks.registry import custom, tasks
from benchmarks.runs.execute import execute
from benchmarks.runs.run import Run
from benchmarks.teachers import own, store

RNG = np.random.default_rng(0)
WORDS = ["harbour", "lantern", "gravel", "orchid", "walrus", "copper", "meadow", "thimble"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Small untrained models in folders."""
    import timm
    from diffusers import AutoencoderKL
    from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, BertTokenizerFast

    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("models")
    timm.models.save_for_hf(timm.create_model("test_resnet", num_classes=7), root / "timm", safe_serialization=True)
    vae = {"block_out_channels": (8, 8), "layers_per_block": 1, "norm_num_groups": 4, "latent_channels": 4}
    kinds = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    AutoencoderKL(**vae, **kinds).save_pretrained(root / "vae")
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=len(all_pieces()), num_labels=2, **small)
    (root / "vocab.txt").write_text("\n".join(all_pieces()))
    for name, kind in {"labeler": BertForSequenceClassification, "masked": BertForMaskedLM}.items():
        kind(config).save_pretrained(root / name)
        BertTokenizerFast(vocab_file=str(root / "vocab.txt"), vocab=str(root / "vocab.txt")).save_pretrained(
            root / name
        )
    return root


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Makes a task of a class's lines; the data lie beside its file."""
    before = set(tasks.TASKS)
    texts = [f"{' '.join(RNG.choice(WORDS, 6))} {i}" for i in range(80)]
    pd.DataFrame({"text": texts, "label": ["left", "right"] * 40}).to_csv(tmp_path / "texts.csv", index=False)
    for i in range(40):
        folder = tmp_path / "photos" / ("dark" if i % 2 else "light")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = RNG.integers(0, 120, (32, 32, 3)) + (0 if i % 2 else 130)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")

    def make(kind: str, path: str, teacher: str):
        file = tmp_path / f"own_{abs(hash((teacher, str(tmp_path))))}.py"
        lines = f"    path = {path!r}\n    teacher = {teacher}\n"
        file.write_text(f"from benchmarks.own import {kind}\n\n\nclass Mine({kind}):\n{lines}")
        return tasks.get(custom.register(file))

    yield make
    for name in set(tasks.TASKS) - before:
        del tasks.TASKS[name]
    custom._FILES.clear()
    own.MADE.clear()


def trained(task, tmp_path, monkeypatch, method="tgt-gradient") -> Run:
    """A run of smoke size with its teachers made, in a cache of its own."""
    budget = task.sizes["smoke"].budget
    if not (cache := tmp_path / "cache").exists():
        cache.mkdir()
        (cache / "data").symlink_to(paths.cache() / "data")
        monkeypatch.setenv("TGT_CACHE", str(cache))
    run = Run(Spec(task=task.name, size="smoke", teacher="full", budget=budget, seed=0, method=method))
    for part in run.recipes.values():
        store.train(run.task, part, run.split)
    return run


def test_a_model_of_timm_gets_a_last_layer_for_the_classes(models, made, tmp_path, monkeypatch):
    task = made("ImageData", "photos", repr(f"timm/local-dir:{models / 'timm'}"))
    assert (task.own, task.fits().keys()) == ({"data", "labeler", "training"}, {"generator", "labeler"})
    run = trained(task, tmp_path, monkeypatch)
    labeler = store.load(run.task, run.recipes["labeler"])["labeler"]
    untrained = own.given(run.task)[0][1]
    same = {name: torch.equal(value, untrained.state_dict()[name]) for name, value in labeler.state_dict().items()}
    assert {name for name, kept in same.items() if not kept} == {"model.fc.weight", "model.fc.bias"}
    assert execute(run).status == "ok"
    longer = Run(run.spec.model_copy(update={"size": "small"}))
    info = store.train(longer.task, longer.recipes["labeler"], longer.split)
    assert info["metrics"]["test"]["accuracy"] > 0.8


def test_a_generator_and_a_labeler_of_images(models, made, tmp_path, monkeypatch):
    words = f"({str(models / 'vae')!r}, {'timm/local-dir:' + str(models / 'timm')!r})"
    run = trained(made("ImageData", "photos", words), tmp_path, monkeypatch)
    assert run.recipes["generator"].given_sha256
    assert execute(run).status == "ok"


def test_a_classifier_of_texts_beside_the_generator_that_is_trained(models, made, tmp_path, monkeypatch):
    task = made("TextData", "texts.csv", repr(str(models / "labeler")))
    labeler = task.teacher(2)[1].eval()
    text = task.tensor(task.examples().pool_inputs[:4])
    soft = torch.nn.functional.one_hot(text, len(task.examples().vocabulary)).float().requires_grad_()
    torch.testing.assert_close(labeler(text), labeler(soft), atol=1e-5, rtol=0)
    labeler(soft).sum().backward()
    assert soft.grad.abs().sum() > 0
    plain = labeler.model(
        input_ids=torch.tensor([[101, *(int(labeler.pieces[t]) for t in text[0] if t != PAD), 102]])
    ).logits
    torch.testing.assert_close(labeler(text)[:1], plain, atol=1e-5, rtol=0)  # as its own tokenizer would have it


def test_a_masked_language_model_is_a_generator_of_texts(models, made, tmp_path, monkeypatch):
    words = repr((str(models / "masked"), str(models / "labeler")))
    task = made("TextData", "texts.csv", words)
    generator = task.teacher(2)[0].eval()
    text = task.tensor(task.examples().pool_inputs[:4])
    latents = generator.encode(text).detach().requires_grad_()
    assert latents[..., :-1].std().item() == pytest.approx(1, abs=0.5)
    decoded = generator.decode(latents)
    assert torch.equal(decoded.argmax(-1) != PAD, text != PAD)
    assert torch.equal(decoded.argmax(-1), generator.decode(latents.detach()))
    (decoded * torch.randn(decoded.shape)).sum().backward()
    assert latents.grad.abs().sum() > 0
    assert execute(trained(task, tmp_path, monkeypatch, "tgt-random-pool")).status == "ok"


def test_a_word_that_names_nothing_is_told(models, made, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="teacher 'timm/no_such_model' cannot be had"):
        trained(made("ImageData", "photos", "'timm/no_such_model'"), tmp_path, monkeypatch)
    task = made("TextData", "texts.csv", repr(str(models / "labeler")) + "\n    label = 'first'")
    frame = pd.read_csv(tmp_path / "texts.csv")
    frame.assign(first=[WORDS[i % 8] for i in range(80)]).to_csv(tmp_path / "texts.csv", index=False)
    with pytest.raises(ValueError, match=r"labeler gives \(16, 2\), not logits of 8 classes"):
        trained(task, tmp_path, monkeypatch)
    with pytest.raises(BadInput, match="teacher must be a method, a function or a word, not int"):
        made("TextData", "texts.csv", "3")
