"""`check` finds what makes a record or a table unfit to be believed."""

from __future__ import annotations

import json
import shutil

import pytest

from benchmarks.commands.main import main
from benchmarks.core import kept, paths
from benchmarks.core.environment import code_sha256
from benchmarks.core.fingerprint import digest
from benchmarks.records import Results
from benchmarks.records.record import Store, key_of
from benchmarks.registry.experiments import Choice
from benchmarks.registry.methods import METHODS
from benchmarks.report import artefacts
from benchmarks.report import audit as check
from benchmarks.runs.grid import rerun_of
from benchmarks.runs.run import PROTOCOL, Run
from benchmarks.teachers import store as teachers

FOLDER = paths.REFERENCE / "small"


def wrong(folder, size="small"):
    return [problem.told for problem in check.problems(Results.load(folder), size) if problem.wrong]


def notes(folder, size="small"):
    return [problem for problem in check.problems(Results.load(folder), size) if not problem.wrong]


@pytest.fixture
def copy(tmp_path):
    """The reference's records and table of movie-5 on 2,500 samples alone, as of today's versions."""
    found = [r for r in Results.load(FOLDER).of() if r[0].task == "movie-5" and r[0].budget == 2500]
    for spec, record in found:
        identity = {**rerun_of(spec, {}).made_of, "teacher_sha256": record.identity["teacher_sha256"]}
        today = record.model_copy(update={"identity": identity, "key": key_of(identity)})
        (tmp_path / "records.jsonl").open("a").write(today.line() + "\n")
    tables_of(tmp_path)
    return tmp_path


def tables_of(folder):
    for artefact in artefacts.of(Results.load(folder), Choice()):
        for file, text in artefact.csvs.items():
            (folder / file).write_text(text)


def change(folder, edit, count=1):
    """Change the first `count` records and give them hashes that fit: only what they say is then wrong."""
    path = folder / "records.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for data in lines[:count]:
        edit(data)
        data["key"] = key_of(data["identity"])
    path.write_text("")
    for data in lines:
        data.pop("sha256")
        path.open("a").write(json.dumps({**data, "sha256": digest(data)}) + "\n")


def test_the_committed_reference_is_whole():
    assert [told for told in wrong(FOLDER) if not told.startswith(("stale", "missing"))] == []


def test_the_committed_reference_is_of_todays_code():
    if {record.identity["protocol"] for record in Results.load(FOLDER).records} != {PROTOCOL}:
        pytest.skip("the reference was made under an earlier protocol: it is to be filled anew")
    assert wrong(FOLDER) == []


def test_a_copy_is_whole(copy):
    assert wrong(copy) == []


def test_a_record_edited_by_hand_is_found(copy):
    path = copy / "records.jsonl"
    lines = path.read_text().splitlines()
    data = json.loads(lines[3])
    data["metrics"]["accuracy"] += 0.05
    lines[3] = json.dumps(data)
    path.write_text("\n".join(lines) + "\n")
    found = wrong(copy)
    assert any("set aside: line 4 of records.jsonl: it is not as it was written" in told for told in found)
    assert any("table2.csv is not what the records give" in told for told in found)


def test_an_identity_edited_by_hand_is_found_by_its_key(copy):
    path = copy / "records.jsonl"
    lines = path.read_text().splitlines()
    data = json.loads(lines[0])
    data["identity"]["config"]["lr"] = 1.0
    data.pop("sha256")
    lines[0] = json.dumps({**data, "sha256": digest(data)})
    path.write_text("\n".join(lines) + "\n")
    assert any("set aside: line 1 of records.jsonl" in told for told in wrong(copy))


def test_a_changed_method_and_changed_settings_are_distinguished(copy):
    def edit(data):
        data["identity"]["method_version"] += 1
        data["identity"]["config"]["lr"] = 0.5

    change(copy, edit)
    method = json.loads((copy / "records.jsonl").read_text().splitlines()[0])["method"]
    found = wrong(copy)
    assert f"stale: movie-5 {method}: {check.CAUSES['method_version']}" in found
    assert any(told.startswith(f"stale: movie-5 {method}: its hyper-parameters changed (lr 0.5 -> ") for told in found)


def test_a_missing_seed_and_a_stale_table_are_found(copy):
    path = copy / "records.jsonl"
    lines = [
        line
        for line in path.read_text().splitlines()
        if '"method": "augmentation-pool"' not in line or '"seed": 2' not in line
    ]
    path.write_text("\n".join(lines) + "\n")
    told = "missing: movie-5, teacher full, 2,500 samples: augmentation-pool has no seed 2"
    noted = [problem for problem in check.problems(Results.load(copy), "small") if problem.told == told]
    assert [problem.wrong for problem in noted] == [False]  # somebody's own runs may have as many as they like
    found = wrong(copy)
    assert any("table2.csv is not what the records give" in told for told in found)


