"""A Ray cluster under blows, for whoever changes how cells reach it: `python tests/ray_storm.py [PART...]`.

A head and two nodes on 127.0.0.2, .3 and .4, each with a cache of its own; parts: nodes, drivers, refused, gpus.
Printed is what was tried, and what was lost, doubled or changed against a grid of the local engine. Not collected by
the tests: it takes many minutes.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.core import paths

HEAD, NODES = "127.0.0.2", ("127.0.0.3", "127.0.0.4")
GRID = ["table1", "--size", "smoke", "--tasks", "fashion-lt"]
#: A method that only the driver has: it imports a file from beside it, and writes down when and where a run begins and
#: ends.
CLOCKED = '''
"""Clocked: one-hot, slowly."""
import os, time
from baselines.one_hot import OneHot
from clock import PAUSE

def note(what):
    with open({log!r}, "a") as file:
        file.write(f"{{what}} {{os.environ.get('TGT_CACHE')}} {{os.getpid()}} {{time.time()}}\\n")

class Clocked(OneHot):
    """Supervised alone, slowly."""
    version = 1
    def __init__(self, *args):
        super().__init__(*args)
        self.left = 12
        note("begin")
    def loss(self, student, batch):
        time.sleep(PAUSE)
        self.left -= 1
        if not self.left:
            note("end")
        return super().loss(student, batch)
'''


class Cluster:
    """Processes of `ray start`, by the address of each, and a folder with all that they write."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.running = folder, dict[str, subprocess.Popen]()
        with socket.socket() as free:
            free.bind((HEAD, 0))
            self.address = f"{HEAD}:{free.getsockname()[1]}"
        self.log = folder / "clock.log"
        (folder / "clocked.py").write_text(CLOCKED.format(log=str(self.log)))
        (folder / "clock.py").write_text("PAUSE = 0.3\n")

    def start(self, host: str, *more: str, code: Path = paths.ROOT) -> None:
        """One after another: two that start at once on one machine may choose the same port."""
        where = ["--head", f"--port={self.address.split(':')[1]}", f"--temp-dir={self.folder / 'ray'}"]
        where += ["--include-dashboard=false", "--num-cpus=0"]
        where = where if host == HEAD else [f"--address={self.address}", *(more or ("--num-cpus=1",))]
        log = self.folder / f"{host}-{time.time()}.log"
        with log.open("w") as file:
            self.running[host] = subprocess.Popen(
                [Path(sys.executable).with_name("ray"), "start", f"--node-ip-address={host}", "--block",
                 "--disable-usage-stats", *where],
                cwd=self.folder, env=environment(code, self.folder / host), stdout=file, stderr=file,
                start_new_session=True,
            )  # fmt: skip
        wait(lambda: "Ray runtime started" in log.read_text(), f"{host} did not start, see {log}")

    def kill(self, host: str) -> None:
        """A machine that is gone: all its processes at once."""
        running = self.running.pop(host)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()

    def stop(self) -> None:
        for host in [*reversed(self.running)]:
            self.kill(host)

    def drive(self, results: str, methods: str, seeds: int, *more: str) -> subprocess.Popen:
        words = [*GRID, "--methods", methods, "--seeds", str(seeds), "--results", results]
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "benchmarks", *words, "--unchecked",
             *(("--engine", "ray", "--address", self.address) if not results.startswith("local") else ()), *more],
            cwd=self.folder, env=environment(paths.ROOT), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip

    def records(self, results: str) -> list[dict[str, Any]]:
        path = self.folder / results / "smoke" / "records.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def notes(self, what: str) -> list[list[str]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        notes = [line.split() for line in lines if line.startswith(what)]
        return [note for note in notes if note[1] != "None"]  # on nodes: the driver tries a method out too

    def starts(self) -> int:
        """Cells that were begun on any node, by the logs of Ray."""
        logs = (self.folder / "ray").glob("session_2*/logs/worker*.err")
        return sum(log.read_text().count(":task_name:fashion") for log in logs)

    def processes(self, more: str = "") -> list[str]:
        """Command lines that name this cluster's folder, or a cell."""
        found = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout.splitlines()
        return [line for line in found if str(self.folder) in line or (more and more in line)]


