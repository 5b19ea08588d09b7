"""The mathematics of losses and exploration, against hand-computed values and finite differences."""

from __future__ import annotations

import pytest
import torch

from benchmarks.validation.toys import rng
from tgt import DISTANCES, TGT, Batch, Teacher, TGTConfig, ascend, isotropic, kl, mse, project, soft_cross_entropy


def test_kl_by_hand():
    student, labeler = torch.tensor([[0.0, 0.0]]), torch.tensor([[torch.log(torch.tensor(3.0)), 0.0]])
    # labeler (3/4, 1/4), student (1/2, 1/2): 3/4 ln(3/2) + 1/4 ln(1/2)
    assert kl(student, labeler, 1.0).item() == pytest.approx(0.75 * 0.405465 - 0.25 * 0.693147, abs=1e-5)


@pytest.mark.parametrize("distance", [kl, soft_cross_entropy])
def test_temperature_reaches_the_loss_with_factor_t_squared(distance):
    student, labeler = torch.randn(5, 7, generator=rng(1)), torch.randn(5, 7, generator=rng(2))
    torch.testing.assert_close(distance(student, labeler, 4.0), 16 * distance(student / 4, labeler / 4, 1.0))
    assert not torch.allclose(distance(student, labeler, 4.0), distance(student, labeler, 1.0))


def test_distances_are_one_value_a_sample_and_zero_or_entropy_at_equality():
    logits = torch.randn(5, 7, generator=rng())
    entropy = torch.distributions.Categorical(logits=logits).entropy()
    for name, at_equality in {"kl": torch.zeros(5), "mse": torch.zeros(5), "soft-ce": entropy}.items():
        torch.testing.assert_close(DISTANCES[name](logits, logits, 1.0), at_equality, atol=1e-6, rtol=1e-5)


def test_soft_cross_entropy_and_kl_have_the_same_gradient_in_the_student():
    labeler = torch.randn(5, 7, generator=rng(2))
    gradients = []
    for distance in (kl, soft_cross_entropy):
        student = torch.randn(5, 7, generator=rng(1)).requires_grad_()
        gradients.append(torch.autograd.grad(distance(student, labeler, 3.0).sum(), student)[0])
    torch.testing.assert_close(*gradients)


def test_mse_ignores_the_temperature():
    a, b = torch.randn(5, 7, generator=rng(1)), torch.randn(5, 7, generator=rng(2))
    torch.testing.assert_close(mse(a, b, 1.0), mse(a, b, 8.0))


def test_isotropic_noise_has_the_asked_spread_and_its_own_generator():
    z = torch.zeros(2000, 10)
    assert isotropic(z, 1.5, rng()).std().item() == pytest.approx(1.5, rel=0.02)
    torch.rand(3)  # the global generator must not matter
    torch.testing.assert_close(isotropic(z, 1.5, rng(3)), isotropic(z, 1.5, rng(3)))


def test_projection_is_onto_the_ball_and_leaves_inner_points():
    centre = torch.ones(2, 3)
    point = centre + torch.tensor([[3.0, 4.0, 0.0], [0.1, 0.0, 0.0]])
    torch.testing.assert_close(project(point, centre, 2.0), centre + torch.tensor([[1.2, 1.6, 0.0], [0.1, 0.0, 0.0]]))


def quadratic(z: torch.Tensor) -> torch.Tensor:
    return (z * torch.tensor([1.0, 2.0])).square().sum(1)


def test_one_ascent_step_by_hand():
    z = torch.tensor([[1.0, 1.0]])  # gradient (2, 8)
    torch.testing.assert_close(ascend(z, quadratic, 1, 0.5, "none"), z + 0.5 * torch.tensor([[2.0, 8.0]]))
    torch.testing.assert_close(ascend(z, quadratic, 1, 0.5, "sign"), z + 0.5)
    unit = torch.tensor([[2.0, 8.0]]) / 68**0.5
    torch.testing.assert_close(ascend(z, quadratic, 1, 0.5, "l2"), z + 0.5 * unit)


def test_zero_steps_stay_and_unknown_norm_is_refused():
    z = torch.ones(2, 2)
    torch.testing.assert_close(ascend(z, quadratic, 0), z)
    with pytest.raises(ValueError, match="l2, sign or none"):
        ascend(z, quadratic, normalise="max")


def test_ascent_stays_in_the_ball():
    z = torch.randn(8, 2, generator=rng())
    moved = ascend(z, quadratic, steps=5, step_size=1.0, radius=0.7)
    assert (moved - z).norm(dim=1).max() <= 0.7 + 1e-5


def test_ascent_gradient_through_decoder_student_and_labeler_equals_finite_differences(data, student):
    teacher, student = data.teacher, student.double().eval()
    teacher.generator.double(), teacher.labeler.double()
    z = torch.randn(3, 6, generator=rng(), dtype=torch.double)

    def disagreement(points):
        decoded = teacher.decode(points)
        return kl(student(decoded), teacher.label(decoded), 2.0)

    step = ascend(z, disagreement, steps=1, step_size=1.0, normalise="none") - z
    h = 1e-5
    for i in range(z.shape[1]):
        offset = torch.zeros_like(z)
        offset[:, i] = h
        slope = (disagreement(z + offset) - disagreement(z - offset)) / (2 * h)
        torch.testing.assert_close(step[:, i], slope.detach(), rtol=1e-3, atol=1e-7)


def test_gradient_exploration_raises_the_disagreement_and_touches_nothing(data, student):
    method = TGT(TGTConfig(explore="gradient", sigma=0.1, step_size=0.3), data, rng())
    student.train()
    student(data.inputs)  # some statistics to disturb
    before = {name: value.clone() for name, value in student.state_dict().items()}
    start = data.latents

    def disagreement(z):
        with torch.no_grad():
            decoded = data.teacher.decode(z)
            student.eval()
            value = kl(student(decoded), data.teacher.label(decoded), 2.0)
            student.train()
        return value.mean()

    moved = method.ascent(student, start, start)
    assert disagreement(moved) > disagreement(start)
    assert student.training
    for name, value in student.state_dict().items():
        torch.testing.assert_close(value, before[name])
    for network in (student, data.teacher.generator, data.teacher.labeler):
        assert all(parameter.grad is None for parameter in network.parameters())


def test_starting_points(data):
    batch = Batch(data, torch.tensor([0, 1, 2]), num_generated=7)
    from_data = TGT(TGTConfig(), data, rng()).starting_points(batch)
    torch.testing.assert_close(from_data, data.latents[torch.tensor([0, 1, 2, 0, 1, 2, 0])])
    counts = torch.bincount(data.labels[data.balanced_indices(4000, rng())], minlength=4)
    assert counts.min() > 900  # 1,000 expected of each class, though one class has 28 samples and another 2


def test_config_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="explore must be one of"):
        TGTConfig(explore="sideways")
    with pytest.raises(ValueError, match="share"):
        TGTConfig(share=1.0)


def test_teacher_says_what_it_lacks():
    with pytest.raises(ValueError, match="no generator"):
        Teacher(None, None).encode(torch.zeros(1))
    with pytest.raises(ValueError, match="no labeler"):
        Teacher(None, None).label(torch.zeros(1))


def test_phases_are_exclusive():
    import time

    from tgt import Costs

    costs = Costs()
    with costs.phase("outer"):
        time.sleep(0.02)
        with costs.phase("inner"):
            time.sleep(0.03)
    assert 0.02 <= costs.seconds["outer"] < 0.03 <= costs.seconds["inner"]
