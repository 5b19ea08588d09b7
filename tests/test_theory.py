"""Known manifolds: the exact generator and labeler are exact, only D differs between them, and slopes are slopes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_stats_and_tables import pairs, record

from benchmarks.analysis import slopes as theory
from benchmarks.records.groups import grouped
from benchmarks.registry import tasks
from benchmarks.tasks import manifold

NAMES = [f"manifold-{d}-in-{D}" for d in manifold.LATENT for D in manifold.INPUT]


@pytest.mark.parametrize("name", NAMES)
def test_generator_and_labeler_are_exact(name):
    task = tasks.get(name)
    examples = task.examples()
    inputs = task.tensor(examples.test_inputs[:200])
    generator, labeler = task.teacher(4)
    latents = generator.encode(inputs)
    latent, dimension = theory.dimensions(name)
    assert latents.shape == (200, latent)
    assert inputs.shape == (200, dimension)
    torch.testing.assert_close(generator.decode(latents), inputs, atol=2e-3, rtol=0)
    assert labeler(inputs).argmax(1).tolist() == examples.test_labels[:200].tolist()
    shares = np.bincount(examples.pool_labels, minlength=4) / len(examples.pool_labels)
    assert shares.min() > 0.05


@pytest.mark.parametrize("latent", manifold.LATENT)
def test_only_the_input_dimension_differs(latent):
    small, large = (tasks.get(f"manifold-{latent}-in-{D}").examples() for D in (manifold.INPUT[0], manifold.INPUT[-1]))
    assert (small.test_labels == large.test_labels).all()
    distances = [np.linalg.norm(e.test_inputs[:50, None] - e.test_inputs[None, :50], axis=2) for e in (small, large)]
    np.testing.assert_allclose(distances[0], distances[1], atol=1e-4)


def test_slopes_by_hand():
    records = [
        record("distillation", seed, 1 - 0.4 * (n / 32) ** -0.5 * (1 + 0.01 * seed), task="manifold-2-in-32", budget=n)
        for n in (32, 128, 512)
        for seed in (0, 1)
    ]
    fitted = theory.frame(grouped(pairs(*records)))
    assert fitted.slope.tolist() == [pytest.approx(-0.5)]
    assert fitted[["latent", "dimension", "n_seeds"]].to_numpy().tolist() == [[2, 32, 2]]
    assert fitted[["rate_latent", "rate_input"]].to_numpy().tolist() == [[-0.5, -1 / 32]]
    assert "d = 2, distillation: slope -0.50" in next(theory.lines(fitted))


def test_an_error_of_nothing_has_a_floor():
    records = [record("distillation", 0, 1.0, task="manifold-2-in-32", budget=n) for n in (32, 128)]
    assert theory.frame(grouped(pairs(*records))).slope.tolist() == [pytest.approx(0.0)]
