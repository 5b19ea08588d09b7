"""Image tasks: corrupted test images, the networks' teachers, and the generator's prior."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benchmarks.data import splits
from benchmarks.data.corruptions import CORRUPTIONS, corrupted, corrupted_test
from benchmarks.networks.image import VAE
from benchmarks.registry import tasks
from benchmarks.teachers.image import fit_prior
from benchmarks.teachers.recipe import recipe
from benchmarks.teachers.training import descend


@pytest.mark.parametrize("name", ["fashion", "glyph-lt"])
def test_every_corruption_changes_test_images_and_keeps_what_they_are(name):
    examples = tasks.get(name).examples()
    images, labels = examples.other_tests["corrupted"]
    assert images.dtype == np.uint8
    assert len(images) == len(labels) == 6 * 1000
    clean = examples.test_inputs[:50]
    for corruption in CORRUPTIONS:
        found = corrupted(clean, corruption, np.random.default_rng(0))
        assert found.shape == clean.shape
        assert (found != clean).any((1, 2, 3)).mean() > 0.9
        # Brightness on the whole stays: nothing is lost or clipped away on a large scale.
        assert abs(found.mean() - clean.mean()) < 20


def test_corrupted_images_follow_their_seed_and_keep_their_labels():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (30, 1, 9, 9), np.uint8), np.arange(30)
    first, again, other = (corrupted_test(images, labels, seed, count=20) for seed in (0, 0, 1))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    assert np.bincount(first[1], minlength=30).tolist().count(len(CORRUPTIONS)) == 20
    contrasts = corrupted(images, "contrast", rng).std((1, 2, 3)) / images.std((1, 2, 3))
    assert np.allclose(contrasts, 0.4, atol=0.02)


def test_the_prior_is_where_the_latents_are(monkeypatch):
    """Latents of two clumps: N(0, I), which a fresh VAE draws from, would put most samples between them."""
    module = VAE(1, 8, latent=2, width=4)
    fresh = module.sample_prior(2000, torch.Generator().manual_seed(0))
    assert torch.allclose(fresh.mean(0), torch.zeros(2), atol=0.1)
    assert torch.allclose(fresh.std(0), torch.ones(2), atol=0.1)
    rng = torch.Generator().manual_seed(1)
    sign = 1 - 2 * (torch.rand(3000, 1, generator=rng) < 0.25).float()
    images = (sign * 4)[:, :, None, None].expand(-1, 1, 8, 8)
    monkeypatch.setattr(
        module, "posterior", lambda shown: (shown[:, 0, 0, :2], torch.full((len(shown), 2), math.log(0.09)))
    )
    fit_prior(module, images, rng)
    drawn = module.sample_prior(2000, torch.Generator().manual_seed(0))
    assert (drawn.abs() > 2.5).all()
    assert (drawn[:, 0] < 0).float().mean().item() == pytest.approx(0.25, abs=0.04)
    assert drawn[drawn[:, 0] > 0].std(0).tolist() == pytest.approx([0.3, 0.3], abs=0.03)
    with pytest.raises(ValueError, match="room for 64 Gaussians, not 65"):
        module.set_prior(torch.ones(65), torch.zeros(65, 2), torch.zeros(65, 2, 2))


def test_a_judge_is_asked_about_the_same_view_of_an_image_and_its_decoded_self():
    module, asked = VAE(1, 8, latent=2, width=4), []
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))

    def judge(originals, decoded):
        asked.append((originals, decoded))
        return decoded.flatten(1).mean(1)

    plain, judged = (module.loss(images, 0.1, torch.Generator().manual_seed(0), *more) for more in ((), (judge, 10.0)))
    ((originals, decoded),) = asked
    assert originals is images
    assert decoded.shape == images.shape
    assert decoded.requires_grad
    assert not plain.isclose(judged)


def test_averaged_weights_lie_between_the_first_and_the_last():
    """The mean under a decay of 1/2 a step, of a weight that a constant gradient moves by ever the same length."""
    recipe = recipe_of(tasks.get("fashion").at("smoke"))

    def end(average: float | None) -> float:
        module = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(module.weight)
        steps = [torch.arange(2)] * recipe.steps
        descend(module, recipe, steps, lambda index: -module.weight.sum(), average=average)
        return module.weight.item()

    assert 0 < end(0.5) < end(None)


def recipe_of(task):
    split = splits.draw(
        task.name, task.examples().pool_labels, 10, task.profile, 50, 0, last=task.examples().validation
    )
    return recipe(task, "generator", "same-data", split)
