"""Methods and tasks from outside: a good file keeps the contract, and each way to break it is told in plain words."""

from __future__ import annotations

import re
import textwrap

import pytest
import torch

from benchmarks.commands import new
from benchmarks.commands.main import main
from benchmarks.core import paths
from benchmarks.core.errors import BadInput
from benchmarks.core.fingerprint import modules_digest
from benchmarks.registry import custom, tasks
from benchmarks.registry.methods import METHODS
from benchmarks.validation import method_checks as contract
from benchmarks.validation import task_checks as task_contract

BASE = tasks.get("fashion")
HEAD = """
from dataclasses import dataclass
import torch
from torch.nn import functional as F
from tgt import Method, MethodConfig, kl

@dataclass(frozen=True)
class MineConfig(MethodConfig):
    temperature: float = 2.0

class Mine(Method):
    Config = MineConfig
    search = {"temperature": [1.0, 2.0]}

"""
TERM = "F.cross_entropy(student(batch.inputs), batch.labels)"
PLAIN = f"return {{'supervised': {TERM}}}"


@pytest.fixture
def register(tmp_path, monkeypatch):
    """Registers a custom file for the length of a test. Names are new each time: modules stay loaded."""
    before = dict(METHODS), dict(tasks.TASKS)

    def write(source: str, name: str | None = None) -> str:
        path = tmp_path / f"{name or 'own_' + str(abs(hash((source, str(tmp_path)))))}.py"
        path.write_text(source)
        return custom.register(path)

    yield write
    for table, kept in zip((METHODS, tasks.TASKS), before, strict=True):
        for name in [name for name in table if name not in kept]:
            del table[name]
    custom._FILES.clear()


def broken(name: str) -> dict[str, contract.Outcome]:
    return {outcome.check: outcome for outcome in contract.method(name, ("image",)) if outcome.broken}


def body(loss: str, more: str = "") -> str:
    return HEAD + textwrap.indent(f"def loss(self, student, batch):\n{textwrap.indent(loss, '    ')}\n{more}", "    ")


def line_of(source: str, fragment: str) -> int:
    return next(number for number, line in enumerate(source.splitlines(), 1) if fragment in line)


def test_a_plain_method_keeps_the_contract(register):
    assert broken(register(body(PLAIN))) == {}


@pytest.mark.parametrize(
    ("loss", "check", "told", "at"),
    [
        (f"return {TERM}", "scalar terms", "must return a dict", "return"),
        ("return {'a': kl(student(batch.inputs), batch.labeler_logits)}", "scalar terms", "take its mean", "return"),
        ("return {'a': student(batch.inputs).mean() * float('nan')}", "scalar terms", "is nan", "return"),
        ("return {'a': torch.zeros(())}", "scalar terms", "no gradient", "return"),
        ("x = batch.inputs\nreturn {'a': x.wrong}", "scalar terms", "has no attribute 'wrong'", "x.wrong"),
        (f"self.teacher.labeler.train()\n{PLAIN}", "stays frozen", "left in training mode", "labeler.train"),
        (f"list(self.teacher.labeler.parameters())[0].data.add_(1)\n{PLAIN}", "stays frozen", "changed", "add_(1)"),
        (f"student(batch.inputs)\n{PLAIN}", "as many samples a step", "was shown 32", "return"),
        (f"student.eval()\n{PLAIN}", "keeps its mode", "left in eval mode", "student.eval()"),
        (f"self.teacher.labeler(batch.inputs)\n{PLAIN}", "is counted", "call self.teacher.label", "teacher.labeler("),
        (f"self.teacher.generator.encode(batch.inputs)\n{PLAIN}", "is counted", "teacher.encode", "generator.encode"),
        (f"scale = torch.rand(())\nreturn {{'a': scale * {TERM}}}", "Equal seeds", "generator=self.rng", "torch.rand"),
    ],
)  # fmt: skip
def test_each_broken_term_is_told_with_its_line(register, loss, check, told, at):
    source = body(loss)
    found = [outcome for name, outcome in broken(register(source)).items() if check in name]
    assert len(found) == 1
    assert told in found[0].told
    assert found[0].line == line_of(source, at)


