"""Tasks by name: a new file is a new task, sizes are data, and variations share what they have in common."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import tasks as package
from benchmarks.registry import tasks
from benchmarks.task import Task

NEW = """
from benchmarks.task import Task

class Newest(Task):
    name = "newest"
    title = "A task that was one file"

class NewestToo(Newest):
    name = "newest-too"
"""


def test_a_new_file_is_a_new_task_with_no_other_edit(tmp_path, monkeypatch):
    (tmp_path / "newest.py").write_text(NEW)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    found = tasks._built_in()
    assert found.keys() - tasks.TASKS.keys() == {"newest", "newest-too"}
    assert found["newest-too"].title == "A task that was one file"


@pytest.mark.parametrize("task", tasks.TASKS.values(), ids=lambda task: task.name)
def test_every_task_says_what_a_run_needs(task):
    assert tasks.get(task.name) is task
    assert {"smoke", "small"} <= task.sizes.keys() or list(task.sizes) == [task.scale] == ["paper"]
    assert task.tuned_on in tasks.TASKS
    assert task.family in tasks.TASKS
    assert all(
        name.endswith(f".v{name.split('.v')[-1]}") for name in (*task.students.values(), *task.teachers.values())
    )
    assert task.teachers.keys() <= {"generator", "labeler"}
    assert task.metric not in task.also
    assert task.at(task.scale).size is task.sizes[task.scale]
    if "smoke" in task.sizes:
        assert task.at("smoke").data_name == ("few_" + task.dataset if task.sizes["smoke"].few else task.dataset)


def test_students_of_different_networks_have_different_names():
    """Where two tasks' students are not the same network, their names in a run's key are not the same either."""
    names: dict[str, set[str]] = {}
    for task in tasks.TASKS.values():
        names.setdefault(task.students["student"], set()).add(type(task).__mro__[0].student.__qualname__)
    assert all(len(builders) == 1 for builders in names.values())


def test_another_imbalance_ratio_is_another_task_of_the_same_family():
    task = tasks.get("fashion-lt-r50")
    assert (task.name, task.family, task.profile.ratio) == ("fashion-lt-r50", "fashion-lt", 50)
    assert tasks.get("fashion-lt-r50").with_ratio(100).name == "fashion-lt"
    assert task.examples() is tasks.get("fashion-lt").examples()
    with pytest.raises(ValueError, match="has no imbalance ratio to set: its classes are balanced"):
        tasks.get("fashion").with_ratio(50)
    with pytest.raises(ValueError, match="unknown task 'mnist'"):
        tasks.get("mnist")


def test_a_task_of_arrays_sets_a_tenth_aside_and_says_what_is_missing():
    class Small(Task):
        name = "small-arrays"

        def data(self):
            return {
                "train_inputs": np.zeros((40, 3)),
                "train_labels": np.arange(40) % 4,
                "test_inputs": np.zeros((4, 3)),
            }

    with pytest.raises(ValueError, match=r"small-arrays: data\(\) gives no test_labels"):
        Small().examples()
    Small.data = lambda self: {  # type: ignore[method-assign, return-value, assignment]
        "train_inputs": np.zeros((40, 3)),
        "train_labels": np.arange(40) % 4,
        "test_inputs": np.zeros((4, 3)),
        "test_labels": np.arange(4),
    }
    examples = Small().examples()
    assert (examples.classes, len(examples.validation)) == (4, 4)
    assert Small().tensor(np.zeros((2, 1, 4, 4), np.uint8)).shape == (2, 1, 4, 4)
