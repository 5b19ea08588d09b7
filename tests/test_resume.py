"""A run that is killed and goes on ends as one that nobody disturbed: to the bit, for every row on every modality.

That saving disturbs nothing is seen where processes are killed; in the rows' own tests the run that saved is compared
with, for half the time.
"""

from __future__ import annotations

import os
import random
import signal
from types import SimpleNamespace

import pytest
import torch
from test_contract import PLAIN, body, register  # noqa: F401

from benchmarks.networks.vector import PrincipalComponents, perceptron
from benchmarks.registry.methods import METHODS
from benchmarks.runs import loop, resume
from benchmarks.runs.guard import contained
from benchmarks.validation import method_checks, toys
from benchmarks.validation.trial import Trial
from tgt import Teacher, TrainingData

STEPS, BATCH = 5, 4
ROWS = [
    (modality, name)
    for modality in (*toys.MODALITIES, "vector")
    for name, row in METHODS.items()
    if row.domain in ("", modality) and (modality != "vector" or modality in row.tables)
]
OF = {"key": "a", "code_sha256": "b"}


class OfVectors(Trial):
    def start(self):
        networks = PrincipalComponents(6, 3), toys.seeded(lambda: perceptron(6, 8, toys.CLASSES), 0)
        inputs = torch.randn(40, 6, generator=toys.rng())
        data = TrainingData(inputs, toys.LABELS.clone(), toys.CLASSES, Teacher(*networks))
        student = toys.seeded(lambda: perceptron(6, 8, toys.CLASSES), 1)
        return data, student, self.cls(self.config, data, toys.rng(5))


class Killed(Exception):
    pass


class Mortal(resume.Keeper):
    """Saves after a step, and dies after another."""

    saves, dies = 0, 0

    def after(self, step):
        self.every = 0.0 if step == self.saves else 1e9
        super().after(step)
        if step == self.dies:
            self.die()

    def die(self):
        raise Killed


def train(trial, path=None, saves=0, dies=0, of=OF, die=Mortal.die):
    """Student and costs at the end of a run; with a path, of one that saves its state there and dies."""
    data, student, method = trial.start()
    keeper, costs = None, data.teacher.costs
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        if path:
            evaluation = SimpleNamespace(curve=[], hits="")
            keeper = Mortal(path, of, "the run", 0.0, costs, evaluation, [torch.default_generator])
            keeper.saves, keeper.dies, keeper.die = saves, dies, lambda: die(keeper)
        with keeper.hearing() if keeper else contained(), costs.phase("untracked"):
            schedule = loop.Schedule(STEPS, BATCH)
            loop.train(student, method, data, schedule, toys.rng(7), costs, lambda step: None, keeper=keeper)
    return student, costs


def equal(one, other):
    return all(torch.equal(*pair) for pair in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize(("modality", "name"), ROWS)
def test_what_goes_on_from_a_state_has_the_end_of_the_run_that_saved_it(modality, name, tmp_path, capsys):
    trial = (OfVectors if modality == "vector" else Trial)(name, modality)
    path, step = tmp_path / "a", random.Random(name + modality).randint(1, STEPS)
    whole, paid = train(trial, path, step)
    student, costs = train(trial, path)
    assert f"the run goes on after step {step}" in capsys.readouterr().err
    assert equal(student, whole)
    assert costs.counts == paid.counts
    assert costs.seconds.keys() == paid.seconds.keys()


def train_and_be_killed(number, *words):
    """In a process of its own, which sends itself a signal; how it ended."""
    pid = os.fork()
    if not pid:
        try:
            train(*words, die=lambda keeper: os.kill(os.getpid(), number))
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize(
    ("modality", "name"), [("image", "data-free"), ("text", "mate-kd-pool"), ("retrieval", "tgt-gradient-pool")]
)
def test_after_a_real_kill_it_is_the_same(modality, name, tmp_path):
    """SIGKILL some steps after the state was saved; then SIGTERM, which saves it."""
    trial, path = Trial(name, modality), tmp_path / "a"
    whole, paid = train(trial)
    assert train_and_be_killed(signal.SIGKILL, trial, path, 2, 4) == -signal.SIGKILL
    assert train_and_be_killed(signal.SIGTERM, trial, path, 0, 3) == -signal.SIGTERM
    student, costs = train(trial, path)
    assert equal(student, whole)
    assert costs.counts == paid.counts


def damaged(raw, kind):
    return {"torn": raw[:-40], "cut": raw[:50], "empty": b"", "bit": raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:]}[kind]