def test_state_kept_on_the_class_is_found(register):
    source = body(f"self.seen.append(1)\nreturn {{'a': len(self.seen) * {TERM}}}", "\nseen = []\n")
    (found,) = broken(register(source)).values()
    assert "Mine.seen changed in a run" in found.told
    assert found.line == line_of(source, "self.seen.append")


def test_a_search_that_does_not_fit_is_told(register):
    (found,) = [
        o for o in broken(register(body(PLAIN).replace('{"temperature"', '{"warmth"'))).values() if "search" in o.told
    ]
    assert "search names 'warmth', which Config does not have" in found.told


def test_peeking_is_found_by_import_and_by_file(register, monkeypatch, tmp_path):
    found = broken(register(body(PLAIN).replace("import torch\n", "import torch\nfrom benchmarks import tasks\n", 1)))
    assert [o.told for o in found.values() if "where the test data are" in o.told]
    monkeypatch.setenv("TGT_CACHE", str(tmp_path))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "fashion-mnist.safetensors").write_bytes(b"x")
    source = body(f"open({str(tmp_path / 'data' / 'fashion-mnist.safetensors')!r}).read()\n{PLAIN}")
    (peek,) = [o for name, o in broken(register(source)).items() if "test data" in name]
    assert "fashion-mnist.safetensors was read" in peek.told
    assert peek.line == line_of(source, "open(")


@pytest.mark.parametrize("of", ["method", "task", "text", "images", "vectors", "retrieval"])
def test_the_templates_are_the_examples_and_keep_the_contract(of, tmp_path, register, capsys):
    from rich.console import Console

    kind = "method" if of == "method" else "task"
    options = new.Options("" if of in ("method", "task") else of)
    assert new.run("new", [kind, f"fresh-{of}"], options, Console(), tmp_path) == 0
    text = (tmp_path / f"fresh_{of}.py").read_text()
    assert f"class Fresh{of.capitalize()}(" in text
    assert of in ("method", "task") or sum(bool(line.strip()) for line in text.splitlines()) <= 20
    own = custom.register(tmp_path / f"fresh_{of}.py")
    checked = contract.method(own, ("image",)) if kind == "method" else task_contract.task(tasks.TASKS[own])
    assert [outcome for outcome in checked if outcome.told] == []
    with pytest.raises(BadInput, match="is there already"):
        new.run("new", [kind, f"fresh-{of}"], options, Console(), tmp_path)


def test_the_example_of_a_method_has_thirty_lines():
    lines = (paths.ROOT / "examples" / "my_method.py").read_text().splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 30


