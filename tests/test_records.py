"""Records: validated, atomic, safe against torn writes, other processes and a full disk."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from test_stats_and_tables import record

from benchmarks.core import paths
from benchmarks.core.fingerprint import code_digest, digest
from benchmarks.records.record import Record, Store


def test_round_trip(tmp_path):
    store = Store(tmp_path)
    first, second = record("one-hot", 0, 0.5), record("distillation", 0, 0.6)
    store.append(first)
    store.append(second)
    assert store.read() == {first.key: first, second.key: second}
    flat = json.loads(store.path.read_text().splitlines()[0])
    assert (flat["task"], flat["method"], flat["seed"], flat["status"]) == ("fashion-lt", "one-hot", 0, "ok")
    assert Record.parse(first.line()) == first


def test_a_torn_line_is_passed_over_and_repaired(tmp_path):
    store = Store(tmp_path)
    store.append(record("one-hot", 0, 0.5))
    with open(store.path, "a") as file:
        file.write(record("one-hot", 1, 0.5).line()[:100])
    assert len(store.read()) == 1
    store.append(record("one-hot", 2, 0.5))
    assert sorted(r.spec.seed for r in store.read().values()) == [0, 2]


def test_a_damaged_line_is_named(tmp_path):
    store = Store(tmp_path)
    store.append(record("one-hot", 0, 0.5))
    store.path.write_text(store.path.read_text().replace('"ok"', '"fine"'))
    with pytest.raises(ValueError, match=r"records.jsonl, line 1, is not a valid record"):
        store.read()


def test_many_processes_lose_nothing(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from benchmarks.records.record import Store; from test_stats_and_tables import record\n"
        "for i in range(20): Store(Path(sys.argv[1])).append(record('one-hot', 100 * int(sys.argv[2]) + i, 0.5))"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(i)], cwd=paths.ROOT / "tests")
        for i in range(3)
    ]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert len(Store(tmp_path).read()) == 60


def test_an_unwritable_or_full_folder_is_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OSError, match="cannot write to"):
        paths.check_writable(file / "inner")
    with pytest.raises(OSError, match="MB free"):
        paths.check_writable(tmp_path, megabytes=10**9)


def test_atomic_leaves_nothing_behind_after_an_error(tmp_path):
    def fail():
        with paths.atomic(tmp_path / "a") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_code_digest_ignores_words_but_not_meaning():
    code = 'def f(x):\n    """Doc."""\n    return x + 1  # why\n'
    assert code_digest(code) == code_digest("def f(x):\n\n    return x+1\n")
    assert code_digest(code) != code_digest(code.replace("1", "2"))


def test_digest_depends_on_every_value():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