def environment(code: Path, cache: Path | None = None) -> dict[str, str]:
    own = {"TGT_CACHE": str(cache)} if cache else {}
    return {
        **os.environ,
        "PYTHONPATH": str(code),
        "OMP_NUM_THREADS": "1",
        "RAY_AUTH_MODE": "disabled",
        "RAY_worker_niceness": "0",
        **own,
    }


def wait(until: Any, otherwise: str, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.1)


def essence(record: dict[str, Any]) -> Any:
    """What must be equal, whatever made it: no seconds."""
    curve = [{name: value for name, value in point.items() if name != "seconds"} for point in record["curve"]]
    return record["status"], record["metrics"], record.get("hits"), curve


def compared(wanted: list[dict[str, Any]], found: list[dict[str, Any]]) -> str:
    expected = {record["key"]: essence(record) for record in wanted}
    times = Counter(record["key"] for record in found)
    lost, doubled = len(expected.keys() - times.keys()), sum(times.values()) - len(times)
    changed = sum(essence(record) != expected.get(record["key"]) for record in found)
    return f"{len(times)} cells; lost {lost}, doubled {doubled}, changed {changed}"


SUITE, SEEDS = "one-hot,distillation,tgt-random", 2
METHODS = f"{SUITE},clocked.py"


def local(cluster: Cluster, methods: str = SUITE) -> list[dict[str, Any]]:
    """What local processes give for the grid."""
    results = f"local-{methods.count(',')}"
    if not cluster.records(results):
        told = cluster.drive(results, methods, SEEDS).communicate()[0]
        assert {record["status"] for record in cluster.records(results)} == {"ok"}, told
    return cluster.records(results)


def nodes(cluster: Cluster) -> None:
    """A node is killed within a cell, and replaced."""
    wanted = local(cluster, METHODS)
    driver = cluster.drive("killed-node", METHODS, SEEDS)
    wait(lambda: any(NODES[0] in cache for _, cache, *_ in cluster.notes("begin")), "no cell on the first node")
    cluster.kill(NODES[0])
    shutil.rmtree(cluster.folder / NODES[0])
    begun = len(cluster.records("killed-node"))
    cluster.start(NODES[0])
    told = driver.communicate()[0]
    places = Counter(cache.rpartition("/")[2] for _, cache, *_ in cluster.notes("end"))
    print(f"a node killed after {begun} records, replaced: {compared(wanted, cluster.records('killed-node'))}")
    print(f"  exit {driver.returncode}, traces {told.count('Traceback')}, slow runs ended by node: {dict(places)}")
    print("  files that came to the nodes: " + ", ".join(
        f"{host} {sum(path.suffix == '.safetensors' for path in (cluster.folder / host).rglob('*'))}" for host in NODES
    ), flush=True)  # fmt: skip


def drivers(cluster: Cluster, kills: int = 10) -> None:
    """The driver is killed at random moments, and started again."""
    wanted, rng, made, grids = local(cluster), random.Random(0), 0, 0
    first, cells = cluster.starts(), 0
    while made < kills:
        results, of_grid = f"killed-driver-{grids}", 0
        while True:
            driver, seen = cluster.drive(results, SUITE, SEEDS), cluster.starts()
            if made < kills and rng.random() < 0.7:  # once it is at work; else at any time from its start on
                wait(lambda: cluster.starts() > seen or driver.poll() is not None, "no cell begins")  # noqa: B023
            if made < kills:
                time.sleep(rng.uniform(0.0, 30.0))
            if made == kills or driver.poll() is not None:
                told = driver.communicate()[0]
                break
            os.killpg(driver.pid, signal.SIGKILL)
            driver.communicate()
            made, of_grid = made + 1, of_grid + 1
            print(f"  killed with {len(cluster.records(results))} records, {cluster.starts() - seen} begun", flush=True)
        grids, cells = grids + 1, cells + len(cluster.records(results))
        print(f"{of_grid} kills of the driver: {compared(wanted, cluster.records(results))}; exit {driver.returncode}")
        table = [cluster.folder / name / "smoke" / "table1.csv" for name in ("local-2", results)]
        equal = table[0].read_bytes() == table[1].read_bytes()
        print(f"  table1.csv equal to the byte: {equal}; traces {told.count('Traceback')}", flush=True)
        if "Traceback" in told:
            print(told[max(told.index("Traceback") - 200, 0) :][:2000], flush=True)
    time.sleep(10)
    left = sum("ray::fashion" in line for line in cluster.processes("ray::fashion"))
    again = cluster.starts() - first - cells
    print(f"  {made} kills; cells begun again: {again} (2 at most a kill); cells left running: {left}", flush=True)


