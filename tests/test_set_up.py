"""reproduce.sh before anything is installed: an environment of another checkout is noticed, the lock is whole."""

from __future__ import annotations

import re
import shutil
import subprocess

from benchmarks.core import paths


def test_the_environment_of_another_checkout_is_noticed(tmp_path):
    for name in ("reproduce.sh", "pyproject.toml", "constraints.txt", "requirements.lock"):
        shutil.copy(paths.ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").write_text("1 2 /some/other checkout\n")
    done = subprocess.run(["bash", tmp_path / "reproduce.sh", "list"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"reproduce.sh: .venv was made for /some/other checkout, not for {tmp_path}: remove it"
    )
    assert done.stderr.count("\n") == 1
    assert (tmp_path / ".venv" / ".installed").exists()


def test_the_lock_has_a_hash_of_each_distribution_and_the_versions_of_the_constraints():
    text = (paths.ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    found = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(found) > 100
    assert [line for line in found if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []
    locked = dict(re.match(r"([\w.-]+)==(\S+)", line).groups() for line in found)  # type: ignore[union-attr]
    normal = {re.sub(r"[-_.]+", "-", name.lower()): version for name, version in locked.items()}
    for line in (paths.ROOT / "constraints.txt").read_text().splitlines():
        name, version = line.split("==")
        assert normal[re.sub(r"[-_.]+", "-", name.lower())] == version
