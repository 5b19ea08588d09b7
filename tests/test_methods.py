"""The contract that every row of the tables keeps, and what is particular to single methods."""

from __future__ import annotations

import itertools
import math
import re

import pytest
import torch
from torch.nn import functional as F

from baselines.distillation import Distillation, DistillationConfig
from baselines.distillation_mixup import MixupConfig, MixupDistillation
from baselines.logit_adjusted import LogitAdjusted, LogitAdjustedConfig
from baselines.substitution import Substitution, SubstitutionConfig
from baselines.uda import UDA, UDAConfig
from benchmarks.core import paths
from benchmarks.registry import tasks
from benchmarks.registry.methods import METHODS
from benchmarks.runs.loop import Diverged, Schedule, index_batches, train
from benchmarks.validation import method_checks as contract
from benchmarks.validation.toys import rng
from tgt import Batch, Costs, Method, PooledTGT, PooledTGTConfig

TASK = {"image": tasks.get("fashion-lt"), "text": tasks.get("movie-5"), "retrieval": tasks.get("wiki-titles")}
#: Every row on every modality that it is for.
FITTING = [(name, modality) for name, row in METHODS.items() for modality, task in TASK.items() if not row.unfit(task)]
#: Where samples enter and leave a generator.
DOORS = {"image": ("encoder", "decoder"), "text": ("encoder", "body"), "retrieval": ("encoder", "begin")}


def build(name: str, data) -> Method:
    row = METHODS[name]
    pool = {"pool": 12, "renew": 4, "every": 2} if "pool" in row.load().Config.__dataclass_fields__ else {}
    return row.load()(row.load().Config(**row.fixed, **pool), data, rng(5))


def run(name, data, student, steps=3, match="samples"):
    costs = data.teacher.costs
    method = build(name, data)
    seen = []
    hook = student.register_forward_pre_hook(lambda module, args: seen.append((module.training, len(args[0]))))
    train(student, method, data, Schedule(steps, 8, match), rng(7), costs, lambda step: None)
    hook.remove()
    return costs.counts, [count for training, count in seen if training]


@pytest.mark.parametrize(("name", "modality"), FITTING)
@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
def test_contract(name, modality, check):
    check(contract.Trial(name, modality))


@pytest.mark.parametrize(("name", "modality"), FITTING)
def test_counters_are_true(name, modality, data, student):
    """Counted by the wrappers = seen at the networks' doors."""
    passed = {"labeler_queries": 0, "encodes": 0, "decodes": 0}

    def count(key):
        return lambda module, args: passed.__setitem__(key, passed[key] + len(args[0]))

    data.teacher.labeler.register_forward_pre_hook(count("labeler_queries"))
    encoder, decoder = (getattr(data.teacher.generator, door) for door in DOORS[modality])
    encoder.register_forward_pre_hook(count("encodes"))
    decoder.register_forward_pre_hook(count("decodes"))
    counts, _ = run(name, data, student)
    if name.startswith("data-free"):  # decodes with a generator of its own, a batch of 16 every few steps
        passed["decodes"] = 16
    assert {key: counts[key] for key in passed} == passed
    # Three steps with 8 generated samples each; a pool has 4 of its samples renewed once.
    pools = dict.fromkeys(("tgt-gradient-pool", "tgt-gradient-passages-pool", "mate-kd-pool"), 4)
    expected = {"data-free": 16, "tgt-gradient": 24, "tgt-gradient-balanced": 24, **pools}
    assert counts["gradient_evaluations"] == expected.get(name.removesuffix("-long"), 0)


