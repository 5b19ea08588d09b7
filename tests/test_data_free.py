"""Data-free distillation: what its generator makes, what it learns by, and what it leaves alone."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from baselines.data_free import DataFree, DataFreeConfig, NoiseDecoder, distance
from baselines.replay import Replay
from benchmarks.runs.loop import Schedule, train
from benchmarks.validation import toys
from benchmarks.validation.toys import rng
from tgt import Costs, Teacher, TrainingData, kl


def made(data, student, steps=1, count=16, seed=5, **config):
    """The generator after some steps, with the last fakes and the labeler's logits of them."""
    method = DataFree(DataFreeConfig(**config), data, rng(seed))
    for _ in range(steps):
        fakes, logits = method.train_decoder(student, count)
    return method, fakes, logits


def taught(data, student, steps=6, seed=5, **config):
    method = DataFree(DataFreeConfig(**config), data, rng(seed))
    train(student, method, data, Schedule(steps, 8), rng(7), Costs(), lambda step: None)
    return method


def learn(labeler, inputs, labels):
    """Teach the toy labeler its data, every class equally often, and freeze it again."""
    labeler.train().requires_grad_(True)
    optimiser = torch.optim.Adam(labeler.parameters(), lr=1e-2)
    balanced = torch.cat([(labels == c).nonzero()[:, 0].repeat(14)[:14] for c in range(4)])
    for _ in range(60):
        optimiser.zero_grad()
        F.cross_entropy(labeler(inputs[balanced]), labels[balanced]).backward()
        optimiser.step()
    labeler.eval().requires_grad_(False)


def classes(logits):
    """Effective number of classes: exp of the entropy of the mean answer."""
    return torch.special.entr(logits.softmax(1).mean(0)).sum().exp().item()


def test_fakes_are_images_and_differ(data, student):
    learn(data.teacher.labeler, data.inputs, data.labels)
    method, _, _ = made(data, student, steps=30, generator_lr=1e-2)
    fakes = method.decoder(torch.randn(64, 100, generator=rng()) * 5)
    assert fakes.shape == (64, 1, 8, 8)
    assert fakes.min() >= 0
    assert fakes.max() <= 1
    assert fakes.std(0).mean() > 0.05


def test_the_labeler_gives_the_fakes_all_classes(data, student):
    """The labeler has learnt its four classes, which differ in brightness."""
    learn(data.teacher.labeler, data.inputs, data.labels)
    assert (data.teacher.label(data.inputs).argmax(1) == data.labels).float().mean() > 0.9
    settings = {"steps": 60, "count": 32, "generator_lr": 1e-2}
    _, _, logits = made(data, student, **settings)
    assert logits.argmax(1).bincount(minlength=4).min() >= 2
    _, _, alone = made(data, student, **settings, w_batch_norm=0.0)
    _, _, without = made(data, student, **settings, w_batch_norm=0.0, w_balance=0.0)
    assert classes(alone) > 3.5
    assert classes(alone) > classes(without) + 0.5


def test_the_generator_gets_the_adversarial_gradient(data, student):
    """The bug of a well-known repository: student and teacher the same network there, so no gradient at all."""
    alone = {"w_one_hot": 0.0, "w_balance": 0.0, "w_batch_norm": 0.0}
    start = DataFree(DataFreeConfig(**alone), data, rng(5)).decoder.state_dict()
    method, _, _ = made(data, student, **alone)
    moved = [not torch.equal(start[name], value) for name, value in method.decoder.named_parameters()]
    assert all(moved)
    assert sum(parameter.grad.abs().sum() for parameter in method.decoder.parameters()) > 0


def test_the_adversarial_term_alone_raises_the_disagreement(data, student):
    def disagreement(steps):
        alone = {"w_one_hot": 0.0, "w_balance": 0.0, "w_batch_norm": 0.0}
        _, fakes, logits = made(data, student.eval(), steps, generator_lr=1e-2, **alone)
        return kl(student(fakes), logits).mean()

    learn(data.teacher.labeler, data.inputs, data.labels)
    assert disagreement(40) > 1.2 * disagreement(1)


def test_the_generators_step_leaves_the_student_as_it_was(data, student):
    student.train()
    before = copy.deepcopy(student.state_dict())
    made(data, student)
    assert student.training
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())
    assert all(parameter.grad is None for parameter in student.parameters())
    assert not any(module._forward_pre_hooks for module in data.teacher.labeler.modules())