def refused(cluster: Cluster) -> None:
    """A node with an edited file, and one with a tampered teacher; then one that is as it should be."""
    wanted = local(cluster)
    code = cluster.folder / "edited"
    shutil.copytree(
        paths.ROOT, code, ignore=shutil.ignore_patterns(".*", "local", "*.jsonl", "*.png", "*.pdf", "*.svg", "*.html")
    )
    (code / "tgt" / "losses.py").write_text((code / "tgt" / "losses.py").read_text() + "\nEDITED = 1\n")
    for host in NODES:
        cluster.kill(host)
    teacher = max((cluster.folder / NODES[1] / "teachers").glob("fashion-labeler*"), key=lambda path: path.suffix)
    raw = bytearray(teacher.read_bytes())
    raw[-1] ^= 1
    teacher.write_bytes(raw)
    cluster.start(NODES[0], code=code)
    cluster.start(NODES[1])
    driver = cluster.drive("refused", SUITE, SEEDS)
    wait(lambda: driver.poll() is not None, "the driver goes on without a node")
    told = driver.communicate()[0]
    print(f"both nodes refused: exit {driver.returncode}, {len(cluster.records('refused'))} records, said:")
    print("\n".join(f"  {line}" for line in told.splitlines() if "left" in line or "Trace" in line))
    cluster.kill(NODES[1])
    shutil.rmtree(cluster.folder / NODES[1])
    cluster.start(NODES[1])
    driver = cluster.drive("refused", SUITE, SEEDS)
    told = driver.communicate()[0]
    print(
        f"one of them as it should be: {compared(wanted, cluster.records('refused'))}; exit {driver.returncode}, said:"
    )
    print("\n".join(f"  {line}" for line in told.splitlines() if "left out" in line or "Trace" in line), flush=True)


def gpus(cluster: Cluster) -> None:
    """Nodes that declare a GPU each, and processors for more: cells of half a GPU."""
    cluster.log.unlink(missing_ok=True)
    for host in NODES:
        if host in cluster.running:
            cluster.kill(host)
        cluster.start(host, "--num-cpus=4", "--num-gpus=1")
    driver = cluster.drive("gpus", "clocked.py", 6, "--gpus-per-run", "0.5")
    told = driver.communicate()[0]
    most = Counter[str]()
    under_way = Counter[str]()
    for what, cache, _, _ in sorted(cluster.notes(""), key=lambda note: float(note[3])):
        under_way[cache] += 1 if what == "begin" else -1
        most[cache.rpartition("/")[2]] = max(most[cache.rpartition("/")[2]], under_way[cache])
    ended = len(cluster.notes("end"))
    print(f"half a GPU each: {ended} runs ended, exit {driver.returncode}; most at a time: {dict(most)}")
    print("\n".join(told.splitlines()[-3:]) if driver.returncode else "", flush=True)


PARTS = {"nodes": nodes, "drivers": drivers, "refused": refused, "gpus": gpus}


def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="tgt-ray-") as name:
        cluster = Cluster(Path(name))
        try:
            for host in (HEAD, *NODES):
                cluster.start(host)
            for part in names or PARTS:
                began = time.monotonic()
                PARTS[part](cluster)
                print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)
        finally:
            cluster.stop()
        time.sleep(2)
        print(f"processes left of the cluster: {len(cluster.processes())}")


if __name__ == "__main__":
    main(sys.argv[1:])
