"""Ways to break a method: each is refused in one line with its cause and its line, and none reaches a page."""

from __future__ import annotations

import re

import pytest
from test_contract import HEAD, PLAIN, TERM, body, line_of, register  # noqa: F401

from benchmarks.commands import contract
from benchmarks.commands.main import main
from benchmarks.core.errors import BadInput
from benchmarks.records.record import Spec
from benchmarks.runs import guard, workers
from benchmarks.runs.execute import execute
from benchmarks.runs.run import Run
from benchmarks.teachers import store
from benchmarks.validation import method_checks, toys

SHARE = "\n@property\ndef real_share(self):\n    return {}\n"
INIT = "\ndef __init__(self, config, data, rng):\n    super().__init__(config, data, rng)\n    {}\n"
#: What `loss` does, what more the class has; what is said; a part of the line that is named ("" for none).
IN_THE_LOSS = {
    "a tensor in place of a dict": (f"return {TERM}", "", "must return a dict of named terms, not Tensor", "return"),
    "nothing": ("student(batch.inputs)", "", "not NoneType", "student("),
    "an empty dict": ("return {}", "", "must return a dict of named terms", "return {}"),
    "a term a sample": ("return {'a': student(batch.inputs)[:, 0]}", "", "must be one number, not (16,)", "return"),
    "a number in place of a tensor": (f"return {{'a': {TERM}.item()}}", "", "must be one number, not float", "return"),
    "a loss that is not a number": (f"return {{'a': {TERM} / 0 * 0}}", "", "is nan", "return"),
    "no gradient": (f"return {{'a': {TERM}.detach()}}", "", "no gradient", "return"),
    "wrong shapes": ("return {'a': student(batch.inputs[0, 0, 0])}", "", "RuntimeError", "return"),
    "an error": ("raise KeyError('x')", "", "KeyError: 'x'", "raise"),
    "an error without a message": ("assert False", "", "AssertionError, without a message", "assert"),
    "sys.exit": ("import sys\nsys.exit(0)", "", "tried to end the program (SystemExit: 0)", "sys.exit"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "", "tried to end the program (KeyboardInterrupt", "raise"),
    "no end": ("while True:\n    pass", "", "no end after 0.3 seconds", ""),
    "the teacher's weights": (
        f"with torch.no_grad():\n    next(self.teacher.labeler.parameters()).mul_(2)\n{PLAIN}", "",
        "the labeler's weights or statistics changed", "mul_(2)",
    ),
    "the teacher is trained": (
        PLAIN, "\ndef parameters(self, student):\n    return [*self.teacher.labeler.parameters()]\n",
        "gives the teacher's parameters", "",
    ),
    "the teacher in training mode": (f"self.teacher._generator.train()\n{PLAIN}", "", "training mode", "train()"),
    "the teacher thawed": (f"self.teacher.labeler.requires_grad_(True)\n{PLAIN}", "", "or thawed", "requires_grad_"),
    "eval mode": (f"out = {PLAIN[7:]}\nstudent.eval()\nreturn out", "", "left in eval mode", "student.eval"),
    "hooks": (f"student.register_forward_hook(lambda *a: None)\n{PLAIN}", "", "hooks were left", "register_forward"),
    "another head": (
        f"head = list(student.named_modules())[-1][0]\nsetattr(student, head, torch.nn.Linear(4, 4))\n{PLAIN}", "",
        "parameters were replaced", "setattr",
    ),
    "a frozen student": (
        f"next(student.parameters()).requires_grad_(False)\n{PLAIN}", "", "or frozen", "requires_grad_",
    ),
    "512 samples more": (f"student(batch.inputs.repeat(32, 1, 1, 1))\n{PLAIN}", "", "was shown 528", "repeat"),
    "fewer than it may": (PLAIN, SHARE.format(0.5), "(8 real, 8 generated), and it was shown 8", "return"),
    "a share that is none": (PLAIN, SHARE.format(1.5), "real_share must lie between 0 and 1, not be 1.5", ""),
    "the labeler past the counter": (
        f"self.teacher._labeler(batch.inputs)\n{PLAIN}", "", "call self.teacher.label", "_labeler",
    ),
    "the decoder past the counter": (
        f"self.teacher.generator.decode(self.data.latents)\n{PLAIN}", "", "call self.teacher.decode", ".decode(",
    ),
    "the counters": (
        f"batch.labeler_logits\nself.teacher.costs.counts.clear()\n{PLAIN}", "", "call self.teacher.label", "",
    ),
    "the batch's labels": (
        f"labels = batch.labels\nlabels[:] = 0\n{PLAIN}", "", "the batch was written to", "labels[:]",
    ),
    "the training labels": (f"self.data.labels[:2] = 1\n{PLAIN}", "", "labels were written to", "self.data.labels"),
    "the training inputs": (f"self.data.inputs.mul_(0.5)\n{PLAIN}", "", "inputs were written to", "mul_"),
    "other training data": (f"self.data.inputs = self.data.inputs * 2\n{PLAIN}", "", "inputs were written to", "* 2"),
    "torch's seed": (f"torch.manual_seed(0)\n{PLAIN}", "", "a global random generator", "manual_seed"),
    "Python's generator": (
        f"import random\nrandom.random()\n{PLAIN}", "", "a global random generator", "random.random",
    ),
    "numpy's seed": (f"import numpy\nnumpy.random.seed(1)\n{PLAIN}", "", "a global random generator", "random.seed"),
    "torch's generator": (f"return {{'a': torch.rand(()) * {TERM}}}", "", "draw with generator=self.rng", "return"),
    "layers that torch begins": (
        "return {'a': F.cross_entropy(self.own(student(batch.inputs)), batch.labels)}",
        INIT.format("self.own = torch.nn.Linear(4, 4)"), "draw with generator=self.rng", "self.own = ",
    ),
    "threads": (f"torch.set_num_threads(2)\n{PLAIN}", "", "global settings", "set_num_threads"),
    "a class attribute": (f"type(self).seen += 1\n{PLAIN}", "\nseen = 0\n", "Mine.seen changed in a run", "seen += 1"),
    "a default value": (
        f"self.keep()\n{PLAIN}", "\ndef keep(self, kept=[]):\n    kept.append(1)\n",
        "default value of Mine.keep", "kept.append",
    ),
    "a module of the suite": (
        f"from benchmarks.registry import tasks\n{PLAIN}", "", "names benchmarks.registry", "import tasks",
    ),
    "a module of the suite by its name": (
        f"import importlib\nimportlib.import_module('benchmarks.tasks')\n{PLAIN}", "",
        "names benchmarks.tasks", "'benchmarks",
    ),
    "an error when it is made": (PLAIN, INIT.format("self.nothing"), "AttributeError", "self.nothing"),
}  # fmt: skip
#: Whole files: what is said of them.
FILES = {
    "a syntax error": ("def f(:\n    pass", "line 1: SyntaxError"),
    "an import error": ("\nimport no_such_module_at_all", "line 2: ModuleNotFoundError"),
    "two methods": (body(PLAIN) + body(PLAIN).replace("Mine", "Other"), "it has Mine, Other"),
    "no method": ("x = 1", "it has none"),
    "a search for what there is not": (body(PLAIN).replace('{"temper', '{"tmper'), "did you mean temperature?"),
    "a search that Config refuses": (
        body(PLAIN).replace("    temperature: float = 2.0",
        "    temperature: float = 2.0\n\n    def __post_init__(self):\n"
        "        if self.temperature == 1:\n            raise ValueError('too cold')"), "search tries temperature=1.0",
    ),
    "a Config that is not frozen": (
        body(PLAIN).replace("(frozen=True)", "(frozen=False)"), "cannot inherit non-frozen",
    ),
    "a Config that is none": (
        body(PLAIN).replace("Config = MineConfig", "Config = dict"), "must be a frozen dataclass",
    ),
    "no loss": (HEAD + "    pass\n", "NotImplementedError, without a message"),
    "sys.exit": ("import sys\nsys.exit(0)", "line 2: SystemExit: 0"),
}  # fmt: skip


