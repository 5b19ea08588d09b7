"""Pretrained models of other libraries behind the teacher's doors, by a local folder or an id of their hub.

Inputs are what the student sees: images (B, 3, H, W) in [0, 1], or tokens (B, T) of the model's own tokenizer. Nothing
here is imported before it is asked for: transformers comes with sentence-transformers, timm and diffusers by
`pip install -e '.[hub]'` in the checkout.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_WEIGHTS = "model.safetensors"


class ImageLabeler(nn.Module):
    """A classifier of images as a labeler: resizes and normalises as its training did; images (B, 3, H, W) -> logits.

    Args:
        model: a module from normalised images to logits, or to an object that has `logits`.
        mean, std: of each channel. size: (height, width) that the model takes; None leaves images as they are.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, mean: Any, std: Any, size: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.model, self.size = model, size
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1] == 1:
            images = images.expand(-1, len(self.mean), -1, -1)  # grey
        if self.size is not None and tuple(images.shape[-2:]) != self.size:
            images = F.interpolate(images, self.size, mode="bilinear", antialias=True)
        found = self.model((images - self.mean) / self.std)
        return getattr(found, "logits", found)


class TextLabeler(nn.Module):
    """A classifier of texts as a labeler: tokens (B, T), or distributions over its vocabulary (B, T, V), -> logits.

    Args:
        order: of each class, its number in the model's own answer; None where they are the same.
    """

    order: Tensor | None

    def __init__(self, model: nn.Module, padding: int, order: Sequence[int] | None = None) -> None:
        super().__init__()
        self.model, self.padding = model, padding
        self.register_buffer("order", None if order is None else torch.tensor(order))
        embeddings = getattr(getattr(model, "base_model", None), "embeddings", None)
        #: RoBERTa counts the places of words alone, from behind this number.
        self.first: int | None = getattr(embeddings, "padding_idx", None)

    def forward(self, text: Tensor) -> Tensor:
        soft = text.is_floating_point()
        mask = (text.argmax(-1) if soft else text) != self.padding
        longest = max(int((mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)).max()), 1)
        text, mask = text[:, :longest], mask[:, :longest]
        table = self.model.get_input_embeddings().weight  # type: ignore[operator]
        words = {"inputs_embeds": text @ table} if soft else {"input_ids": text}
        if self.first is not None:  # of distributions the model would count all places
            words["position_ids"] = mask.cumsum(1) * mask + self.first
        logits = self.model(**words, attention_mask=mask.long()).logits
        return logits if self.order is None else logits[:, self.order]


