"""Pretrained models of other libraries behind the teacher's doors, by a local folder or an id of their hub.

Inputs are what the student sees: images (B, 3, H, W) in [0, 1], or tokens (B, T) of the model's own tokenizer. Nothing
here is imported before it is asked for: transformers comes with sentence-transformers, timm and diffusers by
`pip install -e '.[hub]'` in the checkout.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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


class LatentDiffusionVAE(nn.Module):
    """diffusers' AutoencoderKL as a generator: images (B, 3, H, W) in [0, 1] <-> latents of about unit variance.

    Args:
        latent_shape: (channels, height, width) of one latent, which `sample_prior` draws from N(0, I).
    """

    def __init__(self, model: Any, latent_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.model, self.latent_shape = model, latent_shape

    def encode(self, images: Tensor) -> Tensor:
        return self.model.encode(2 * images - 1).latent_dist.mean * self.model.config.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        return (self.model.decode(latents / self.model.config.scaling_factor).sample + 1) / 2

    def sample_prior(self, count: int, rng: torch.Generator) -> Tensor:
        return torch.randn(count, *self.latent_shape, generator=rng, device=rng.device)


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


def timm_labeler(name: str, **options: Any) -> nn.Module:
    """An image classifier of timm by its name; `local-dir:FOLDER` and `hf-hub:ID` name other sources."""
    import timm

    model = timm.create_model(name, pretrained=True, **options)
    config = timm.data.resolve_model_data_config(model)
    return ImageLabeler(model, config["mean"], config["std"], tuple(config["input_size"][1:]))


def diffusers_generator(name: str, image_size: int) -> nn.Module:
    """An AutoencoderKL of diffusers from a folder or a hub id, for images of image_size x image_size."""
    from diffusers import AutoencoderKL

    model = AutoencoderKL.from_pretrained(name)
    with torch.no_grad():
        shape = model.encode(torch.zeros(1, 3, image_size, image_size)).latent_dist.mean.shape
    return LatentDiffusionVAE(model, tuple(shape[1:]))


def sentence_transformer(name: str, revision: str = "") -> Any:
    """A model of sentence-transformers from a folder, or from the hub at a revision (a commit, 40 hex digits).

    Raises:
        ValueError: no revision, weights that are not safetensors, code of the model's own, or words of its own before
            each text, which nothing here would add.
    """
    from huggingface_hub import snapshot_download
    from sentence_transformers import SentenceTransformer

    if not Path(name).is_dir():
        if not re.fullmatch("[0-9a-f]{40}", revision):
            raise ValueError(f"{name} is no folder; of a model of the hub give the revision, a commit's 40 digits")
        name = snapshot_download(
            name, revision=revision, allow_patterns=["*.safetensors", "*.json", "*.txt", "*.model"]
        )
    if unsafe := [path for path in Path(name).rglob("*.bin") if not path.with_name("model.safetensors").exists()]:
        raise ValueError(f"{unsafe[0]}: there is no model.safetensors beside it, and nothing else is read")
    model = SentenceTransformer(
        name, device="cpu", trust_remote_code=False, local_files_only=True, model_kwargs={"use_safetensors": True}
    )
    if any(model.prompts.values()):
        raise ValueError(f"{name} was trained with words before each text (its prompts); take a model without")
    return model