@pytest.mark.parametrize("kind", ["torn", "cut", "empty", "bit", "foreign", "older code"])
def test_a_state_that_is_none_is_passed_over_with_a_line(kind, tmp_path, capsys):
    trial, path, of = Trial("tgt-random", "image"), tmp_path / "a", dict(OF)
    with pytest.raises(Killed):
        train(trial, path, 4, 4)
    if kind in ("foreign", "older code"):
        of["key" if kind == "foreign" else "code_sha256"] = "another"
    else:
        path.write_bytes(damaged(path.read_bytes(), kind))
    capsys.readouterr()
    student, _ = train(trial, path, of=of)
    (told,) = capsys.readouterr().err.splitlines()
    assert "passed over, and the run starts from its first step" in told
    assert equal(student, train(trial)[0])
    assert not path.exists()


KEEPS = """
if not hasattr(self, "mean"):
    import copy, tgt
    from collections import deque
    self.mean = copy.deepcopy(student).eval()
    self.again = [self.mean, {"it": self.mean, 3: (1, None)}]
    self.layer = tgt.start_anew(torch.nn.Linear(4, 4), self.rng)
    self.inner = torch.optim.SGD(self.layer.parameters(), lr=0.1, momentum=0.9)
    self.last = deque([torch.zeros(())], maxlen=2)
    self.late = None
if batch.progress > 0.3 and self.late is None:
    self.late = torch.rand(4, 4, generator=self.rng).T
with torch.no_grad():
    for mean, now in zip(self.again[0].parameters(), student.parameters()):
        mean.lerp_(now, 0.1)
logits = student(batch.inputs)
self.layer(logits.detach()).square().mean().backward()
self.inner.step()
self.last.append(logits.detach().mean())
weight = 1 if self.late is None else self.late.sum()
consistency = F.mse_loss(self.layer(logits), self.again[1]["it"](batch.inputs) + sum(self.last) * weight)
return {"supervised": F.cross_entropy(logits, batch.labels), "consistency": consistency}
"""


def test_whatever_a_method_keeps_goes_on(register, tmp_path):  # noqa: F811
    """A copy of the student that two names lead to, an optimiser with gradients that add up, all made in a step."""
    name = register(body(KEEPS))
    trial = Trial(name, "image")
    assert [*method_checks._unsaved(trial)] == []
    for step in (1, 2, 4):
        with pytest.raises(Killed):
            train(trial, tmp_path / "a", step, step)
        assert equal(train(trial, tmp_path / "a")[0], train(trial)[0])
        resume.remove(tmp_path / "a")


@pytest.mark.parametrize(
    ("keeps", "named"),
    [
        ("self.file = iter([1])", "self.file (list_iterator)"),
        ("self.seen = [__import__('random').Random(0)]", "self.seen[0] (Random)"),
        ("self.mean = next(student.parameters()) * 1", "self.mean (Tensor, with its graph)"),
        ("self.late = torch.nn.Linear(2, 2) if batch.progress > 0.5 else None", "self.late (Linear)"),
    ],
)
def test_what_cannot_be_saved_is_named_and_breaks_nothing(keeps, named, register, tmp_path, capsys):  # noqa: F811
    name = register(body(f"{keeps}\n{PLAIN}"))
    (found,) = method_checks._unsaved(Trial(name, "image"))
    assert (found.broken, named in found.told) == (False, True), found.told
    with pytest.raises((Killed, resume.Unfit)):
        train(Trial(name, "image"), tmp_path / "a", 4, 4)
    capsys.readouterr()