@pytest.mark.parametrize(
    ("change", "check", "told"),
    [
        (("ReLU(), nn.Linear(32, classes)", "ReLU(), nn.Linear(32, 3)"), "Student", "not logits of 10 classes"),
        (
            ("return nn.Sequential(", "torch.manual_seed(0); return nn.Sequential("),
            "Student",
            "would replicate nothing",
        ),
        (("+ self.mean", "+ self.mean.detach().new_zeros(3)"), "Generator: encode", "must match the size"),
        (
            ("(latents * self.scale)", "(latents.detach() * self.scale)"),
            "Generator: grad",
            "no gradient in the latents",
        ),
        (('"test_inputs": inputs[TRAIN:]', '"test_inputs": inputs[:597]'), "no test input", "stand in both"),
        (("budget, budgets = 50, (20, 50, 200)", "budget, budgets = 50, (5000,)"), "Budgets", "5000"),
        (("budget, budgets = 50, (20, 50, 200)", "budget, budgets = 5000, (20,)"), "Budgets", "5000"),
        (("np.arange(0, TRAIN, 10)", "np.arange(0, 2 * TRAIN, 10)"), "Data: inputs", "indices of the 1200 training"),
        (("steps, batch = 300, 32", "steps, batch = 0, 32"), "Settings", "at least 1, not 0"),
        (('domain = "vector"', 'domain = "vector"\n    metric = "acuracy"'), "Settings", "no metric 'acuracy'"),
        (('domain = "vector"', 'domain = "vector"\n    defaults = {"sigmma": 3}'), "Settings", "'sigmma'"),
    ],
)
def test_each_way_a_task_can_be_wrong_is_told(register, change, check, told):
    source = (paths.ROOT / "examples" / "my_task.py").read_text()
    assert change[0] in source
    name = register(source.replace(*change))
    found = [o for o in task_contract.task(tasks.TASKS[name]) if o.told and check in o.check]
    assert len(found) == 1
    assert told in found[0].told


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = 1", "must define one class derived from tgt.Method or benchmarks.task.Task; it has none"),
        ("def f(:\n    pass", "line 1: SyntaxError"),
        ("\nimport no_such_module_at_all", "line 2: ModuleNotFoundError"),
        ("import sys\nsys.exit(3)", "line 2: SystemExit: 3"),
        (body(PLAIN).replace("Config = MineConfig", "Config = dict"), "Config must be a frozen dataclass"),
        (body(PLAIN).replace('{"temperature": [1.0, 2.0]}', '{"lr": 0.1}'), "search must be a dict of lists"),
        (body(PLAIN) + body(PLAIN).replace("Mine", "Other"), "it has Mine, Other"),
    ],
)
def test_a_file_that_gives_nothing_is_refused_in_one_line(register, source, told):
    with pytest.raises(BadInput, match=re.escape(told)):
        register(source)


def test_a_name_of_the_suites_own_is_refused(register):
    with pytest.raises(BadInput, match="call the file something else"):
        register(body(PLAIN), "one_hot")
    with pytest.raises(BadInput, match="another module is called json"):
        register(body(PLAIN), "json")


def test_the_code_of_an_outside_method_is_hashed_with_what_it_imports_beside_it(register, tmp_path):
    (tmp_path / "helper_of_mine.py").write_text("SCALE = 2")
    source = body(PLAIN).replace("import torch\n", "import torch\nimport helper_of_mine\n", 1)
    name = register(source)
    first = modules_digest(METHODS[name].module, METHODS[name].packages)
    (tmp_path / "helper_of_mine.py").write_text("SCALE = 3")
    modules_digest.cache_clear()
    assert modules_digest(METHODS[name].module, METHODS[name].packages) != first