def refused(register, source) -> str:  # noqa: F811
    """What `compare` says of a file; "" if it would run it."""
    try:
        (told,) = contract.breaches([register(source)], ["fashion-lt"], unchecked=True)
        return told
    except BadInput as error:
        return str(error)


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    """Checks are made in this process, for a time limit that a test sets; `test_workers` has those that end it."""
    monkeypatch.setattr(workers, "apart", lambda work, *call, jobs=1: work(*call))


@pytest.mark.parametrize("kind", IN_THE_LOSS)
def test_a_method_that_breaks_the_contract_is_refused(kind, register, monkeypatch):  # noqa: F811
    loss, more, told, at = IN_THE_LOSS[kind]
    monkeypatch.setattr(method_checks, "LIMIT", 0.3 if kind == "no end" else 60)
    source = body(loss, more)
    said = refused(register, source)
    assert told in said
    assert said.count("\n") == 0
    assert not at or f"line {line_of(source, at)}: " in said


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_method_is_refused(kind, register):  # noqa: F811
    source, told = FILES[kind]
    said = refused(register, source)
    assert told in said
    assert said.count("\n") == 0


@pytest.mark.parametrize("words", ["compare {}", "table1 --methods {}", "ablation-sigma --methods {}"])
def test_the_command_says_one_line_and_status_two(words, tmp_path, capsys, register):  # noqa: F811
    for source, told in (
        (body(f"student(batch.inputs)\n{PLAIN}"), "was shown 32"),
        ("raise KeyboardInterrupt", "tried to end"),
    ):
        path = tmp_path / f"own_refused_{abs(hash((words, source)))}.py"
        path.write_text(source)
        assert main([*words.format(path).split(), "--size", "smoke", "--results", str(tmp_path / "out")]) == 2
        error = capsys.readouterr().err
        assert told in error
        assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_one_mistake_is_told_once(register):  # noqa: F811
    found = [
        one for one in method_checks.method(register(body(f"self.teacher.labeler.train()\n{PLAIN}"))) if one.broken
    ]
    assert len(found) == 1


