"""What a run's diagnostics say: of what a method made, how far it explored, and what to be warned of."""

from __future__ import annotations

import copy

import pytest
import torch
from test_stats_and_tables import record

from benchmarks.analysis import diagnostics
from benchmarks.records.groups import Group, grouped
from benchmarks.registry.methods import METHODS
from benchmarks.report import tables
from benchmarks.runs import diagnose as probe
from benchmarks.runs import loop
from tgt import TGT, TGTConfig

SCHEDULE = loop.Schedule(steps=10, batch=8)


def method_of(name, data, **config):
    row = METHODS[name]
    return row.load()(row.load().Config(**{**row.fixed, **config}), data, torch.Generator().manual_seed(0))


def made(name, data, student, **config):
    return probe.made_samples(method_of(name, data, **config), student, data, SCHEDULE)


@pytest.mark.parametrize("name", ["one-hot", "distillation", "logit-adjusted"])
def test_who_shows_the_real_samples_alone_made_nothing(name, data, student):
    assert made(name, data, student) is None


@pytest.mark.parametrize("name", ["tgt-random", "tgt-gradient", "prior-sampling", "data-free"])
def test_what_a_method_makes_is_seen_and_the_student_stays_as_it_was(name, data, student):
    before = copy.deepcopy(student.state_dict())
    found, logits = made(name, data, student)
    assert logits.equal(data.teacher.labeler(found))
    assert found.shape[1:] == data.inputs.shape[1:]
    assert 100 < len(found) <= probe.SAMPLES
    assert not set(probe.contents(found.numpy())) & set(probe.contents(data.inputs.numpy()))
    assert all(value.equal(before[name]) for name, value in student.state_dict().items())


def test_balanced_repeats_are_copies(data, student):
    found, _ = made("distillation-balanced", data, student)
    assert set(probe.contents(found.numpy())) <= set(probe.contents(data.inputs.numpy()))


@pytest.mark.parametrize("modality", ["text", "retrieval"])
def test_of_a_pool_the_pool_is_looked_at(data, student):
    method = method_of("tgt-random-pool", data, pool=16, renew=2, every=1, sigma=0.5)
    loop.train(student, method, data, loop.Schedule(2, 8), torch.Generator(), method.teacher.costs, lambda step: None)
    found, logits = probe.made_samples(method, student, data, SCHEDULE)
    assert len(found) == len(logits) == 16
    assert sorted(probe.contents(found.numpy())) == sorted(probe.contents(method.inputs.numpy()))


def explored(data, student, **config):
    method = TGT(TGTConfig(**config), data, torch.Generator().manual_seed(0))
    with torch.no_grad():
        return probe._explored(method, student.eval(), data, torch.Generator().manual_seed(1))


def test_who_does_not_move_keeps_everything(data, student):
    found = explored(data, student, sigma=0.0)
    assert (found["latent_distance"], found["input_distance"], found["class_kept"]) == (0, 0, 1)
    assert found["disagreement_start"] == found["disagreement_end"] > 0


def test_ascent_goes_its_steps_and_raises_the_disagreement(data, student):
    found = explored(data, student, sigma=0.0, explore="gradient", ascent_steps=1, step_size=0.25, temperature=1.0)
    assert found["latent_distance"] == pytest.approx(0.25, abs=1e-4)
    assert found["disagreement_end"] > found["disagreement_noise"] == found["disagreement_start"]


def test_noise_goes_as_far_as_its_dimensions_say(data, student):
    found = explored(data, student, sigma=2.0)
    assert found["latent_distance"] == pytest.approx(2 * 6**0.5, rel=0.3)  # six dimensions


def test_effective_classes_by_hand():
    assert probe._effective(torch.eye(4)) == pytest.approx(4)
    assert probe._effective(torch.eye(4)[[0, 0, 1, 1]]) == pytest.approx(2)
    assert probe._effective(torch.eye(4)[[2, 2]]) == pytest.approx(1)


def test_warnings():
    sound = {"predicted_classes": 8, "labelled_classes": 9, "made_classes": 5, "real_classes": 6, "made_copies": 0.1}
    assert diagnostics.warnings(sound) == []
    assert diagnostics.warnings({}) == []
    for name, value, word in (
        ("predicted_classes", 4.4, "collapsed"),
        ("made_classes", 2.9, "effective number of classes"),
        ("made_duplicates", 0.6, "duplicates"),
        ("made_copies", 0.6, "copies"),
    ):
        (told,) = diagnostics.warnings({**sound, name: value})
        assert word in told


def test_the_table_is_of_means_and_of_every_seeds_warnings():
    looked = [record("tgt-random", seed, 0.8) for seed in range(3)]
    looked[0].diagnostics = {"made_agreement": 0.5, "made_copies": 0.9}
    looked[0].costs["decodes"] = 100
    looked[1].diagnostics = {"made_agreement": 0.7}
    again = record("distillation-balanced", 0, 0.7)  # shows training samples again, decodes nothing: no alarm
    again.diagnostics = {"made_copies": 1.0}
    assert diagnostics.of_group({again.spec.method: {0: again}}) == []
    frame = diagnostics.frame(grouped([(r.spec, r) for r in [*looked, record("one-hot", 0, 0.7)]]))
    assert frame.method.tolist() == ["tgt-random"]
    assert frame.n_seeds.tolist() == [2]
    assert frame.made_agreement.tolist() == [pytest.approx(0.6)]
    assert "copies" in frame.alarms[0]
    (group,) = grouped([(r.spec, r) for r in looked]).values()
    (told,) = diagnostics.of_group(group)
    assert "copies of training samples" in told
    assert told.endswith(": tgt-random (1 of 2 runs)")
    assert told in tables.grid(Group("fashion-lt", "full", 2478, "samples"), group).markdown()
    assert frame.held_out_kl.isna().all()
