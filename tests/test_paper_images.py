"""Image tasks of the paper's size on tiny files in the published formats, and tiny models of the real classes."""

from __future__ import annotations

import copy
import hashlib
import json

import cloudpickle
import numpy as np
import pytest
import torch
from PIL import Image
from prepared import prepared
from torch import nn

from benchmarks import task as tasks_module
from benchmarks.commands.main import main
from benchmarks.core import errors
from benchmarks.core.errors import BadInput
from benchmarks.core.fingerprint import array_digest
from benchmarks.data.asset import Unavailable, nothing_fetched
from benchmarks.data.listed import Manifest, Photographs, Published, folders
from benchmarks.data.splits import Profile, draw
from benchmarks.registry import tasks
from benchmarks.registry.experiments import EXPERIMENTS, Choice
from benchmarks.registry.methods import METHODS
from benchmarks.runs import diagnose, prior
from benchmarks.runs.execute import execute, teacher_and_data
from benchmarks.runs.grid import grid
from benchmarks.task import Size
from benchmarks.tasks.images import crop_and_flip
from benchmarks.tasks.photos import ImageNet, LongTail
from benchmarks.teachers import own, recipe
from benchmarks.validation.toys import rng, seeded
from tgt import Costs, Teacher, isotropic, kl
from tgt.hub import diffusers_generator, image_generator, timm_labeler

SIDE, CLASSES = 28, ("n01440764", "n01443537", "n01484850")
SIZE = Size(9, (9,), steps=3, batch=4, labeler_steps=2, trials=2)


