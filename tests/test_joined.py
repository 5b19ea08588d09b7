"""Several processes for one run: two that share its steps make what one makes of all samples."""

import os
import socket
import subprocess
import sys

import pytest
import torch
from accelerate import PartialState
from torch import nn

from benchmarks.commands.main import main
from benchmarks.core import paths
from benchmarks.core.errors import BadInput
from benchmarks.networks import text
from benchmarks.records.record import Store
from benchmarks.runs import joined, loop
from benchmarks.runs.execute import execute
from benchmarks.runs.run import Run
from benchmarks.validation import toys
from benchmarks.validation.trial import Trial

CASES = [(modality, method) for modality in toys.MODALITIES for method in ("tgt-random", "tgt-gradient")]
COMMAND = ["table1", "--size", "smoke", "--tasks", "manifold-2-in-32", "--methods", "tgt-gradient", "--seeds", "1"]
COMMAND += ["--budgets", "32"]


def trained(modality: str, method: str) -> torch.Tensor:
    """Weights of a student after 20 steps; that of images has no batch-norm, that of texts has dropout."""
    data, student, trial = toys.data(modality), toys.student(modality), Trial(method, modality)
    if modality == "image":
        student = toys.seeded(
            lambda: nn.Sequential(nn.Conv2d(1, 8, 3, 2), nn.GELU(), nn.Flatten(), nn.Linear(72, 4)), 0
        )
    if modality == "text":
        student.dropout.p = 0.1
    if joined.count() > 1:
        for module in (student, data.teacher.generator, data.teacher.labeler):
            joined.network(module)
    torch.manual_seed(0)
    drawn = trial.cls(trial.config, data, toys.rng())
    loop.train(student, drawn, data, loop.Schedule(20, 5), toys.rng(1), data.teacher.costs, lambda step: None)
    if modality == "text":  # attention is blind to its keys' bias: the gradient is rounding, and Adam steps along it
        student.body.layers[0].self_attn.in_proj_bias.data[8:16] = 0
    return nn.utils.parameters_to_vector(student.parameters()).detach()


def in_two(*words: str) -> list[subprocess.CompletedProcess]:
    """What two processes of one group say, the one that leads first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo"}
    common = {**os.environ, **group, "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(paths.ROOT)}
    both = [
        subprocess.Popen(
            [sys.executable, "-P", *words], cwd=paths.ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**common, "RANK": rank, "LOCAL_RANK": rank},
        )
        for rank in "01"
    ]  # fmt: skip
    said = [process.communicate() for process in both]
    return [subprocess.CompletedProcess(words, one.returncode, *told) for one, told in zip(both, said, strict=True)]


def of_two(folder: str) -> int:
    """In each of the two: how far weights are from those of one process, then a command."""
    torch.set_num_threads(1)
    text._BFLOAT16 = False  # its last bits depend on how many texts there are
    leads = PartialState(cpu=True).is_main_process
    for case in CASES:
        alone = trained(*case) if leads else None
        joined._JOINED.append(True)
        shared = trained(*case)
        joined._JOINED.clear()
        if alone is not None:
            print(*case, float((alone - shared).norm() / alone.norm()))
    return main([*COMMAND, "--results", folder])


def test_two_processes_make_what_one_makes(tmp_path):
    first, second = in_two("tests/test_joined.py", str(tmp_path))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    *found, _ = first.stdout.partition("\nwritten")[0].split("\n")
    told = dict(line.rsplit(" ", 1) for line in found[: len(CASES)])
    assert list(told) == [" ".join(case) for case in CASES]
    assert max(map(float, told.values())) < 1e-5, told
    assert second.stdout == ""
    (record,) = Store(tmp_path / "smoke-2-processes").read().values()
    assert (record.status, record.spec.processes, record.identity["processes"]) == ("ok", 2, 2)
    alone = Run(record.spec.model_copy(update={"processes": 1}))
    assert alone.identity == {name: value for name, value in record.identity.items() if name != "processes"}
    again = execute(alone)
    assert record.costs["labeler_queries"] == again.costs["labeler_queries"]
    assert record.costs["student_macs"] == again.costs["student_macs"]
    assert record.metrics == pytest.approx(again.metrics, abs=0.01)


def test_on_the_cpu_a_student_with_batch_norm_is_refused(monkeypatch):
    monkeypatch.setattr(joined, "count", lambda: 2)
    with pytest.raises(BadInput, match="batch-norm takes several processes on GPUs alone"):
        joined.student(toys.student("image"), "cpu")


if __name__ == "__main__":
    sys.exit(of_two(sys.argv[1]))
