"""A storm of kills over a small grid: `python tests/storm.py [KILLS [AT ONCE...]]`.

A grid is filled by harnesses that are killed at random moments, or whose workers are, until so many kills are done; the
last one is left alone. Before that a disk becomes full and a results folder is removed in the middle of a grid. Printed
is what was tried, and what was lost, doubled or changed against a grid that nobody disturbed. Not collected by the
tests: it takes minutes.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

from benchmarks.core import paths

METHODS = "one-hot,distillation,prior-sampling,tgt-random"
GRID = ["table1", "--size", "smoke", "--tasks", "fashion-lt", "--methods", METHODS, "--seeds", "13"]
CELLS = 52


WAIT = 120  # seconds for a worker to be at work
#: What was done, in how many grids, and what came of it.
Tried = tuple[str, int, Counter[str]]


def start(folder: Path, *more: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *GRID, "--results", str(folder), *more],
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
    """Kills of harnesses and of workers that were made, and what the commands said that came to an end."""
    done, of_workers, told, running = 0, 0, [], [start(folder) for _ in range(harnesses)]
    while done + of_workers < kills and len(lines(folder)) < CELLS:
        of_a_worker, victim = rng.random() < 0.5, rng.randrange(harnesses)
        deadline = time.monotonic() + WAIT
        while of_a_worker and not workers(folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(rng.uniform(0.0, 1.0 if of_a_worker else 8.0))
        alive = workers(folder)
        if of_a_worker and alive:
            of_workers += kill(rng.choice(alive))
        elif running[victim].poll() is None:
            os.killpg(running[victim].pid, signal.SIGKILL)
            done += 1
        for number, harness in enumerate(running):
            if harness.poll() is not None:
                told.append(harness.communicate()[0])
                running[number] = start(folder)
    told += [harness.communicate()[0] for harness in running]
    return done, of_workers, "".join(told)


def compared(folder: Path, wanted: dict[str, dict], told: str) -> dict[str, int]:
    """What is there after a last command, against what should be. failed: cells whose process was killed twice, which
    are recorded with that reason and which `--retry` makes good."""
    last = start(folder, "--retry")
    told += last.communicate()[0]
    found = lines(folder)
    fine = [line for line in found if line["status"] == "ok"]
    metrics = {line["key"]: line["metrics"] for line in fine}
    return {
        "failed": len({line["key"] for line in found if line["status"] != "ok"}),
        "lost": len(wanted.keys() - metrics.keys()),
        "doubled": len(fine) - len(metrics),
        "changed": sum(metrics.get(key, value) != value for key, value in wanted.items()),
        "traces": told.count("Traceback"),
        "bad ends": int(last.returncode != 0),
    }


def kills(name: str, number: int, harnesses: int, wanted: dict[str, dict], rng: random.Random) -> Iterator[Tried]:
    made, told = [0, 0], Counter()
    rounds = 0
    while sum(made) < number:
        folder = Path(name) / f"storm-{harnesses}-{rounds}"
        *found, said = storm(folder, number - sum(made), harnesses, rng)
        made = [made[0] + found[0], made[1] + found[1]]
        told.update(compared(folder, wanted, said))
        rounds += 1
    yield f"{harnesses} at once: {made[0]} kills of commands, {made[1]} of workers", rounds, told


def disturbed(what: str, folder: Path, act: Callable[[], None], wanted: dict[str, dict]) -> Tried:
    """A command in whose middle something is done to its folder: it must end with status 1, and say so in few lines."""
    running = start(folder)
    while len(lines(folder)) < 5 and running.poll() is None:
        time.sleep(0.05)
    act()
    said = running.communicate()[0]
    told = [line for line in said.splitlines() if line.startswith(("LOST", "FAILED", "reproduce.sh"))]
    print(f"  {what}: status {running.returncode}, {told}", flush=True)
    if what == "full disk":
        (folder / "ballast").unlink()
    found = compared(folder, wanted, said)
    return what, 1, Counter({**found, "bad ends": found["bad ends"] + (running.returncode != 1)})


def full(folder: Path) -> None:
    with (folder / "ballast").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def troubles(name: str, wanted: dict[str, dict]) -> Iterator[Tried]:
    """A full disk (a file system in memory, where this user may mount one), and a folder that is removed."""
    disk, folder = Path(name) / "disk", Path(name) / "removed"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(disk)], check=False).returncode == 0:
        try:
            yield disturbed("full disk", disk, lambda: full(disk), wanted)
        finally:
            subprocess.run(["umount", str(disk)], check=True)
    else:
        print("full disk: not run, nothing can be mounted here", flush=True)
    yield disturbed("removed folder", folder, lambda: shutil.rmtree(folder), wanted)


def main(number: int, harnesses: list[int]) -> int:
    rng, bad = random.Random(0), 0
    with tempfile.TemporaryDirectory(prefix="tgt-storm-") as name:
        whole = Path(name) / "whole"
        start(whole).communicate()
        wanted = {line["key"]: line["metrics"] for line in lines(whole)}
        assert len(wanted) == CELLS, len(wanted)
        cases = [troubles(name, wanted), *(kills(name, number, count, wanted, rng) for count in harnesses)]
        for what, rounds, found in chain(*cases):
            told = ", ".join(f"{name} {count}" for name, count in found.items())
            print(f"{what}, over {rounds} grids of {CELLS} cells: {told}", flush=True)
            bad += sum(found.values()) - found["failed"]
    return int(bad > 0)


if __name__ == "__main__":
    asked = [int(word) for word in sys.argv[1:]]
    sys.exit(main(asked[0] if asked else 40, asked[1:] or [1, 4]))