def test_mixed_teachers_are_found(copy):
    change(copy, lambda data: data["identity"]["teacher_sha256"].update(labeler="f" * 64))
    assert any(told.startswith("mixed: records of different teachers meet in movie-5") for told in wrong(copy))


def test_a_torn_line_and_code_edited_since_are_notes(copy):
    with (copy / "records.jsonl").open("a") as file:
        file.write('{"task": "mov')
    keys = [record.key for record in Results.load(copy).records]
    outcomes = {keys[0]: "equal", keys[1]: "agrees", "0" * 24: "equal"}  # the last is no record of this folder
    (copy / "verified.json").write_text(json.dumps({code_sha256(): outcomes}))
    assert wrong(copy) == []
    torn, code = (next(p for p in notes(copy) if p.told.startswith(word)) for word in ("torn", "same key"))
    assert torn.count == 1
    assert code.count == len(keys)
    assert "verified by 2 of 2 cells" in code.told
    (copy / "verified.json").write_text(json.dumps({code_sha256(): {**outcomes, keys[1]: "DIFFERS"}}))
    assert [told for told in wrong(copy) if "verified by 1 of 2 cells" in told]  # a number that came out otherwise


def test_a_changed_method_file_and_a_changed_teacher_are_found(tmp_path, monkeypatch):
    """A real record of smoke size; then the method's file, and then the teacher's weights, are changed."""
    from safetensors.torch import load_file, save_file

    from benchmarks.core import fingerprint as hashing
    from benchmarks.registry import custom
    from benchmarks.runs import scheduler as engine
    from benchmarks.runs.grid import grid

    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "data").symlink_to(paths.cache() / "data")
    monkeypatch.setenv("TGT_CACHE", str(cache))
    file = tmp_path / "own_checked_method.py"
    file.write_text("from baselines.one_hot import OneHot\n\nclass Mine(OneHot):\n    pass\n")
    name = custom.register(file)
    try:
        choice = Choice(size="smoke", tasks=("fashion-lt",), methods=(name,), seeds=1)
        store = Store(tmp_path / "out")
        plan = engine.plan(grid("table1", choice), store, 1)
        engine.train_teachers(plan.teachers, 1, lambda line: None)
        engine.run_missing(engine.plan(grid("table1", choice), store, 1), store, 1, lambda record: None)
        tables_of(tmp_path / "out")
        assert wrong(tmp_path / "out", "smoke") == []
        file.write_text(file.read_text().replace("pass", "changed = True"))
        hashing.modules_digest.cache_clear()
        assert wrong(tmp_path / "out", "smoke") == [f"stale: fashion-lt {name}: {check.CAUSES['method_sha256']}"]
        file.write_text(file.read_text().replace("changed = True", "pass"))
        hashing.modules_digest.cache_clear()
        run = Run(next(iter(store.read().values())).spec)
        recipe = run.recipes["labeler"]
        info, weights = teachers.metadata(recipe.path), load_file(recipe.path)
        first = next(iter(weights))
        weights[first] = weights[first] + 1
        info["sha256"] = teachers.content_sha256(weights)
        save_file(weights, recipe.path, metadata={"teacher": json.dumps(info)})
        kept.enter(recipe.path, kept.found(recipe.path))  # as one that was trained with other weights
        assert wrong(tmp_path / "out", "smoke") == [f"stale: fashion-lt {name}: {check.CAUSES['teacher_sha256']}"]
        recipe.path.write_bytes(recipe.path.read_bytes()[:-1])
        (told,) = [one for one in check.stale(list(store.read().values()), {}) if "its own" not in one.told]
        assert told.told.startswith(f"damaged: {recipe.path}: hash is ")
        assert not told.wrong  # it is trained anew, and no number of it is in doubt
    finally:
        del METHODS[name]
        custom._FILES.clear()


def test_the_command_says_so_and_sets_its_status(copy, tmp_path, capsys, monkeypatch):
    results = tmp_path / "results"
    monkeypatch.setattr("benchmarks.commands.check.REFERENCE", tmp_path / "none")  # of this folder alone
    shutil.copytree(copy, results / "small", ignore=shutil.ignore_patterns("results"))
    assert main(["check", "--results", str(results)]) == 0
    said = capsys.readouterr().out
    assert "C3: " in said
    assert "C8: " not in said  # nothing of it is recorded
    (results / "small" / "table2.csv").write_text("x\n")
    assert main(["check", "--results", str(results)]) == 1
    assert "WRONG stale: table2.csv is not what the records give" in capsys.readouterr().out
