"""A storm of kills over a small grid, for whoever changes how runs are kept: `python tests/storm.py [KILLS]`.

A grid is filled by harnesses that are killed at random moments, or whose workers are, until so many kills are done; the
last one is left alone. Printed is what was tried, and what was lost, doubled or changed against a grid that nobody
disturbed. Not collected by the tests: it takes minutes.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.core import paths

METHODS = "one-hot,distillation,prior-sampling,tgt-random"
GRID = ["table1", "--size", "smoke", "--tasks", "fashion-lt", "--methods", METHODS, "--seeds", "13"]
CELLS = 52


def start(folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *GRID, "--results", str(folder)],
        cwd=paths.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def workers(folder: Path) -> list[int]:
    """Those at work now; what a killed one left is there until the next command clears it away."""
    found = (int(path.stem.partition("@")[0]) for path in (folder / "smoke" / ".claims").glob("*.status"))
    return [pid for pid in found if Path(f"/proc/{pid}").exists()]


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def lines(folder: Path) -> list[dict]:
    path = folder / "smoke" / "records.jsonl"
    whole = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in whole]


def storm(folder: Path, kills: int, harnesses: int, rng: random.Random) -> tuple[int, int, str]:
    """Kills of harnesses and of workers that were made, and what the last commands said."""
    done, of_workers, running = 0, 0, [start(folder) for _ in range(harnesses)]
    while done + of_workers < kills and len(lines(folder)) < CELLS:
        of_a_worker, victim = rng.random() < 0.5, rng.randrange(harnesses)
        deadline = time.monotonic() + 60
        while of_a_worker and not workers(folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(rng.uniform(0.0, 1.0 if of_a_worker else 8.0))
        alive = workers(folder)
        if of_a_worker and alive:
            of_workers += kill(rng.choice(alive))
        elif running[victim].poll() is None:
            os.killpg(running[victim].pid, signal.SIGKILL)
            running[victim].communicate()
            done += 1
        for number, harness in enumerate(running):
            if harness.poll() is not None:
                running[number] = start(folder)
    told = [harness.communicate()[0] for harness in running]
    last = start(folder)
    return done, of_workers, "".join([*told, last.communicate()[0]]) + f"\nlast exit status {last.returncode}\n"


def main(kills: int) -> int:
    rng = random.Random(0)
    with tempfile.TemporaryDirectory(prefix="tgt-storm-") as name:
        whole = Path(name) / "whole"
        start(whole).communicate()
        wanted = {line["key"]: line["metrics"] for line in lines(whole)}
        assert len(wanted) == CELLS, len(wanted)
        bad = 0
        for harnesses in (1, 4):
            made = [0, 0]
            lost = doubled = changed = traces = rounds = 0
            while sum(made) < kills:
                folder = Path(name) / f"storm-{harnesses}-{rounds}"
                harness, worker, told = storm(folder, kills - sum(made), harnesses, rng)
                made = [made[0] + harness, made[1] + worker]
                found = lines(folder)
                metrics = {line["key"]: line["metrics"] for line in found}
                lost += len(wanted.keys() - metrics.keys())
                doubled += len(found) - len(metrics)
                changed += sum(metrics.get(key, value) != value for key, value in wanted.items())
                traces += told.count("Traceback")
                rounds += 1
            print(
                f"{harnesses} at once: {made[0]} kills of harnesses, {made[1]} of workers, over {rounds} grids of "
                f"{CELLS} cells; lost {lost}, doubled {doubled}, changed {changed}, traces {traces}",
                flush=True,
            )
            bad += lost + doubled + changed + traces
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 40))
