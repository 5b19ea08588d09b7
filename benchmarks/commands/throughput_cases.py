"""What `throughput` times, as pytest-benchmark cases: steps of the real training loop, one case a task and method.

Not collected by the tests: the target runs this file by name, with the cases in `TGT_THROUGHPUT` (JSON).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.registry import custom
from benchmarks.registry.experiments import Choice
from benchmarks.runs import execute, loop
from benchmarks.runs.device import Device
from benchmarks.runs.grid import grid
from benchmarks.runs.run import Run
from benchmarks.runs.scheduler import one_thread

ROUNDS, GEMM = 7, 1024
CASES = json.loads(os.environ.get("TGT_THROUGHPUT", '{"size": "smoke", "steps": 0, "cases": [], "files": []}'))
for file in CASES["files"]:
    custom.register(file)


DEVICE = Device(*CASES.get("device", ("cpu", "float32")))


def one_run(task: str, method: str, size: str) -> Run:
    choice = Choice(
        size=size, tasks=(task,), methods=(method,), seeds=1, device=DEVICE.kind, precision=DEVICE.precision
    )
    return grid("table1", choice)[0]


class _WholeCount(nullcontext):
    """In place of the counter's bookkeeping by module, which cannot follow a gradient taken for inputs alone."""

    parents = frozenset({"Global"})


class Stepper:
    """A run that can be trained on, some steps at a time; what a method set up on its first step stays set up."""

    def __init__(self, run: Run, steps: int) -> None:
        self.run, self.steps, self.costs = run, steps, execute.costs_on(run.device)
        self.data, self.student = execute.teacher_and_data(run, self.costs), execute.new_student(run)
        self.method = run.row.load()(run.config, self.data, execute.generator("method", run))
        self.schedule = replace(run.schedule, steps=steps)
        self.rng = execute.order_of(run)

    def go(self) -> dict[str, Any]:
        """Train on; seconds by phase and counts of these steps alone."""
        counts, seconds = Counter(self.costs.counts), Counter(self.costs.seconds)
        with self.costs.phase("untracked"), execute.private_randomness(self.run):
            loop.train(self.student, self.method, self.data, self.schedule, self.rng, self.costs, lambda step: None)
        spent = {name: value - seconds[name] for name, value in self.costs.seconds.items() if name != "evaluate"}
        return {"seconds": spent, "counts": {n: c - counts[n] for n, c in self.costs.counts.items()}}


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    one_thread()


def test_gemm(benchmark):
    """The machine's own peak in this process: a product of two square matrices in float32."""
    left, right = torch.rand(2, GEMM, GEMM, device=DEVICE.target)

    def product() -> None:
        left @ right
        DEVICE.synchronise()

    with DEVICE.settings():
        benchmark.pedantic(product, rounds=10, warmup_rounds=3)
    benchmark.extra_info["flops"] = 2 * GEMM**3


@pytest.mark.parametrize(("task", "method"), CASES["cases"])
def test_step(benchmark, task, method):
    DEVICE.reset_peak_memory()
    stepper = Stepper(one_run(task, method, CASES["size"]), CASES["steps"])
    stepper.go()  # warm-up: pools are filled, answers of the real samples fetched
    rounds: list[dict[str, Any]] = []
    benchmark.pedantic(lambda: rounds.append(stepper.go()), rounds=ROUNDS)
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _WholeCount()  # type: ignore[assignment]
    with counter:
        stepper.go()
    benchmark.extra_info.update(
        task=task,
        method=method,
        steps=CASES["steps"],
        rounds=rounds,
        flops=counter.get_total_flops(),
        peak_memory_mb=[*DEVICE.peak_memory().values()][-1],  # of the device, if it has any of its own
    )