def test_a_row_says_why_it_is_not_for_a_task():
    unfit = {name: [modality for modality, task in TASK.items() if row.unfit(task)] for name, row in METHODS.items()}
    assert {name: found for name, found in unfit.items() if found} == {
        **{
            name: ["text", "retrieval"]
            for name in (
                "crt",
                "distillation-crt",
                "feature-matching",
                "distillation-mixup",
                "distillation-mixup-long",
                "distillation-cutmix",
                "data-free",
                "data-free-long",
                "tgt-random-stored",
            )
        },
        **{
            name: ["image", "retrieval"]
            for name in ("mate-kd-pool", "substitution-pool", "pretrained-one-hot", "pretrained-distillation")
        },
        **{
            name: ["image", "text"]
            for name in (
                "distillation-scores",
                "sbert-kl",
                "sbert-margin-mse",
                "corpus-pool",
                "inverse-cloze-pool",
                "tgt-random-passages-pool",
                "tgt-gradient-passages-pool",
            )
        },
    }
    assert METHODS["data-free"].unfit(TASK["text"]) == "it is for image tasks, and movie-5 is one of text"


@pytest.mark.parametrize("modality", TASK)
def test_a_pool_is_filled_once_and_renewed_from_its_oldest(modality, data, student):
    method = build("tgt-random-pool", data)
    seen = []
    for _ in range(6):
        shown, targets = method.generate(student, Batch(data, torch.arange(8), num_generated=5))
        assert len(shown) == len(targets) == 5
        seen.append(method.targets.clone())
    changed = [[i for i in range(12) if not torch.equal(a[i], b[i])] for a, b in itertools.pairwise(seen)]
    assert changed[0] == changed[2] == changed[4] == []
    assert set(changed[1]) <= {0, 1, 2, 3}
    assert set(changed[3]) <= {4, 5, 6, 7}
    assert data.teacher.costs.counts["labeler_queries"] == 12 + 4 + 4
    torch.testing.assert_close(method.targets, data.teacher.label(method.inputs))


def test_the_control_of_the_ascent_steps_as_far_elsewhere(data, student):
    method = PooledTGT(PooledTGTConfig(explore="gradient", direction="random", step_size=3.0), data, rng(5))
    start = data.latents[:6]
    assert torch.equal(method.ascent(student, start, start), start)  # the pool is filled by noise alone
    method.step = 10
    moved = method.ascent(student, start, start)
    torch.testing.assert_close((moved - start).norm(dim=1), torch.full((6,), 3.0))
    method.config = PooledTGTConfig(explore="gradient", step_size=3.0)
    torch.testing.assert_close((method.ascent(student, start, start) - start).norm(dim=1), torch.full((6,), 3.0))


@pytest.mark.parametrize("modality", ["text"])
def test_substituted_words_are_ones_used_alike_and_padding_stays(modality, data):
    method = Substitution(SubstitutionConfig(replaced=0.5, neighbours=3, seen=9), data, rng(5))
    texts = method.substitute(torch.arange(40))
    moved = texts != data.inputs
    assert 0.35 < moved[data.inputs != 0].float().mean() < 0.65
    assert not moved[data.inputs == 0].any()
    assert data.teacher.costs.counts["encodes"] == 80  # the unlabelled texts, and the real ones
    states = {word: [] for word in data.unlabelled.unique().tolist() if word > 1}
    for text, latents in zip(data.unlabelled.tolist(), data.teacher.generator.encode(data.unlabelled), strict=True):
        for word, latent in zip(text, latents, strict=True):
            if word > 1:
                states[word].append(latent)
    centre = torch.stack([state for found in states.values() for state in found]).mean(0)
    often = {word: torch.stack(found).mean(0) - centre for word, found in states.items() if len(found) >= 9}
    means = {word: F.normalize(mean, dim=0) for word, mean in often.items()}
    assert 2 < len(means) < len(states)
    assert set(texts[moved].tolist()) <= means.keys()
    for row, place in moved.nonzero().tolist():
        old, new = data.inputs[row, place].item(), texts[row, place].item()
        state = data.latents[row, place] - centre
        nearer = [word for word, mean in means.items() if word != old and state @ mean > state @ means[new] + 1e-4]
        assert len(nearer) < 3


def test_substitution_of_pixels_is_refused(data):
    with pytest.raises(ValueError, match="replaces words"):
        Substitution(SubstitutionConfig(), data, rng(5))


