"""The formulas of single rivals, each against a computation of its own, and what the loop lends them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from baselines.crt import CRT, CRTConfig, DistillationCRT, DistillationCRTConfig
from baselines.distillation import Distillation, DistillationConfig
from baselines.distillation_cutmix import CutMixDistillation
from baselines.distillation_logit_adjusted import AdjustedDistillation, AdjustedDistillationConfig
from baselines.distillation_mixup import MixupConfig
from baselines.dkd import DKD, DKDConfig, other_part, target_part
from baselines.feature_matching import FeatureMatching, FeatureMatchingConfig, contrast
from baselines.mate_kd import MateKD, MateKDConfig, PooledMateKD
from baselines.uda import UDA, UDAConfig
from benchmarks.runs.loop import Schedule, _phases, train
from benchmarks.validation.toys import rng
from tgt import Batch, Costs, Method, features, head, kl

STEPS = 10


def copied(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def moved(module, before):
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


# --- features, layers of a method's own, restarts


@pytest.mark.parametrize("modality", ["image", "text"])
def test_features_are_what_the_last_layer_makes_logits_of(modality, data, student):
    for module, found in (
        (student.eval(), features(student, data.inputs[:5])),
        (data.teacher.labeler, data.teacher.features(data.inputs[:5])),
    ):
        with torch.no_grad():  # as the teacher asks: a frozen labeler of texts is less precise then
            torch.testing.assert_close(head(module)(found[0]), found[1])
            torch.testing.assert_close(found[1], module(data.inputs[:5]))
        assert not head(module)._forward_hooks
    assert data.teacher.costs.counts["labeler_queries"] == 5
    assert not found[0].requires_grad
    torch.testing.assert_close(data.labeler_features[:5], found[0])


@pytest.mark.parametrize("modality", ["retrieval"])
def test_a_network_without_such_a_layer_has_no_features(modality, data, student):
    with pytest.raises(ValueError, match="QueryStudent does not give its logits"):
        features(student, data.inputs[:2])
    with pytest.raises(ValueError, match="ReLU has no linear layer"):
        features(nn.ReLU(), torch.zeros(2, 2))


def test_phases_begin_where_their_share_is_reached():
    assert _phases(1000, ()) == {0: 1000}
    assert _phases(1000, (0.9,)) == {0: 900, 900: 100}
    assert _phases(12, (0.5, 0.9)) == {0: 6, 6: 5, 11: 1}
    assert _phases(3, (0.9,)) == _phases(3, (1.5,)) == {0: 3}


class Watched(Method):
    """Learns a number of its own towards 1; looks at how far the student goes in each step."""

    restarts = (0.5,)

    def __init__(self, *args):
        super().__init__(*args)
        self.own, self.seen, self.progress = nn.Parameter(torch.zeros(())), [], []

    def parameters(self, student):
        return [self.own]

    def loss(self, student, batch):
        self.seen.append(self.own.item())
        self.progress.append(batch.progress)
        return {"own": -self.own, "student": F.cross_entropy(student(batch.inputs), batch.labels)}


def test_the_loop_trains_a_methods_own_layers_and_restarts_its_schedule(data, student):
    method = Watched(Method.Config(lr=0.01), data, rng())
    train(student, method, data, Schedule(STEPS, 8, weight_decay=0.0), rng(), Costs(), lambda step: None)
    assert method.progress == [i / STEPS for i in range(STEPS)]
    steps = np.diff([*method.seen, method.own.item()])  # Adam on a constant gradient: each as long as the learning rate
    cosine = [0.01 * (1 + math.cos(math.pi * i / 5)) / 2 for i in range(5)]
    np.testing.assert_allclose(steps, cosine + cosine, rtol=1e-3)


# --- classifier re-training


@pytest.mark.parametrize("cls", [CRT, DistillationCRT])
def test_crt_trains_all_then_a_new_classifier_alone_on_balanced_samples(cls, data, student):
    config = {CRT: CRTConfig, DistillationCRT: DistillationCRTConfig}[cls](second=0.5)
    method, states, counts = cls(config, data, rng(5)), [], torch.zeros(4)
    whole = method.loss

    def loss(student, batch):
        states.append(copied(student))
        return whole(student, batch)

    drawn = data.balanced_indices

    def balanced(count, generator):
        found = drawn(count, generator)
        counts.add_(data.labels[found].bincount(minlength=4))
        return found

    method.loss, data.balanced_indices = loss, balanced
    start = copied(student)
    train(student, method, data, Schedule(STEPS, 32), rng(7), Costs(), lambda step: None)
    before, last = states[5], {name for name, _ in student.named_parameters() if name.startswith("4.")}
    assert len(last) == 2
    assert moved(student, before) == last  # neither the backbone's weights nor its batch-norm statistics
    assert {name for name in start if "running_mean" in name} <= {
        name for name in start if not torch.equal(start[name], before[name])
    }
    assert student.training is False
    assert counts.sum() == 5 * 64
    assert counts.min() > 50  # 80 expected of each class; as they come 16 of 320 would be of the rarest


def test_the_new_classifier_owes_nothing_to_the_old_one(data, student):
    method = CRT(CRTConfig(second=0.5), data, rng(5))
    old = head(student).weight.clone()
    with torch.no_grad():
        head(student).weight.fill_(100.0)
    method.loss(student, Batch(data, torch.arange(8), progress=0.49))
    assert head(student).weight.min() == 100
    method.loss(student, Batch(data, torch.arange(8), progress=0.5))
    new = head(student).weight.clone()
    assert new.abs().max() <= 0.5  # 1 / sqrt(4 features)
    assert not torch.equal(new, old)
    method.loss(student, Batch(data, torch.arange(8), progress=0.6))
    assert torch.equal(head(student).weight, new)


# --- losses by hand


def test_dkd_with_the_labelers_doubt_as_weight_is_distillation():
    """Equation 6 of the paper: KD = TCKD + (1 - q_y) NCKD."""
    student, labeler = (torch.randn(6, 5, generator=rng(i)) * 3 for i in (1, 2))
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    doubt = 1 - (labeler / 2).softmax(1).gather(1, labels[:, None])[:, 0]
    parts = target_part(student, labeler, labels, 2.0) + doubt * other_part(student, labeler, labels, 2.0)
    torch.testing.assert_close(parts, kl(student, labeler, 2.0))


def test_dkd_by_hand_and_its_warm_up(data, student):
    method = DKD(DKDConfig(temperature=2.0, alpha=1.0, beta=3.0, warmup=0.5), data, rng())
    student.eval()
    ours, theirs = (logits.detach().double().numpy() for logits in (student(data.inputs[:6]), data.labeler_logits[:6]))
    p, q = (np.exp(x / 2) / np.exp(x / 2).sum(1, keepdims=True) for x in (ours, theirs))
    y = data.labels[:6].numpy()
    target = others = 0.0
    for i in range(6):
        target += sum(b * math.log(b / a) for a, b in ((p[i, y[i]], q[i, y[i]]), (1 - p[i, y[i]], 1 - q[i, y[i]])))
        rest = [k for k in range(4) if k != y[i]]
        a, b = p[i, rest] / p[i, rest].sum(), q[i, rest] / q[i, rest].sum()
        others += (b * np.log(b / a)).sum()
    for progress, weight in ((0.0, 0.0), (0.25, 0.5), (0.5, 1.0), (0.9, 1.0)):
        terms = method.loss(student, Batch(data, torch.arange(6), progress=progress))
        assert terms["target"].item() == pytest.approx(weight * 4 * target / 6, abs=1e-5)
        assert terms["others"].item() == pytest.approx(weight * 3 * 4 * others / 6, abs=1e-5)
        torch.testing.assert_close(terms["supervised"], F.cross_entropy(student(data.inputs[:6]), data.labels[:6]))


def test_logit_adjusted_distillation_by_hand(data, student):
    config = AdjustedDistillationConfig(temperature=2.0, tau=1.5, beta=0.9, w_sup=0.3, w_kd=0.6)
    method = AdjustedDistillation(config, data, rng())
    student.eval()
    ours, theirs = (x.detach().double().numpy() for x in (student(data.inputs[:6]), data.labeler_logits[:6]))
    counts, y = np.array([28, 7, 3, 2]), data.labels[:6].numpy()
    shifted = ours + 1.5 * np.log(counts / 40)
    supervised = np.mean([np.log(np.exp(row).sum()) - row[k] for row, k in zip(shifted, y, strict=True)])
    weights = (1 - 0.9) / (1 - 0.9**counts)
    q = np.exp(theirs / 2) * weights
    q /= q.sum(1, keepdims=True)
    p = np.exp(ours / 2) / np.exp(ours / 2).sum(1, keepdims=True)
    terms = method.loss(student, Batch(data, torch.arange(6)))
    assert terms["supervised"].item() == pytest.approx(0.3 * supervised, abs=1e-5)
    assert terms["distillation"].item() == pytest.approx(0.6 * 4 * (q * np.log(q / p)).sum(1).mean(), abs=1e-5)


def test_logit_adjusted_distillation_without_corrections_is_distillation(data, student):
    batch = Batch(data, torch.arange(6))
    plain = Distillation(DistillationConfig(), data, rng()).loss(student.eval(), batch)
    same = AdjustedDistillation(AdjustedDistillationConfig(tau=0.0, beta=0.0), data, rng()).loss(student, batch)
    torch.testing.assert_close(same, plain)
    with pytest.raises(ValueError, match="beta must be at least 0 and below 1"):
        AdjustedDistillationConfig(beta=1.0)


def test_contrast_by_hand():
    labels = torch.tensor([0, 0, 1, 2])
    ours, theirs = (F.normalize(torch.randn(4, 3, generator=rng(i), dtype=torch.double)) for i in (1, 2))
    by_hand = 0.0
    for i in range(4):
        near = [j for j in range(4) if j == i or labels[j] != labels[i]]
        forward = {j: math.exp(ours[i] @ theirs[j] / 0.5) for j in near}
        backward = {j: math.exp(ours[j] @ theirs[i] / 0.5) for j in near}
        by_hand -= math.log(forward[i] / sum(forward.values())) + math.log(backward[i] / sum(backward.values()))
    assert contrast(ours, theirs, labels, 0.5).item() == pytest.approx(by_hand / 4)


def test_feature_matching_learns_its_layers_and_asks_for_each_sample_twice(data, student):
    method = FeatureMatching(FeatureMatchingConfig(width=8), data, rng(5))
    before = [parameter.detach().clone() for parameter in method.parameters(student)]
    assert [tuple(p.shape) for p in before] == [(8, 4), (8,), (8, head(data.teacher.labeler).in_features), (8,)]
    values = []
    train(student, method, data, Schedule(60, 8), rng(), data.teacher.costs, lambda step: None)
    assert all(not torch.equal(a, b) for a, b in zip(before, method.parameters(student), strict=True))
    assert data.teacher.costs.counts["labeler_queries"] == 80  # logits and features of 40 samples
    fresh = FeatureMatching(FeatureMatchingConfig(width=8), data, rng(5))
    for one in (fresh, method):
        values.append(one.loss(student.eval(), Batch(data, torch.arange(40)))["features"].item())
    assert values[1] < values[0]


# --- mixed samples


def test_cutmix_puts_one_box_of_another_sample_of_the_drawn_size(data):
    data.inputs = torch.arange(40.0).view(40, 1, 1, 1).expand(40, 1, 16, 16).contiguous()
    method = CutMixDistillation(MixupConfig(), data, rng(3))
    batch = Batch(data, torch.arange(40), num_generated=2000)
    state = method.rng.get_state()
    mixed = method.mix(batch)[:, 0]
    method.rng.set_state(state)
    first, second, weight = method.pairs(batch)
    box = mixed != first[:, None, None]
    assert (mixed[box] == second[:, None, None].expand_as(mixed)[box]).all()
    other = first != second
    rows, columns = box.any(2).sum(1), box.any(1).sum(1)
    assert torch.equal(box.sum((1, 2)), rows * columns)  # one rectangle
    longest = 2 * ((1 - weight).sqrt() * 16).floor().long().div(2, rounding_mode="floor")
    assert (rows <= longest).all()
    whole = other & (rows == longest) & (columns == longest)  # not cut off at an edge
    assert whole.sum() > 300
    area = box[whole].sum((1, 2)) / 256
    torch.testing.assert_close(area, 1 - weight[whole], atol=0.26, rtol=0)  # sides are rounded down to even numbers
    assert 0 < ((1 - weight[whole]) - area).mean() < 0.1


# --- training signal annealing


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("log", [0.25, 0.25 + 0.75 * 0.9179, 0.25 + 0.75 * 0.9933]),
        ("linear", [0.25, 0.625, 1.0]),
        ("exp", [0.25 + 0.75 * 0.00674, 0.25 + 0.75 * 0.0821, 1.0]),
        ("none", [9.0, 9.0, 9.0]),
    ],
)
def test_annealing_leaves_out_what_the_student_knows_too_well(schedule, expected, data):
    method = UDA(UDAConfig(annealing=schedule), data, rng())
    shares = torch.linspace(0.02, 0.98, 49)
    logits = torch.stack([shares.log(), *[((1 - shares) / 3).log()] * 3], 1)
    labels = torch.zeros(49, dtype=torch.long)
    for progress, threshold in zip((0.0, 0.5, 1.0), expected, strict=True):
        by_hand = -shares[shares < threshold].log().mean()
        torch.testing.assert_close(method.supervised(logits, labels, progress), by_hand)
    sure = torch.tensor([[9.0, 0, 0, 0]])
    assert method.supervised(sure, labels[:1], 0.0) == (0 if schedule != "none" else F.cross_entropy(sure, labels[:1]))


# --- adversarial words


@pytest.fixture
def filler(data):
    return MateKD(MateKDConfig(masked=0.5, generator_lr=0.05, temperature=1.0), data, rng(5))


@pytest.mark.parametrize("modality", ["text"])
def test_mate_kd_fills_missing_words_alone_as_its_generator_distributes_them(modality, data, filler):
    texts = data.inputs[:1].repeat(3000, 1)
    missing = torch.zeros_like(texts, dtype=torch.bool)
    missing[:, 2] = True
    latents = data.teacher.encode(texts[:1]).repeat(3000, 1, 1).masked_fill(missing[..., None], 0)
    with torch.no_grad():
        filled, soft = filler.fill(texts, missing, latents)
        wanted = data.teacher.generator.logits(latents[:1])[0, 2]
    assert torch.equal(filled[~missing], texts[~missing])
    wanted[:2] = -math.inf
    found = filled[:, 2].bincount(minlength=len(wanted)) / 3000
    torch.testing.assert_close(found, wanted.softmax(0), atol=0.03, rtol=0)
    torch.testing.assert_close(soft.sum(1), torch.ones(3000))


@pytest.mark.parametrize("modality", ["text"])
def test_mate_kds_generator_learns_to_raise_the_disagreement_and_nothing_else_moves(modality, data, student, filler):
    texts = data.inputs
    missing = texts != 0
    missing[:, ::2] = False
    latents = data.teacher.encode(texts).masked_fill(missing[..., None], 0)
    before = copied(student), copied(data.teacher.generator), copied(data.teacher.labeler)

    def disagreement():
        values = []
        with torch.no_grad():
            for seed in range(8):
                filler.rng = rng(seed)
                filled, _ = filler.fill(texts, missing, latents)
                values.append(kl(student(filled), data.teacher.labeler(filled)).mean().item())
        return np.mean(values)

    start = disagreement()
    for _ in range(10):
        filler.train_filler(student, texts, missing, latents)
    assert disagreement() > 1.02 * start
    parts = (student, data.teacher.generator, data.teacher.labeler)
    assert all(not moved(part, kept) for part, kept in zip(parts, before, strict=True))
    assert all(parameter.grad is None for part in parts for parameter in part.parameters())
    assert filler.filler.encoder is data.teacher.generator.encoder


@pytest.mark.parametrize("modality", ["text"])
def test_mate_kds_generator_learns_once_a_renewal_and_not_while_the_pool_is_filled(modality, data, student):
    method = PooledMateKD(PooledMateKD.Config(pool=12, renew=4, every=2), data, rng(5))
    start = copied(method.filler)
    changed = []
    for _ in range(4):
        method.generate(student, Batch(data, torch.arange(8), num_generated=5))
        changed.append(bool(moved(method.filler, start)))
        start = copied(method.filler)
    assert changed == [False, False, True, False]
    assert data.teacher.costs.counts["gradient_evaluations"] == 4
    assert data.teacher.costs.counts["labeler_queries"] == 12 + 4 + 4  # of the step up, and of what is kept


def test_mate_kd_refuses_pixels(data):
    with pytest.raises(ValueError, match="fills in words"):
        MateKD(MateKDConfig(), data, rng())
