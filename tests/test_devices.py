"""Runs on other devices and in other precisions: moved whole, kept apart, and told."""

import pytest
import torch
from pretended_device import AWAY, Away, generator, pretended

from benchmarks.commands.main import main
from benchmarks.records.groups import grouped
from benchmarks.records.record import Spec, Store
from benchmarks.registry import tasks
from benchmarks.registry.methods import METHODS
from benchmarks.runs import loop
from benchmarks.runs.device import Device
from benchmarks.runs.run import Run
from benchmarks.validation import toys
from benchmarks.validation.trial import Trial
from tgt import Batch

SPEC = Spec(task="fashion-lt", size="smoke", teacher="full", budget=120, seed=0, method="distillation")
TASK = {"image": tasks.get("fashion-lt"), "text": tasks.get("movie-5"), "retrieval": tasks.get("wiki-titles")}
ROWS = [
    (modality, name)
    for modality, task in TASK.items()
    for name, row in METHODS.items()
    # Under a gradient the query generator's GRU turns its output in place, which the stand-in cannot follow.
    if not row.unfit(task) and (modality, row.fixed.get("explore"), row.pool_of) != ("retrieval", "gradient", "")
]


def test_the_pretended_device_refuses_what_a_gpu_refuses():
    with pretended():
        there, here = torch.ones(3, device=AWAY), torch.ones(3)
        assert isinstance(there, Away)
        assert not isinstance(there.cpu(), Away)
        with pytest.raises(RuntimeError, match="two devices meet"):
            there + here
        with pytest.raises(RuntimeError, match="generator of another device"):
            torch.randn(3, generator=torch.Generator(), device=AWAY)
        assert torch.randn(3, generator=generator(), device=AWAY).device == AWAY


@pytest.mark.parametrize(("modality", "name"), ROWS)
def test_no_method_mixes_devices(modality, name):
    """Data, teacher and student on one device, the order of samples drawn on the CPU: every row learns there."""
    trial = Trial(name, modality)
    data, student = toys.data(modality), toys.student(modality)
    unlabelled = data.unlabelled
    with pretended():
        for module in (student, data.teacher.generator, data.teacher.labeler):
            module._apply(Away)
        for part, value in vars(data).items():
            if isinstance(value, torch.Tensor):
                setattr(data, part, Away(value))
        data._unlabelled = lambda: Away(unlabelled)
        method = trial.cls(trial.config, data, generator())
        real, generated = loop.Schedule(2, 8).step_sizes(method.real_share)
        drawn = loop.index_batches(len(data), 16, torch.Generator().manual_seed(0))
        for step in range(2):
            batch = Batch(data, next(drawn)[:real].to(AWAY), generated, step / 2)
            loss = torch.stack(list(method.loss(student, batch).values())).sum()
            loss.backward()
        assert loss.device == AWAY
        assert torch.isfinite(loss).item()


def test_a_run_on_the_cpu_keeps_its_key_and_others_have_their_own():
    """Keys from before there were devices stay valid; other devices and precisions are other numbers."""
    on = {place: Run(SPEC.model_copy(update=place_of)).declared for place, place_of in PLACES.items()}
    assert not {"device", "precision"} & on["cpu"].keys()
    assert on["cuda"] == {**on["cpu"], "device": "cuda"}
    assert on["bf16"] == {**on["cpu"], "precision": "bf16"}


PLACES = {"cpu": {}, "cuda": {"device": "cuda"}, "bf16": {"precision": "bf16"}}


def test_records_of_two_devices_never_meet_in_a_table():
    specs = [SPEC, SPEC.model_copy(update={"device": "cuda", "precision": "bf16", "seed": 1})]
    with pytest.raises(ValueError, match="records of cpu and cuda-bf16 meet"):
        grouped((spec, None) for spec in specs)
    assert specs[1].label.endswith("on cuda-bf16")


def test_other_precisions_have_a_folder_of_their_own_and_other_numbers(tmp_path, capsys):
    words = ["--tasks", "fashion-lt", "--size", "smoke", "--methods", "feature-matching", "--seeds", "1", "--jobs", "1"]
    for more in ([], ["--precision", "bf16"]):
        assert main(["table1", *words, "--device", "cpu", "--results", str(tmp_path), *more]) == 0
    both = [Store(tmp_path / name).read().values() for name in ("smoke", "smoke-bf16")]
    ((plain,), (half,)) = both
    assert plain.status == half.status == "ok"
    assert plain.key != half.key
    assert plain.curve[-1].validation != half.curve[-1].validation
    assert "Runs of bf16" in (tmp_path / "smoke-bf16" / "table1.md").read_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_one_line(tmp_path, capsys):
    assert main(["table1", "--size", "smoke", "--device", "cuda", "--results", str(tmp_path)]) == 2
    assert "this machine, or its torch, has no cuda; there is cpu" in capsys.readouterr().err


def test_bfloat16_is_of_the_passes_alone():
    """Weights, gradients and what comes out are float32; the inside of a pass is not."""
    seen = []
    student = Device(precision="bf16").module(toys.student("image"))
    next(layer for layer in student.modules() if isinstance(layer, torch.nn.Linear)).register_forward_hook(
        lambda layer, given, found: seen.append(found.dtype)
    )
    logits = student(toys.data("image").inputs)
    logits.sum().backward()
    assert seen == [torch.bfloat16]
    assert logits.dtype == torch.float32
    assert {p.dtype for p in student.parameters()} == {p.grad.dtype for p in student.parameters()} == {torch.float32}
