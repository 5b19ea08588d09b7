"""`throughput`: what a step of each method costs, and of what it is made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.commands import contract
from benchmarks.commands.options import Computing, Methods, Tasks, Where, Work, choice_of, execution, folder_of
from benchmarks.core import paths
from benchmarks.registry import tasks
from benchmarks.registry.experiments import Choice
from benchmarks.registry.methods import METHODS, rows_of

TASKS = ("fashion-lt", "movie-5", "wiki-titles")
STEPS = {"smoke": 12, "small": 40}  # of a round: a multiple of every pool's renewal


@dataclass
class Options(Methods, Work, Tasks, Computing, Where):
    pass


def refuse(target: str, options: Options) -> None:
    choice = choice_of(options)
    contract.breaches(choice.methods, choice.tasks or TASKS, options.unchecked)


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    """Time every row of the tasks' tables, write CSV, chart and the benchmark's JSON."""
    from benchmarks.core.environment import environment
    from benchmarks.report import throughput
    from benchmarks.report.artefact import write_text
    from benchmarks.report.grid import to_csv
    from benchmarks.runs import prior
    from benchmarks.runs.device import Device
    from benchmarks.runs.fill import fill
    from benchmarks.runs.grid import grid

    choice, folder = choice_of(options), folder_of(options)
    wanted = [
        (name, method)
        for name in choice.tasks or TASKS
        for method in choice.methods or prior.fitting(rows_of(tasks.get(name)), tasks.get(name).at(choice.size))
        if not METHODS[method].unfit(tasks.get(name))
    ]
    first = Choice(size=choice.size, seeds=1, device=choice.device, precision=choice.precision)
    runs = [grid("table1", replace(first, tasks=(task,), methods=(row,)))[0] for task, row in wanted]
    _, status = fill(runs, folder, execution(options), console, teachers_only=True)
    if options.plan or status:
        return status
    paths.check_writable(folder)
    console.print(f"timing {len(wanted)} rows, one after the other, one thread", markup=False)
    cases = {
        "size": choice.size,
        "steps": STEPS[choice.size],
        "cases": wanted,
        "device": (choice.device, choice.precision),
    }
    found = _timed(cases, folder / "throughput.json")
    frame = throughput.of_json(found)
    gpu = Device(choice.device).environment().get("gpu")
    device = (gpu or f"{environment()['cpu']}-1-thread").lower().replace(" ", "-").replace("/", "-")
    table = folder / f"throughput-{device}-{choice.precision}-torch{environment()['packages']['torch']}.csv"
    write_text(table, to_csv(frame))
    made = [folder / "throughput.json", table, *throughput.draw(frame, folder / "throughput", choice.size)]
    for line in throughput.lines(frame):
        console.print(line, markup=False)
    console.print("written: " + ", ".join(str(path) for path in made), markup=False)
    return 0


def _timed(cases: dict[str, Any], written: Path) -> dict[str, Any]:
    """pytest-benchmark's JSON of the cases, each timed in one process of one thread. Raises RuntimeError."""
    from benchmarks.registry import custom

    cases["files"] = [str(path) for path in custom.files()]
    file = Path(__file__).with_name("throughput_cases.py")
    words = ["-q", "-p", "no:cacheprovider", "--timeout", "0", "--rootdir", str(paths.ROOT), str(file)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}  # of a test of this
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "--benchmark-json", str(written)],
        env={**env, "TGT_THROUGHPUT": json.dumps(cases), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"timing failed: {(done.stdout.strip().splitlines() or ['no output'])[-1]}")
    found = json.loads(written.read_text())
    found["machine_info"].pop("node", None)  # a machine's name is nobody's business
    with paths.atomic(written) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")
    return found
