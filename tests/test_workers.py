"""A worker that dies, hangs or raises: its own call is told of, and every other is made."""

from __future__ import annotations

import ctypes
import io
import os
import signal
import subprocess
import sys
import time

import pytest
from rich.console import Console

from benchmarks.commands.main import main
from benchmarks.core import paths
from benchmarks.core.errors import BadInput
from benchmarks.records.record import Spec, Store
from benchmarks.registry import custom
from benchmarks.registry.methods import METHODS
from benchmarks.runs import fill, scheduler, workers
from benchmarks.runs.run import Run


def act(folder, what):
    """What a call may come to. Each says that it was made, for calls are made again after a death."""
    with open(folder / str(what), "a") as file:
        file.write("x")
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "segfault":
        ctypes.string_at(0)
    if what == "exit":
        os._exit(7)
    if what == "hang":
        time.sleep(60)
    if what == "killed once" and (folder / what).read_text() == "x":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "error":
        raise ArithmeticError("a bug")
    if what == "disk":
        raise OSError("no space left")
    if what == "bad word":
        raise BadInput("a word")
    if what == "slow":
        for _ in range(8):
            time.sleep(0.5)
            workers.alive()
    return what


def outcomes(jobs, folder, *calls, patience=0.0):
    return {call[1]: found for call, found in workers.each(jobs, act, [(folder, call) for call in calls], patience)}


def test_calls_that_kill_their_worker_are_named_and_all_others_are_made(tmp_path):
    deadly = {"killed": "SIGKILL, probably for want of memory", "segfault": "SIGSEGV", "exit": "exit code 7"}
    fine = [*range(6), "killed once"]
    found = outcomes(2, tmp_path, 0, "killed", 1, "killed once", 2, "segfault", 3, "exit", 4, 5)
    assert {what: found[what].reason for what in deadly} == {w: f"worker died: {why}" for w, why in deadly.items()}
    assert {what: found[what] for what in fine} == {what: what for what in fine}
    assert {what: len((tmp_path / what).read_text()) for what in deadly} == dict.fromkeys(deadly, 2)  # tried once more


def test_one_job_may_be_done_in_another_process(tmp_path):
    found = {call[1]: one for call, one in workers.each(1, act, [(tmp_path, what) for what in ("exit", 1)], 0, True)}
    assert found == {"exit": workers.Died("worker died: exit code 7"), 1: 1}


def test_a_call_without_a_sign_of_life_is_ended_and_a_slow_one_is_not(tmp_path):
    found = outcomes(2, tmp_path, 0, "hang", "slow", 1, patience=2.0)
    assert found.pop("hang") == workers.Died("hung: no step in 2 seconds, twice")
    assert found == {what: what for what in (0, "slow", 1)}
    assert (tmp_path / "hang").read_text() == "xx"


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_is_raised_when_all_others_are_through(jobs, tmp_path):
    with pytest.raises(ArithmeticError, match="a bug") as raised:
        outcomes(jobs, tmp_path, "error", 0, 1, 2)
    assert "in act" in "".join(raised.value.__notes__)  # the trace of the worker
    assert all((tmp_path / str(number)).exists() for number in range(3))


@pytest.mark.parametrize(("what", "kind"), [("disk", OSError), ("bad word", BadInput)])
def test_a_failure_of_the_machine_or_of_a_word_ends_all_at_once(what, kind, tmp_path):
    with pytest.raises(kind):
        outcomes(1, tmp_path, what, 0, 1)
    assert not (tmp_path / "0").exists()


POISON = '''
"""Fine on small data; on more it ends its process."""
import os, signal
from baselines.one_hot import OneHot

class Poison(OneHot):
    """As one-hot, but it kills its process."""
    version = 1
    def loss(self, student, batch):
        if batch.inputs.shape[-1] == 28 and batch.progress > 0.5:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().loss(student, batch)
'''


def test_a_method_that_kills_its_process_is_a_failed_record_on_every_call(tmp_path):
    """Its rivals have their numbers, the status says that not all is well, and does so when nothing is left to run."""
    (tmp_path / "poison.py").write_text(POISON)
    words = ["table1", "--size", "smoke", "--tasks", "fashion-lt", "--seeds", "2", "--results", "out"]
    for jobs in "2", "1":
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", *words, "--jobs", jobs, "--methods", "one-hot,poison.py,distillation"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(paths.ROOT)}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        said = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
        assert said == [f"FAILED fashion-lt full n=120 poison seed {n}: worker died: SIGSEGV" for n in range(2)]
    records = Store(tmp_path / "out" / "smoke").read().values()
    assert sorted((r.spec.method, r.status) for r in records) == [
        *[("distillation", "ok")] * 2, *[("one-hot", "ok")] * 2, *[("poison", "failed")] * 2,
    ]  # fmt: skip


FATAL = """
import ctypes, os, signal
from baselines.one_hot import OneHot

class Fatal(OneHot):
    domain = "image"
    def loss(self, student, batch):
        {}
"""


@pytest.mark.parametrize(
    ("command", "how", "why", "status"),
    [("validate", "ctypes.string_at(0)", "SIGSEGV", 1), ("compare", "os._exit(3)", "exit code 3", 2)],
)
def test_a_method_that_ends_the_process_of_its_checks_is_told_in_a_line(command, how, why, status, tmp_path, capsys):
    """And the command goes on to say so, with its status."""
    path, name = tmp_path / f"fatal_in_{command}.py", f"fatal-in-{command}"
    path.write_text(FATAL.format(how))
    more = [] if command == "validate" else ["--size", "smoke", "--results", str(tmp_path / "out")]
    try:
        assert main([command, str(path), *more]) == status
        said = capsys.readouterr()
        assert f"{name} takes down the process that it is at work in: worker died: {why}" in said.out + said.err
        assert not (tmp_path / "out").exists()
    finally:
        METHODS.pop(name)
        custom._FILES.clear()


def test_cells_that_are_gone_after_their_run_are_told_and_are_no_success(tmp_path, monkeypatch):
    """A results folder that is deleted in the middle: the records are not there, and the status says so."""
    told = io.StringIO()
    run = Run(Spec(task="fashion-lt", size="smoke", teacher="full", budget=120, seed=0, method="one-hot"))
    scheduler.train_teachers([(run, part) for part, one in run.recipes.items() if not one.trained], 1, print)
    monkeypatch.setattr(scheduler, "run_missing", lambda *_: None)
    _, status = fill.fill([run], tmp_path / "r", fill.Execution("smoke", 1), Console(file=told, width=200))
    assert status == 1
    assert "LOST 1 of 1 cells" in told.getvalue()