class ImageGenerator(nn.Module):
    """An autoencoder of images behind a generator's doors: images (B, 3, H, W) in [0, 1] <-> latents (B, ...).

    Latents are in units of their standard deviation over data, once `measure` has seen some; decoded images have the
    student's size and stay in [0, 1]. A subclass has `sample_prior` only if its decoder was trained for one prior.

    Args:
        size: height and width of decoded images.
    """

    unit: Tensor

    def __init__(self, model: Any, size: int) -> None:
        super().__init__()
        self.model, self.size = model, size
        self.register_buffer("unit", torch.ones(()))

    @torch.no_grad()
    def measure(self, images: Tensor) -> ImageGenerator:
        """Take the latents' standard deviation over images (B, 3, H, W), one for all dimensions, as the unit.

        Three digits of it: the others differ between machines, and a teacher is known by all numbers that it holds.
        """
        probe = copy.deepcopy(self)  # what transformers puts into a model at its first use cannot be pickled
        latents = torch.cat([probe.encode(part) for part in images.split(8)]) * self.unit
        self.unit.fill_(float(f"{latents.var(0).mean().sqrt().item():.3g}"))
        return self

    def encode(self, images: Tensor) -> Tensor:
        return self._latents(images) / self.unit

    def decode(self, latents: Tensor) -> Tensor:
        images = self._images(latents * self.unit)
        if images.shape[-1] != self.size:
            images = F.interpolate(images, (self.size, self.size), mode="bilinear", antialias=True)
        return images.clamp(0, 1)

    def _latents(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def _images(self, latents: Tensor) -> Tensor:
        raise NotImplementedError


class LatentDiffusionVAE(ImageGenerator):
    """diffusers' AutoencoderKL. It has no prior: its KL term hardly weighs, and latents are far from N(0, I)."""

    def __init__(self, model: Any, size: int) -> None:
        super().__init__(model, size)
        self.unit.fill_(1 / model.config.scaling_factor)  # that of the data it was trained on

    def _latents(self, images: Tensor) -> Tensor:
        return self.model.encode(2 * images - 1).latent_dist.mean

    def _images(self, latents: Tensor) -> Tensor:
        return (self.model.decode(latents).sample + 1) / 2


class RepresentationAutoencoder(ImageGenerator):
    """diffusers' AutoencoderRAE (Zheng et al. 2025, arXiv 2510.11690): latents are a frozen encoder's; no prior."""

    def _latents(self, images: Tensor) -> Tensor:
        return self.model.encode(images).latent

    def _images(self, latents: Tensor) -> Tensor:
        return self.model.decode(latents).sample


class ExportedGenerator(ImageGenerator):
    """Encoder and decoder of any other code, such as BigBiGAN's (Donahue & Simonyan 2019), from a folder of theirs.

    It holds two TorchScript programs, for images from -1 to 1, and `generator.json`. Where the models are at hand:

        torch.jit.trace(encoder.eval(), torch.zeros(2, 3, 256, 256)).save("encoder.pt")  # -> means (B, 120)
        torch.jit.trace(decoder.eval(), torch.zeros(2, 120)).save("decoder.pt")  # -> images (B, 3, 128, 128)
        json.dump({"size": 256, "latent": [120], "normal_prior": True}, open("generator.json", "w"))

    `size` is what the encoder takes; `normal_prior`: whether N(0, I) is the decoder's prior. TorchScript, though
    PyTorch no longer develops it, because reading it runs no pickle, which `torch.export.load` does (PyTorch 2.14).
    """

    def __init__(self, folder: Path, about: dict[str, Any], size: int) -> None:
        programs = {name: _Program((folder / f"{name}.pt").read_bytes()) for name in ("encoder", "decoder")}
        super().__init__(nn.ModuleDict(programs), size)
        self.taken, self.latent = int(about["size"]), tuple(about["latent"])

    def _latents(self, images: Tensor) -> Tensor:
        if images.shape[-1] != self.taken:
            images = F.interpolate(images, (self.taken, self.taken), mode="bilinear", antialias=True)
        return self.model["encoder"](2 * images - 1)

    def _images(self, latents: Tensor) -> Tensor:
        return (self.model["decoder"](latents) + 1) / 2


class ExportedWithPrior(ExportedGenerator):
    """One whose decoder was trained for latents from N(0, I)."""

    def sample_prior(self, count: int, rng: torch.Generator) -> Tensor:
        return torch.randn(count, *self.latent, generator=rng, device=rng.device) / self.unit


class _Program(nn.Module):
    """A TorchScript program, by the bytes of its file: it can be copied and handed to another process."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self.raw, self.sha256 = raw, hashlib.sha256(raw).hexdigest()
        self.program = torch.jit.load(io.BytesIO(raw), "cpu")

    def forward(self, inputs: Tensor) -> Tensor:
        return self.program(inputs)

    def __reduce__(self) -> tuple:
        return _Program._again, (self.raw, self.training)

    @staticmethod
    def _again(raw: bytes, training: bool) -> _Program:
        return _Program(raw).train(training)


def transformers_labeler(name: str) -> nn.Module:
    """A classifier that transformers knows, of images or of texts, from a folder or a hub id."""
    from transformers import (
        AutoConfig,
        AutoImageProcessor,
        AutoModelForImageClassification,
        AutoModelForSequenceClassification,
    )

    config = AutoConfig.from_pretrained(name)
    if not hasattr(config, "vocab_size"):
        seen = AutoImageProcessor.from_pretrained(name)
        height, width = seen.size.get("height"), seen.size.get("width")
        shorter = seen.size.get("shortest_edge")
        size = (height, width) if height else (shorter, shorter) if shorter else None
        model = AutoModelForImageClassification.from_pretrained(name)
        return ImageLabeler(model, seen.image_mean, seen.image_std, size)
    model = AutoModelForSequenceClassification.from_pretrained(name)
    return TextLabeler(model, config.pad_token_id or 0)


def timm_labeler(name: str, pretrained: bool = True, resize: bool = True, **options: Any) -> nn.Module:
    """An image classifier of timm by its name, from a folder, or as ID@REVISION from the hub. Safetensors only.

    Raises:
        ValueError: a folder without `model.safetensors`.
    """
    import timm

    folder = Path(name.removeprefix("local-dir:"))
    if folder.is_dir():
        if pretrained and not (folder / _WEIGHTS).exists():
            raise ValueError(f"{folder} has no {_WEIGHTS}")
        name = f"local-dir:{folder}"
    elif "@" in name:
        name = f"hf-hub:{name}"
    model = timm.create_model(name, pretrained, pretrained_cfg_overlay={"hf_hub_filename": _WEIGHTS}, **options)
    config = timm.data.resolve_model_data_config(model)
    return ImageLabeler(model, config["mean"], config["std"], tuple(config["input_size"][1:]) if resize else None)


def diffusers_generator(name: str, image_size: int) -> ImageGenerator:
    """An AutoencoderKL or AutoencoderRAE from a folder, a hub id, or ID@REVISION; decoded images have image_size.

    Safetensors only. Raises ValueError for a model of another class.
    """
    import diffusers

    name, _, revision = (name, "", "") if Path(name).is_dir() else name.partition("@")
    more: dict[str, Any] = {"revision": revision} if revision else {}
    kind = diffusers.AutoencoderKL.load_config(name, **more)["_class_name"]
    kinds = {"AutoencoderKL": LatentDiffusionVAE, "AutoencoderRAE": RepresentationAutoencoder}
    if kind not in kinds:
        raise ValueError(f"{name} is of class {kind}; {' and '.join(kinds)} are known")
    return kinds[kind](getattr(diffusers, kind).from_pretrained(name, use_safetensors=True, **more), image_size)


def image_generator(name: str, image_size: int) -> ImageGenerator:
    """A generator of images from the folder of an exported one, or as `diffusers_generator`."""
    about = Path(name) / "generator.json"
    if not about.exists():
        return diffusers_generator(name, image_size)
    told = json.loads(about.read_text())
    return (ExportedWithPrior if told["normal_prior"] else ExportedGenerator)(Path(name), told, image_size)


def pinned(name: str, revision: str | None) -> dict[str, Any]:
    """Of a folder its files alone, of a hub one revision; never code. The hub's token is left to the environment."""
    if Path(name).is_dir():
        return {"trust_remote_code": False, "local_files_only": True}
    if revision is None or not re.fullmatch("[0-9a-f]{40}", revision):
        raise ValueError(f"{name} is no folder; of a hub's id the revision must be given, all 40 digits")
    return {"trust_remote_code": False, "revision": revision}


def sentence_transformer(name: str, revision: str | None = None) -> Any:
    """A model of sentence-transformers from a folder, or from the hub at a revision (a commit, 40 hex digits).

    Raises:
        ValueError: no revision, weights that are not safetensors, code of the model's own, or words of its own before
            each text, which nothing here would add.
    """
    from huggingface_hub import snapshot_download
    from sentence_transformers import SentenceTransformer

    if "revision" in (told := pinned(name, revision)):
        files = ["*.safetensors", "*.json", "*.txt", "*.model"]
        name = snapshot_download(name, revision=told["revision"], allow_patterns=files)
    if unsafe := [path for path in Path(name).rglob("*.bin") if not path.with_name("model.safetensors").exists()]:
        raise ValueError(f"{unsafe[0]}: there is no model.safetensors beside it, and nothing else is read")
    model = SentenceTransformer(
        name, device="cpu", trust_remote_code=False, local_files_only=True, model_kwargs={"use_safetensors": True}
    )
    if any(model.prompts.values()):
        raise ValueError(f"{name} was trained with words before each text (its prompts); take a model without")
    return model