def photograph(path, number, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (34, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, "JPEG")


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Untrained models as their libraries save them: generators of three kinds, and a labeler of three classes."""
    import timm
    from diffusers import AutoencoderKL, AutoencoderRAE

    root = tmp_path_factory.mktemp("models")
    transformer = {"encoder_hidden_size": 64, "encoder_num_hidden_layers": 1, "decoder_hidden_size": 32}
    decoder = {"decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2, "decoder_intermediate_size": 32}
    sizes = {"encoder_patch_size": 14, "encoder_input_size": 28, "patch_size": 16}
    seeded(lambda: AutoencoderRAE(**transformer, **decoder, **sizes), 0).save_pretrained(root / "rae")
    vae = {"block_out_channels": (8, 8), "layers_per_block": 1, "norm_num_groups": 4, "latent_channels": 4}
    kinds = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    seeded(lambda: AutoencoderKL(**vae, **kinds), 0).save_pretrained(root / "kl")
    model = seeded(lambda: timm.create_model("test_efficientnet", num_classes=len(CLASSES)), 0)
    model.pretrained_cfg["input_size"] = (3, 32, 32)
    timm.models.save_for_hf(model, root / "efficientnet_b3", safe_serialization=True)
    encoder = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(48, 6))
    decoding = nn.Sequential(nn.Linear(6, 3 * 16 * 16), nn.Unflatten(1, (3, 16, 16)), nn.Tanh())
    (root / "exported").mkdir()
    torch.jit.trace(encoder, torch.zeros(2, 3, 32, 32)).save(root / "exported" / "encoder.pt")
    torch.jit.trace(decoding, torch.zeros(2, 6)).save(root / "exported" / "decoder.pt")
    about = {"size": 32, "latent": [6], "normal_prior": True}
    (root / "exported" / "generator.json").write_text(json.dumps(about))
    return root


@pytest.fixture
def given(models, tmp_path, monkeypatch):
    """A folder of data: ImageNet's folders by class, three published lists, models. Caches of the process are empty."""
    root = tmp_path / "data"
    for number, name in enumerate(CLASSES):
        for one in range(6):
            mode = {(0, 1): "L", (1, 2): "CMYK"}.get((number, one), "RGB")
            photograph(root / "imagenet" / "train" / name / f"{name}_{one}.JPEG", 10 * number + one, mode)
        photograph(root / "imagenet" / "val" / name / "ILSVRC2012_val_1.JPEG", 10 * number + 9)
    (root / "imagenet-lt").mkdir()
    (root / "models").symlink_to(models)
    many = {
        "train": ((0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (1, 1), (1, 2), (2, 0)),
        "val": ((0, 5), (1, 5), (2, 5)),
    }
    lines = {
        side: [f"train/{CLASSES[label]}/{CLASSES[label]}_{one}.JPEG {label}" for label, one in rows]
        for side, rows in many.items()
    }
    lines["test"] = [f"val/{name}/ILSVRC2012_val_1.JPEG {label}" for label, name in enumerate(CLASSES)]
    for side, rows in lines.items():
        (root / "imagenet-lt" / f"ImageNet_LT_{side}.txt").write_text("\n".join(rows) + "\n")
    monkeypatch.setenv("TGT_DATA", str(root))
    monkeypatch.setenv("TGT_CACHE", str(tmp_path / "cache"))
    for kept, of in ((tasks_module, "_LOADED"), (own, "MADE"), (recipe, "_HASHES")):
        monkeypatch.setattr(kept, of, {})
    monkeypatch.setattr(diagnose, "SAMPLES", 8)
    errors.tell_once.cache_clear()
    return root


@pytest.fixture
def made(given, monkeypatch):
    """Registers a task as the paper's with tiny models and sizes in their place."""

    def task(base=tasks.TASKS["imagenet-lt"].__class__, **said):
        small = {"pixels": SIDE, "sizes": {"paper": SIZE}, "student_model": "test_efficientnet", "name": "tiny-lt"}
        found = type("Tiny", (base,), {**small, "defaults": {"lr": 0.01, "sigma": 0.5}, "dataset": "tiny", **said})()
        monkeypatch.setitem(tasks.TASKS, found.name, found)
        return found

    return task


# --- lists and files


def test_a_list_is_known_or_a_line_says_how_it_differs(tmp_path, capsys):
    errors.tell_once.cache_clear()
    raw = b"train/a/1.JPEG 0\ntrain/b b/2.JPEG 1\n"
    (tmp_path / "a.txt").write_bytes(raw)
    rows = [("train/a/1.JPEG", 0), ("train/b b/2.JPEG", 1)]
    for known in (Published("a.txt"), Published("a.txt", 2), Published("a.txt", 2, hashlib.sha256(raw).hexdigest())):
        assert known.read(tmp_path) == rows
    assert capsys.readouterr().err == ""
    Published("a.txt", 115_846).read(tmp_path)
    Published("a.txt", 2, "0" * 64).read(tmp_path)
    first, second = capsys.readouterr().err.splitlines()
    assert "it has 2 lines, that one 115,846" in first
    assert f"its SHA-256 is {hashlib.sha256(raw).hexdigest()}" in second
    (tmp_path / "bad.txt").write_text("train/a/1.JPEG\n")
    for name in ("bad.txt", "absent.txt"):
        with pytest.raises(BadInput, match=rf"{name} is no list of lines"):
            Published(name).read(tmp_path)


def test_photographs_are_packed_once_and_a_broken_one_is_named(given, capsys, monkeypatch):
    manifest = Manifest.of(
        given / "imagenet", folders(given / "imagenet", "train"), [], folders(given / "imagenet", "val")
    )
    assert (len(manifest.paths), manifest.names) == (21, CLASSES)
    photographs = Photographs("tiny", manifest, SIDE)
    images = photographs.images()
    with nothing_fetched(), pytest.raises(Unavailable, match="a plan packs nothing"):
        images.read()
    found = images.read()
    assert found.shape == (21, 3, SIDE, SIDE)
    assert np.array_equal(found, photographs.images(packed=False).read())
    assert np.array_equal(found[1, 0], found[1, 2])  # grey
    assert "21 images of tiny are packed" in capsys.readouterr().err
    (given / "imagenet" / "train" / CLASSES[0] / f"{CLASSES[0]}_0.JPEG").write_bytes(b"no JPEG")
    again = Photographs("tiny", manifest, SIDE)
    assert np.array_equal(again.images().read(), found)  # by its manifest
    assert array_digest({"a": again.images()}) == array_digest({"a": images})
    assert array_digest({"a": images[np.arange(3)]}) != array_digest({"a": images})
    with pytest.raises(BadInput, match=rf"no image can be read from .*{CLASSES[0]}_0.JPEG"):
        Photographs("other", manifest, SIDE).images().read()
    assert not list(photographs.path.parent.glob("other*.safetensors"))
    with pytest.raises(BadInput, match="has no images in folders of classes"):
        folders(given, "nowhere")


def test_the_full_budget_is_the_published_list():
    labels = np.array([0] * 2000 + [1] * 5 + [0, 1, 2] * 20 + [2] * 7)
    validation = np.arange(2005, 2065)
    split = draw("a", labels, 3, Profile("published"), 2012, 0, last=validation)
    assert np.array_equal(split.indices, np.setdiff1d(np.arange(len(labels)), validation))
    smaller = draw("a", labels, 3, Profile("published"), 300, 0, last=validation)
    assert set(smaller.indices) < set(split.indices)


# --- models


@pytest.mark.parametrize(("name", "has_prior"), [("rae", False), ("kl", False), ("exported", True)])
def test_generators_share_one_unit_size_and_range(name, has_prior, models):
    images = torch.rand(12, 3, SIDE, SIDE, generator=rng())
    generator = image_generator(str(models / name), SIDE).measure(images)
    handed = cloudpickle.loads(cloudpickle.dumps(generator))
    assert own.content_of(handed) == own.content_of(generator)
    teacher = Teacher(generator, timm_labeler(str(models / "efficientnet_b3")))
    latents = teacher.encode(images)
    assert latents.var(0).mean().sqrt().item() == pytest.approx(1, abs=0.01)
    assert hasattr(generator, "sample_prior") == has_prior
    moved = isotropic(latents, 3.0, rng()).requires_grad_()
    decoded = teacher.decode(moved)
    assert decoded.shape == images.shape
    assert 0 <= decoded.min() <= decoded.max() <= 1
    kl(torch.zeros(12, 3), teacher.label(decoded)).sum().backward()
    assert moved.grad.abs().sum() > 0
    for other in (copy.deepcopy(generator), handed.eval()):
        torch.testing.assert_close(other.decode(latents), generator.decode(latents))
    if has_prior:
        drawn = generator.sample_prior(500, rng()) * generator.unit
        assert drawn.std().item() == pytest.approx(1, abs=0.1)


def test_only_safetensors_are_read(models, tmp_path):
    for name in ("rae", "efficientnet_b3"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_bytes((models / name / "config.json").read_bytes())
    torch.save({}, tmp_path / "rae" / "diffusion_pytorch_model.bin")
    torch.save({}, tmp_path / "efficientnet_b3" / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        diffusers_generator(str(tmp_path / "rae"), SIDE)
    with pytest.raises(ValueError, match=r"has no model\.safetensors"):
        timm_labeler(str(tmp_path / "efficientnet_b3"))


# --- tasks


def test_the_tasks_of_the_paper_say_what_they_need(tmp_path, monkeypatch):
    monkeypatch.setenv("TGT_DATA", str(tmp_path))
    for name in (*EXPERIMENTS["table1"].paper, *EXPERIMENTS["fig2"].paper):
        task = tasks.get(name).at("paper")
        assert tasks.get(f"{name}-075").students == {"student": "mobilenetv3_large_075.v1"}
        assert tasks.get(f"{name}-075").dataset == name
        assert {task.images, task.generator_model, task.labeler_model} <= {one.path for one in task.needs}
        with pytest.raises(Unavailable, match=f"there is no {tmp_path}"):
            task.examples()


def test_a_model_that_cannot_be_had_is_told_in_a_line(made, given):
    for name, told in (("models/none", "there is no .*/none"), ("me/none", "there is no"), ("lists", "there is no")):
        with pytest.raises(Unavailable, match=told):
            own.given(made(labeler_model=name, name=f"tiny-{len(name)}").at("paper"))
    (given / "models-of-mine").mkdir()
    with pytest.raises(Unavailable, match=r"models-of-mine cannot be had: .* has no model.safetensors"):
        own.given(made(labeler_model="models-of-mine").at("paper"))


def test_every_row_takes_three_steps_and_leaves_a_complete_record(made, capsys):
    task = made()
    runs = grid("table1", Choice(size="paper", tasks=(task.name,), methods=(), seeds=1, extra=True))
    told = capsys.readouterr().err
    assert "ImageNet_LT_train.txt is not the published list: it has 9 lines, that one 115,846" in told
    assert "no prior to sample from" in told
    names = [run.spec.method for run in runs]
    assert {"ldam-drw", "balanced-softmax", "crt", "logit-adjusted", "tgt-gradient-balanced"} <= set(names)
    assert not any(METHODS[name].needs_prior for name in names)
    assert prior.unfit("prior-sampling", task.at("paper"))
    assert runs[0].split.indices.tolist() == list(range(9))
    for run in runs:
        if run.row.schedule > 1:
            continue
        record = execute(prepared(task.name, "paper", 9, run.spec.method))
        assert record.status == "ok", (run.spec.method, record.reason)
        assert record.identity["view"] == "fresh labels"
        assert np.isfinite([value for value in record.metrics.values() if value is not None]).all()
        if run.row.is_tgt:
            assert record.costs["decodes"] > 0
        if run.spec.method == "tgt-gradient":
            assert record.costs["gradient_evaluations"] > 0
        if run.spec.method == "distillation":
            assert record.costs["labeler_queries"] == 3 * 8  # each view is asked about


def test_with_half_of_the_files_a_plan_says_so_and_a_dry_run_takes_these(made, tmp_path, capsys):
    assert main(["fig2", "--size", "paper", "--plan"]) == 0
    assert main(["table1", "--size", "paper", "--plan"]) == 3
    told = " ".join(capsys.readouterr().out.split())
    assert "cannot run: 4 of 8 files and folders are missing" in told
    words = ["--methods", "distillation,tgt-random-stored", "--budgets", "9", "--jobs", "1"]
    words += ["--tasks", made().name, "--results", str(tmp_path / "r")]
    assert main(["table1", "--size", "paper", "--dry-run", "2", *words]) == 0
    told = capsys.readouterr().out
    assert "stands in" not in told
    assert "2 cells of 2 steps" in told
    assert not (tmp_path / "r").exists()


def test_views_are_paired_and_their_labels_fresh_or_kept(made):
    queries = {}
    for fresh in (True, False):
        run = prepared(made(fresh_labels=fresh, name=f"tiny-{fresh}").name, "paper", 9, "distillation")
        data = teacher_and_data(run, Costs())
        view = data.view
        plain = data.inputs[torch.arange(4)]
        assert view.of_step(plain, 0.25).equal(view.of_step(plain, 0.25))
        assert not view.of_step(plain, 0.25).equal(view.of_step(plain, 0.5))
        queries[fresh] = execute(run).costs["labeler_queries"]
    assert queries == {True: 24, False: 9}
    whole = crop_and_flip(plain, rng(), smallest=1.0)
    for one, other in zip(whole, plain, strict=True):
        assert any(torch.allclose(one, same, atol=1e-5) for same in (other, other.flip(2)))


def test_a_labeler_of_other_classes_is_trained_on_the_task(made):
    task = made(base=tasks.TASKS["places-lt"].__class__, images="imagenet", lists_in="imagenet-lt",
                lists=tasks.TASKS["imagenet-lt"].lists, needs=(), generator_model="models/exported")  # fmt: skip
    assert isinstance(task, LongTail)
    run = prepared(task.name, "paper", 9, "prior-sampling")
    assert run.recipes["labeler"].cached.stat().st_size > run.recipes["generator"].cached.stat().st_size
    assert execute(run).status == "ok"


def test_fractions_of_imagenet_are_nested_and_leave_validation_to_the_last(made, monkeypatch):
    monkeypatch.setattr("benchmarks.tasks.photos.HELD_OUT", 1)
    task = made(base=ImageNet)
    examples = task.examples()
    assert len(examples.validation) == 3
    splits = [draw("a", examples.pool_labels, 3, task.profile, n, 0, last=examples.validation) for n in (9, 18)]
    assert set(splits[0].indices) < set(splits[1].indices) == set(range(18))
    assert not set(splits[0].indices) & set(examples.validation)
