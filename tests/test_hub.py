"""Models of transformers, timm and diffusers as teachers: small ones, saved to folders and read back as a hub's are."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from benchmarks.core import paths
from benchmarks.validation.toys import rng
from tgt import Teacher, isotropic, kl
from tgt.hub import diffusers_generator, timm_labeler, transformers_labeler


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Small untrained models of three kinds, each in a folder of its own."""
    from diffusers import AutoencoderKL
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        MobileNetV2Config,
        MobileNetV2ForImageClassification,
        MobileNetV2ImageProcessor,
    )

    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("hub")
    image = MobileNetV2ForImageClassification(MobileNetV2Config(image_size=32, depth_multiplier=0.1, num_labels=5))
    image.save_pretrained(root / "image")
    MobileNetV2ImageProcessor(size={"height": 32, "width": 32}, do_center_crop=False).save_pretrained(root / "image")
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertForSequenceClassification(BertConfig(vocab_size=50, num_labels=3, **small)).save_pretrained(root / "text")
    vae = {"block_out_channels": (8, 8), "layers_per_block": 1, "norm_num_groups": 4, "latent_channels": 4}
    kinds = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    AutoencoderKL(**vae, **kinds).save_pretrained(root / "vae")
    return root


def test_a_classifier_of_images_resizes_and_normalises(folders):
    labeler = transformers_labeler(str(folders / "image")).eval()
    images = torch.rand(2, 3, 32, 32, generator=rng())
    logits = labeler(images)
    assert logits.shape == (2, 5)
    by_hand = labeler.model((images - 0.5) / 0.5).logits
    torch.testing.assert_close(logits, by_hand)
    assert labeler(torch.rand(2, 3, 48, 40, generator=rng())).shape == (2, 5)


def test_a_classifier_of_texts_reads_tokens_and_distributions_alike(folders):
    labeler = transformers_labeler(str(folders / "text")).eval()
    text = torch.tensor([[3, 7, 9, 0, 0], [4, 5, 6, 7, 8]])
    soft = torch.nn.functional.one_hot(text, 50).float().requires_grad_()
    torch.testing.assert_close(labeler(text), labeler(soft), atol=1e-5, rtol=0)
    labeler(soft).sum().backward()
    assert soft.grad.abs().sum() > 0
    shorter = labeler(text[:1, :3])
    torch.testing.assert_close(labeler(text)[:1], shorter, atol=1e-5, rtol=0)  # padding is not read


def test_an_autoencoder_of_diffusers_is_a_generator(folders):
    generator = diffusers_generator(str(folders / "vae"), 32)
    images = torch.rand(2, 3, 32, 32, generator=rng())
    latents = generator.encode(images)
    assert generator.decode(latents).shape == images.shape
    assert not hasattr(generator, "sample_prior")


def test_a_model_of_timm_is_a_labeler(tmp_path):
    import timm

    model = timm.create_model("test_resnet", num_classes=7)
    timm.models.save_for_hf(model, tmp_path / "timm", safe_serialization=True)
    labeler = timm_labeler(f"local-dir:{tmp_path / 'timm'}").eval()
    assert labeler(torch.rand(2, 3, 40, 40, generator=rng())).shape == (2, 7)


def test_they_teach_behind_the_counted_doors(folders):
    teacher = Teacher(diffusers_generator(str(folders / "vae"), 32), transformers_labeler(str(folders / "image")))
    images = torch.rand(2, 3, 32, 32, generator=rng())
    latents = isotropic(teacher.encode(images), 0.5, rng()).requires_grad_()
    decoded = teacher.decode(latents)
    kl(torch.zeros(2, 5), teacher.label(decoded)).sum().backward()
    assert latents.grad.abs().sum() > 0
    assert teacher.costs.counts == {"encodes": 2, "decodes": 2, "labeler_queries": 2, "gradient_evaluations": 2}


def test_the_example_runs(folders, capsys):
    spec = importlib.util.spec_from_file_location("loop", paths.ROOT / "examples" / "huggingface_loop.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    losses = module.main(str(folders / "image"), str(folders / "vae"), steps=2, size=32)
    assert len(losses) == 2
    assert "the teacher was asked" in capsys.readouterr().out