LATE = "if batch.progress > 0.5:\n    {}\n"


@pytest.mark.parametrize(
    ("late", "told"),
    [
        ("next(self.teacher.labeler.parameters()).data.add_(1)", "the labeler's weights or statistics changed"),
        ("self.data.labels[0] = 1", "labels were written to"),
        ("self.data.inputs[0] = 1", "inputs were written to"),
        ("torch.manual_seed(1)", "a global random generator"),
        ("self.teacher._labeler(batch.inputs)", "samples went through the teacher, 0 of them counted"),
        ("student(batch.inputs)", "passes that do not teach belong in eval mode"),
        ("raise SystemExit", "tried to end the program"),
        ("raise KeyboardInterrupt", "tried to end the program"),
    ],
)
def test_what_begins_late_is_a_failed_record_with_its_reason(late, told, register):  # noqa: F811
    name = register(body(LATE.format(late) + PLAIN))
    run = Run(Spec(task="fashion-lt", size="smoke", teacher="full", budget=120, seed=0, method=name))
    for recipe in run.recipes.values():
        store.train(run.task, recipe, run.split)
    record = execute(run)
    assert record.status == "failed"
    assert told in record.reason
    assert record.metrics == {}


def test_a_method_that_keeps_the_contract_passes_and_runs(register):  # noqa: F811
    name = register(body(PLAIN))
    assert contract.breaches([name], ["fashion-lt"], unchecked=False) == []
    run = Run(Spec(task="fashion-lt", size="smoke", teacher="full", budget=120, seed=0, method=name))
    assert execute(run).status == "ok"


def test_a_slow_method_is_remarked_and_not_refused(register, monkeypatch):  # noqa: F811
    monkeypatch.setattr(method_checks, "SLOW", 2)
    name = register(body(f"for _ in range(3000):\n    batch.inputs @ batch.inputs\n{PLAIN}"))
    (found,) = [one for one in method_checks.method(name, ("image",)) if one.told]
    assert re.search(r"a step takes \d+ times as long as one of distillation", found.told)
    assert not found.broken


def test_what_watches_is_gone_afterwards_and_copies_are_not_watched():
    import copy

    data, student = toys.data("image"), toys.student("image")
    kept = type(data.teacher.labeler), type(data.teacher.generator)
    doors = guard.Doors(student, data.teacher)
    copy.deepcopy(data.teacher.labeler)(data.inputs)
    copy.deepcopy(student).train()(data.inputs)
    data.teacher.generator.decode(copy.deepcopy(data.teacher.generator).encode(data.inputs))
    doors.close()
    data.teacher.labeler(data.inputs)
    assert doors.seen == {"decode": 40}
    assert (type(data.teacher.labeler), type(data.teacher.generator)) == kept
    assert not student._forward_pre_hooks
