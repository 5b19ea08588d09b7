"""Records: validated, atomic, safe against torn writes, other processes and a full disk."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pytest
from test_stats_and_tables import record

from benchmarks.commands.main import main
from benchmarks.core import paths
from benchmarks.core.fingerprint import code_digest, digest
from benchmarks.records.record import Record, Store
from benchmarks.runs import scheduler


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


def test_of_a_file_that_grew_only_what_was_added_is_parsed(tmp_path, monkeypatch):
    """A file that was changed elsewhere too is read anew."""
    store, lines = Store(tmp_path), [record("one-hot", seed, 0.5).line() for seed in range(4)]
    parsed, parse = [], Record.parse
    monkeypatch.setattr(Record, "parse", lambda line: parsed.append(line) or parse(line))
    store.path.write_text("\n".join(lines[:2]) + "\n" + lines[2][:50])
    assert len(store.read()) == len(parsed) == 2
    store.path.write_text("\n".join(lines[:3]) + "\n")
    assert len(store.read()) == len(parsed) == 3
    store.path.write_text("\n".join([lines[3], *lines[1:]]) + "\n")
    assert [found.spec.seed for found in store.read().values()] == [3, 1, 2]
    assert len(parsed) == 7
    assert store.get(parse(lines[2]).key).spec.seed == 2
    assert store.get("0" * 24) is None


def rewritten(line, **changes):
    """A record's line with other values, its own hash written anew: as whoever knows the format would edit it."""
    data = {**json.loads(line), **changes}
    data.pop("sha256")
    return json.dumps({**data, "sha256": digest(data)}).encode()


def edited(line, old, new):
    assert old in line
    return line.replace(old, new, 1).encode()


#: What may become of a line, and a word of what is said of it.
DAMAGE = {
    "empty object": (lambda line: b"{}", "written"),
    "a list": (lambda line: b"[1, 2]", "no JSON object"),
    "a number": (lambda line: b"17", "no JSON object"),
    "a string": (lambda line: b'"text"', "no JSON object"),
    "null": (lambda line: b"null", "no JSON object"),
    "words": (lambda line: b"not a record", "Expecting value"),
    "cut in the middle": (lambda line: line[: len(line) // 2].encode(), "line 1 column"),
    "its first half missing": (lambda line: line[len(line) // 2 :].encode(), "line 1 column"),
    "two lines in one": (lambda line: (line + line).encode(), "Extra data"),
    "zero bytes": (lambda line: b"\0" * 40, "Expecting value"),
    "no UTF-8": (lambda line: b'{"key": "\xff\xfe"}', "utf-8"),
    "a bit flipped in a name": (lambda line: edited(line, '"method"', '"lethod"'), "written"),
    "a better score": (lambda line: edited(line, '"accuracy": 0.5', '"accuracy": 0.9'), "written"),
    "another seed": (lambda line: edited(line, '"seed": 0', '"seed": 7'), "written"),
    "another status": (lambda line: edited(line, '"ok"', '"fine"'), "written"),
    "without its hash": (lambda line: line.split(', "sha256"')[0].encode() + b"}", "written"),
    "NaN": (lambda line: edited(line, '"accuracy": 0.5', '"accuracy": NaN'), "NaN is no value"),
    "infinity": (lambda line: edited(line, '"accuracy": 0.5', '"accuracy": -Infinity'), "-Infinity is no value"),
    "another key, hash anew": (lambda line: rewritten(line, key="0" * 24), "written"),
    "another identity, hash anew": (lambda line: rewritten(line, identity={"seed": 3}), "written"),
    "a share above 1, hash anew": (lambda line: rewritten(line, metrics={"accuracy": 1.5}), "less than or equal to 1"),
    "a share below 0, hash anew": (lambda line: rewritten(line, metrics={"accuracy": -0.1}), "greater than or equal"),
    "a huge number, hash anew": (lambda line: rewritten(line, metrics={"accuracy": 1e308}), "metrics.accuracy"),
    "a word for a number, hash anew": (lambda line: rewritten(line, costs={"seconds": "few"}), "costs.seconds"),
    "an unknown field, hash anew": (lambda line: rewritten(line, colour="red"), "colour: Extra inputs"),
    "a field missing, hash anew": (lambda line: rewritten(line, status=None), "status"),
    "a newer schema": (lambda line: rewritten(line, schema_version=99), "schema_version is 99"),
    "deep nesting": (lambda line: b'{"a":' * 100_000 + b"1" + b"}" * 100_000, ""),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_line_is_set_aside_and_the_rest_stands(kind, tmp_path, capsys):
    """One line of the note tells which and why; repair takes it out and keeps the file as it was."""
    damage, said = DAMAGE[kind]
    store = Store(tmp_path)
    good = [record("one-hot", seed, 0.5) for seed in (1, 2)]
    bad = damage(record("one-hot", 0, 0.5).line())
    before = good[0].line().encode() + b"\n" + bad + b"\n" + good[1].line().encode() + b"\n"
    store.path.write_bytes(before)
    assert store.read() == {one.key: one for one in good}
    assert store.get(record("one-hot", 0, 0.5).key) is None
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "records.jsonl, line 2, is set aside: " in told
    assert said in told
    assert store.repair().read_bytes() == before
    assert store.path.read_text() == "".join(one.line() + "\n" for one in good)
    assert store.read() == {one.key: one for one in good}
    assert store.repair() is None
    assert not store.damaged()


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


def test_a_folder_whose_locks_do_not_work_is_refused_before_anything_runs(tmp_path, monkeypatch, capsys):
    paths.check_locks(tmp_path)
    words = ["table1", "--size", "smoke", "--tasks", "fashion-lt", "--seeds", "1", "--results", str(tmp_path)]
    for broken, told in (
        (("fcntl.flock", lambda *opened: None), "two processes can hold one at once"),
        (("benchmarks.core.paths._mount_options", lambda folder: {"rw", "nolock"}), "mounted with nolock"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(*broken)
            assert main(words) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert f"file locks do not work in {tmp_path / 'smoke'}: " in said
        assert told in said
        assert not (tmp_path / "smoke" / ".claims").exists()


def test_what_other_hosts_are_at_is_shown_and_left_alone(tmp_path):
    claims = tmp_path / ".claims"
    claims.mkdir()
    here, gone, there, silent = f"{os.getpid()}@{platform.node()}", f"4194305@{platform.node()}", "7@there", "8@there"
    for name in (here, gone, there, silent):
        (claims / f"{name}.status").write_text('{"cell": "a"}')
    os.utime(claims / f"{silent}.status", (0, 0))
    found = scheduler.at_work(tmp_path)
    assert {(one["pid"], one["host"]) for one in found} == {(7, "there"), (os.getpid(), "")}
    assert {path.stem for path in claims.iterdir()} == {here, there, silent}


def test_a_disk_that_is_full_in_the_middle_is_told_by_the_files_name(tmp_path):
    store = Store(tmp_path)
    store.path.symlink_to("/dev/full")
    with pytest.raises(OSError, match=rf"cannot write {store.path}: No space left on device"):
        store.append(record("one-hot", 0, 0.5))


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