@pytest.mark.parametrize("modality", TASK)
def test_consistency_teaches_only_where_the_student_is_sure(modality, data, student):
    batch = Batch(data, torch.arange(8), num_generated=8)
    doubtful = UDA(UDAConfig(confidence=1.1), data, rng(5)).loss(student, batch)
    sure = UDA(UDAConfig(confidence=0.0), data, rng(5)).loss(student, batch)
    assert doubtful["consistency"] == 0
    assert sure["consistency"] > 0


def test_the_method_in_the_readme_trains(data, student):
    names: dict = {}
    exec(readme_code("class Mine"), names)
    mine = names["Mine"](names["MineConfig"](), data, rng())
    before = [parameter.detach().clone() for parameter in student.parameters()]
    train(student, mine, data, Schedule(2, 8), rng(), Costs(), lambda step: None)
    assert any(not torch.equal(a, b) for a, b in zip(before, student.parameters(), strict=True))


def readme_code(fragment):
    blocks = re.findall(r"```python\n(.*?)```", (paths.ROOT / "README.md").read_text(), re.DOTALL)
    (found,) = [block for block in blocks if fragment in block]
    return found


def test_the_loop_in_the_readme_runs_as_it_stands(capsys):
    names: dict = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the layers draw from the global generator
        exec(readme_code("Teacher("), names)
    assert "'labeler_queries': 3200" in capsys.readouterr().out
    with torch.no_grad():  # it teaches: the student answers as the labeler does
        inputs = torch.randn(100, 32, generator=rng())
        agree = names["student"](inputs).argmax(1) == names["teacher"].label(inputs).argmax(1)
    assert agree.float().mean() > 0.4


def test_match_real_gives_equal_real_samples():
    assert Schedule(1, 64, "real").step_sizes(1.0) == (64, 0)
    assert Schedule(1, 64, "real").step_sizes(0.5) == (64, 64)
    assert Schedule(1, 64, "samples").step_sizes(1.0) == (128, 0)
    assert Schedule(1, 64, "samples").step_sizes(0.5) == (64, 64)
    assert Schedule(1, 64, "samples").step_sizes(0.0) == (0, 128)
    assert Schedule(1, 64, "samples").step_sizes(0.75) == (96, 32)


def test_batches_pass_over_all_samples_before_any_returns():
    batches = index_batches(10, 4, rng())
    drawn = torch.cat([next(batches) for _ in range(5)])
    assert sorted(drawn[:10].tolist()) == list(range(10)) == sorted(drawn[10:].tolist())


def test_distillation_weights_by_hand(data, student):
    method = Distillation(DistillationConfig(temperature=2.0, w_sup=0.3, w_kd=0.6), data, rng())
    batch = Batch(data, torch.arange(6))
    logits = student.eval()(batch.inputs)
    terms = method.loss(student, batch)
    target = F.softmax(data.teacher.label(batch.inputs) / 2, 1)
    by_hand = (target * (target.log() - F.log_softmax(logits / 2, 1))).sum(1).mean() * 4
    torch.testing.assert_close(terms["distillation"], 0.6 * by_hand)
    torch.testing.assert_close(terms["supervised"], 0.3 * F.cross_entropy(logits, batch.labels))


def test_logit_adjustment_by_hand(data, student):
    method = LogitAdjusted(LogitAdjustedConfig(tau=1.0), data, rng())
    torch.testing.assert_close(method.adjustment, (torch.tensor([28.0, 7, 3, 2]) / 40).log())


def test_mixup_stays_between_its_inputs_and_is_uniform_at_alpha_one(data):
    method = MixupDistillation(MixupConfig(), data, rng())
    mixed = method.mix(Batch(data, torch.arange(8), num_generated=16))
    assert mixed.shape == (16, 1, 8, 8)
    assert mixed.min() >= data.inputs[:8].min()
    assert mixed.max() <= data.inputs[:8].max()


def test_a_loss_that_is_no_number_stops_the_run(data, student):
    data.inputs[:] = math.nan
    with pytest.raises(Diverged, match="loss is nan"):
        train(student, build("one-hot", data), data, Schedule(2, 8), rng(), Costs(), lambda step: None)