def test_the_distance_of_statistics_by_hand():
    norm = nn.BatchNorm2d(2)
    norm.running_mean.copy_(torch.tensor([1.0, -1.0]))
    norm.running_var.copy_(torch.tensor([4.0, 9.0]))
    inputs = torch.randn(5, 2, 3, 3, generator=rng())
    mean, variance = inputs.mean((0, 2, 3)), inputs.var((0, 2, 3), correction=0)
    by_hand = (mean - norm.running_mean).square().sum().sqrt() + (variance - norm.running_var).square().sum().sqrt()
    torch.testing.assert_close(distance(norm, inputs), by_hand)
    norm.momentum = 1.0
    norm(inputs)  # the variance it keeps is that of a sample: n / (n - 1) times as large
    norm.running_var.mul_(44 / 45)
    assert distance(norm, inputs) < 1e-5


def test_the_terms_by_hand(data, student):
    config = DataFreeConfig(w_adversarial=0.5, w_one_hot=2.0, w_balance=3.0, w_batch_norm=0.25)
    method = DataFree(config, data, rng(5))
    logits, ours = torch.randn(2, 6, 4, generator=rng())
    norms = [torch.randn(6, norm.num_features, 2, 2, generator=rng()) for norm in method.norms]
    terms = method.terms(logits, ours, norms)
    answers = logits.softmax(1)
    mean = answers.mean(0)
    torch.testing.assert_close(terms["adversarial"], -0.5 * (answers * (answers / ours.softmax(1)).log()).sum() / 6)
    torch.testing.assert_close(terms["one_hot"], -2.0 * answers.max(1).values.log().mean())
    torch.testing.assert_close(terms["balance"], 3.0 * (mean * mean.log()).sum())
    by_norm = [distance(norm, inputs) for norm, inputs in zip(method.norms, norms, strict=True)]
    torch.testing.assert_close(terms["batch_norm"], 0.25 * sum(by_norm))


def test_a_labeler_without_batch_norm_is_no_obstacle(student):
    labeler = toys.seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), 0)
    data = TrainingData(torch.zeros(40, 1, 8, 8), toys.LABELS, 4, Teacher(None, labeler))
    method = taught(data, student)
    assert method.norms == []
    assert list(method.terms(torch.zeros(2, 4), torch.zeros(2, 4), [])) == ["adversarial", "one_hot", "balance"]


def test_equal_seeds_make_equal_fakes_and_others_do_not(data):
    def fakes(seed):
        torch.rand(seed)  # what else is drawn plays no part
        return taught(data, toys.student("image"), seed=seed).memory.inputs[:32]

    assert torch.equal(fakes(5), fakes(5))
    assert not torch.equal(fakes(5), fakes(6))


def test_a_batch_is_made_every_few_steps_and_the_memory_keeps_its_size(data, student):
    method = taught(data, student, steps=10, student_steps=3, memory=2)
    assert method.memory.added == 4 * 16  # at steps 0, 3, 6 and 9
    assert len(method.memory) == len(method.memory.inputs) == 2 * 16
    torch.testing.assert_close(method.memory.targets, data.teacher.label(method.memory.inputs))


def test_replay_keeps_the_last_samples_with_their_targets():
    memory = Replay(5)
    for start in (0, 3, 6):
        numbers = torch.arange(start, start + 3.0)
        memory.add(numbers[:, None], -numbers)
    assert len(memory) == 5
    inputs, targets = memory.sample(200, rng())
    assert set(inputs[:, 0].tolist()) == {4.0, 5.0, 6.0, 7.0, 8.0}
    assert torch.equal(inputs[:, 0], -targets)
    memory.add(torch.arange(20.0)[:, None], torch.arange(20.0))
    assert set(memory.sample(200, rng())[1].tolist()) == {15.0, 16.0, 17.0, 18.0, 19.0}


def test_replay_draws_from_what_it_has():
    memory = Replay(100)
    memory.add(torch.ones(2, 3, requires_grad=True) * 2, torch.tensor([7, 8]))
    inputs, targets = memory.sample(50, rng())
    assert inputs.eq(2).all()
    assert not inputs.requires_grad
    assert set(targets.tolist()) == {7, 8}


def test_the_data_are_never_read(data, student):
    data.inputs, data.labels = torch.full_like(data.inputs, math.nan), torch.full_like(data.labels, -1)
    method = taught(data, student)
    assert method.memory.inputs[:32].isfinite().all()


@pytest.mark.parametrize("wrong", [{"w_balance": -1.0}, {"student_steps": 0}, {"memory": 0}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DataFreeConfig(**wrong)


def test_sides_that_no_upsampling_reaches_are_refused():
    with pytest.raises(ValueError, match="multiples of 4, not 8 x 30"):
        NoiseDecoder(10, 4, (1, 8, 30))