def test_validate_says_what_is_broken_and_exits_with_one(tmp_path, capsys, register):
    path = tmp_path / "own_broken_one.py"
    path.write_text(
        body("return {'a': torch.zeros(())}", "").replace(
            "class Mine(Method):", "class Mine(Method):\n    domain = 'image'\n"
        )
    )
    assert main(["validate", str(path)]) == 1
    said = capsys.readouterr().out
    assert "BROKEN  image" in said
    assert "no gradient: the loss does not depend on the student's parameters" in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["validate"], "validate takes FILE, not nothing"),
        (["compare", "a", "b"], "compare takes METHOD, not a b"),
        (["new", "thing", "x"], "new takes method|task NAME, not thing x"),
        (["new", "method", "for"], "cannot be a module's name"),
        (["new", "method", "one-hot"], "is a name of the suite's own"),
        (["table1", "validate"], "validate stands first and alone"),
        (["validate", "nowhere.py"], "there is no file"),
        (["compare", "nobody"], "unknown method 'nobody'"),
        (["compare", "tgt-random", "--against", "tgt-random"], "cannot be its own rival"),
        (["compare", "corpus-pool", "--task", "fashion-lt"], "it is for retrieval tasks"),
        (["table1", "--seeds", "auto"], "Error parsing --seeds"),
        (["table1", "--against", "one-hot"], "--against has no effect on table1; it goes with compare"),
    ],
)
def test_bad_words_are_told_in_one_line(arguments, told, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_a_teacher_of_ones_own_for_a_task_of_the_suite(register):
    name = register(
        "from benchmarks.task import Task\n"
        "from benchmarks.networks.image import VAE, labeler_cnn\n"
        "class Mine(Task):\n"
        "    base = 'fashion'\n"
        "    def teacher(self, classes):\n"
        "        return VAE(channels=1, size=28, latent=8, width=4), labeler_cnn(1, classes, width=4)\n"
    )
    task = tasks.TASKS[name]
    assert task.examples() is tasks.TASKS["fashion"].examples()
    generator, labeler = task.teacher(10)
    assert labeler(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert generator.encode(torch.zeros(2, 1, 28, 28)).shape == (2, 8)
    assert task.fits() == {}  # it comes trained
    assert (task.title, task.metric, task.sizes) == ("Fashion-MNIST, balanced (" + name + ")", "accuracy", BASE.sizes)


def test_what_a_custom_task_says_stands_in_place_of_its_base(register):
    name = register(
        "import numpy as np\n"
        "from benchmarks.task import Task\n"
        "class Mine(Task):\n"
        "    base, title, budget, steps = 'fashion', 'Mine', 20, 7\n"
        "    def data(self):\n"
        "        inputs = np.random.default_rng(0).integers(0, 256, (120, 1, 28, 28), np.uint8)\n"
        "        labels = np.arange(120) // 2 % 10\n"
        "        return {'train_inputs': inputs[::2], 'train_labels': labels[::2],\n"
        "                'test_inputs': inputs[1::2], 'test_labels': labels[1::2]}\n"
    )
    task = tasks.TASKS[name]
    assert (task.title, task.sizes["small"].budget, task.sizes["small"].steps) == ("Mine", 20, 7)
    assert task.sizes["small"].batch == BASE.sizes["small"].batch
    assert len(task.at("smoke").examples().pool_labels) == len(task.examples().pool_labels) == 60
    assert task.fits().keys() == {"generator", "labeler"}  # trained on these data, as the base's are
    assert (task.data_name, task.teachers) == (name, BASE.teachers)


def test_a_task_that_lacks_a_part_is_refused_as_bad_input(tmp_path, capsys):
    path = tmp_path / "own_half_a_task.py"
    path.write_text("from benchmarks.task import Task\n\nclass Half(Task):\n    pass\n")
    assert main(["table1", "--tasks", str(path), "--plan"]) == 2
    assert "Half has no data, student, teacher, and names no `base`" in capsys.readouterr().err


def test_a_custom_task_that_derives_from_one_of_the_suite_has_data_of_its_own(register):
    name = register(
        "import numpy as np\n"
        "from torch import nn\n"
        "from benchmarks.tasks.fashion import FashionLT\n"
        "class Mine(FashionLT):\n"
        "    def data(self):\n"
        "        inputs = np.random.default_rng(0).integers(0, 256, (120, 1, 28, 28), np.uint8)\n"
        "        labels = np.arange(120) // 2 % 10\n"
        "        return {'train_inputs': inputs[::2], 'train_labels': labels[::2],\n"
        "                'test_inputs': inputs[1::2], 'test_labels': labels[1::2]}\n"
        "    def student(self, classes):\n"
        "        return nn.Flatten()\n"
        "    def teacher(self, classes):\n"
        "        return nn.Flatten(), nn.Flatten()\n"
    )
    assert len(tasks.get("fashion-lt").examples().pool_labels) == 60_000
    assert len(tasks.TASKS[name].examples().pool_labels) == 60
    assert (tasks.TASKS[name].family, tasks.TASKS[name].name) == (name, name)


def test_code_behind_relative_imports_counts(tmp_path, monkeypatch):
    package = tmp_path / "relative_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "idea.py").write_text("from .helper import SCALE\nfrom relative_package import other\n")
    for name in ("helper", "other"):
        (package / f"{name}.py").write_text("SCALE = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = [modules_digest("relative_package.idea", ("relative_package",))]
    for name in ("helper", "other"):
        (package / f"{name}.py").write_text("SCALE = 2\n")
        modules_digest.cache_clear()
        found.append(modules_digest("relative_package.idea", ("relative_package",)))
    assert len(set(found)) == 3
