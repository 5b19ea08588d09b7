"""The target `throughput`: what a step of each method costs, and of what it is made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from rich.console import Console

from benchmarks.commands.options import Options
from benchmarks.core import paths
from benchmarks.core.environment import environment
from benchmarks.registry import experiments, plugins, tasks
from benchmarks.registry.experiments import Choice
from benchmarks.report import figures, tables
from benchmarks.runs import run as runs
from benchmarks.runs.fill import fill

TASKS = ("fashion-lt", "movie-5", "wiki-titles")
STEPS = {"smoke": 4, "small": 40}  # of a round: a multiple of every pool's renewal
#: Phases of a step as `tgt.Costs` has them, and what people call them.
PHASES = {
    "data": "data", "encode": "encode", "explore": "explore (ascent)", "decode": "decode", "labeler": "labeler",
    "forward": "student forward", "backward": "backward", "optimiser": "optimiser", "untracked": "untracked",
}  # fmt: skip
_COLOURS = ("#999999", "#56B4E9", "#D55E00", "#E69F00", "#CC79A7", "#0072B2", "#009E73", "#F0E442", "#000000")


def run(options: Options, choice: Choice, folder: Path, console: Console) -> int:
    """Time every row of the tasks' tables, write CSV, chart and the benchmark's JSON."""
    wanted = [
        (name, method)
        for name in choice.tasks or TASKS
        for method in choice.methods or experiments.rows_of(tasks.get(name))
        if not experiments.METHODS[method].unfit(tasks.get(name))
    ]
    grid = [
        experiments.grid("table1", Choice(size=choice.size, tasks=(t,), methods=(m,), seeds=1))[0] for t, m in wanted
    ]
    _, status = fill(grid, folder, options, console, teachers_only=True)
    if options.plan or status:
        return status
    paths.check_writable(folder)
    written = folder / "throughput.json"
    console.print(f"timing {len(wanted)} rows, one after the other, one thread", markup=False)
    files = [str(path) for path in plugins.files()]
    cases = {"size": choice.size, "steps": STEPS[choice.size], "cases": wanted, "files": files}
    file = paths.ROOT / "benchmarks" / "throughput_cases.py"
    words = ["-q", "-p", "no:cacheprovider", "--timeout", "0", "--rootdir", str(paths.ROOT), str(file)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "--benchmark-json", str(written)],
        env={**os.environ, "TGT_THROUGHPUT": json.dumps(cases), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"timing failed: {(done.stdout.strip().splitlines() or ['no output'])[-1]}")
    found = json.loads(written.read_text())
    found["machine_info"].pop("node", None)  # a machine's name is nobody's business
    with paths.atomic(written) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")
    frame = of_json(found)
    name = f"throughput-{_device()}-{runs.PRECISION}-torch{environment()['packages']['torch']}"
    with paths.atomic(folder / f"{name}.csv") as temporary:
        temporary.write_text(tables.to_csv(frame))
    made = [written, folder / f"{name}.csv", *draw(frame, folder / "throughput")]
    for line in lines(frame):
        console.print(line, markup=False)
    console.print("written: " + ", ".join(str(path) for path in made), markup=False)
    return 0


def _device() -> str:
    return f"{environment()['cpu']}-1-thread".lower().replace(" ", "-").replace("/", "-")


def of_json(found: dict[str, Any]) -> pd.DataFrame:
    """One row a task and method from pytest-benchmark's JSON: medians over rounds, with the middle half's spread.

    Columns: `ms_step` (`_low`, `_high`: quartiles), `samples_second` shown to the student, ms a step by phase,
    `untracked_share`, `labeler_queries_second`, `decodes_second`, `macs_step` (multiply-adds of products and
    convolutions, ascent and backward included), `gflops`, `gemm_gflops` (a large product of float32
    matrices in the same process), `peak_memory_mb`. The former can pass the latter: a convolution may take fewer
    multiplications than are counted (Winograd), and frozen text networks answer in bfloat16 where they can.
    """
    cases = {case["name"].split("[")[0] + str(case.get("params")): case for case in found["benchmarks"]}
    (gemm,) = [case for case in cases.values() if case["name"] == "test_gemm"]
    peak = gemm["extra_info"]["flops"] / gemm["stats"]["median"] / 1e9
    rows = []
    for case in cases.values():
        info = case["extra_info"]
        if "rounds" not in info:
            continue
        steps = info["steps"]
        total = np.array([sum(r["seconds"].values()) for r in info["rounds"]])
        split = {
            f"ms_{phase}": 1000 * float(np.median([r["seconds"].get(phase, 0.0) for r in info["rounds"]])) / steps
            for phase in PHASES
        }
        counts = {name: np.mean([r["counts"].get(name, 0) for r in info["rounds"]]) for name in _COUNTED}
        low, second, high = (float(value) for value in np.quantile(total, [0.25, 0.5, 0.75]))
        ms = 1000 / steps
        rows.append(
            {
                "task": info["task"], "method": info["method"],
                "ms_step": ms * second, "ms_step_low": ms * low, "ms_step_high": ms * high,
                "samples_second": counts["student_samples"] / second, **split,
                "untracked_share": split["ms_untracked"] / (ms * second),
                "labeler_queries_second": counts["labeler_queries"] / second,
                "decodes_second": counts["decodes"] / second,
                "macs_step": info["flops"] / 2 / steps, "gflops": info["flops"] / second / 1e9, "gemm_gflops": peak,
                "peak_memory_mb": info["peak_memory_mb"],
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


_COUNTED = ("student_samples", "labeler_queries", "decodes")


def draw(frame: pd.DataFrame, path: Path) -> list[Path]:
    """Bars of a step's milliseconds by phase, one panel a task."""
    names = list(dict.fromkeys(frame.task))
    heights = [max((frame.task == name).sum(), 2) for name in names]
    figure, axes = plt.subplots(
        len(names), 1, figsize=(9, 0.34 * sum(heights) + 1.2 * len(names)), squeeze=False, height_ratios=heights
    )
    for name, axis in zip(names, axes[:, 0], strict=True):
        rows = frame[frame.task == name][::-1]
        left = np.zeros(len(rows))
        for (phase, called), colour in zip(PHASES.items(), _COLOURS, strict=True):
            axis.barh(rows.method, rows[f"ms_{phase}"], left=left, color=colour, label=called)
            left += rows[f"ms_{phase}"].to_numpy()
        axis.set_title(tasks.get(name).title, loc="left", fontsize=10)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3, axis="x")
    axes[-1, 0].set_xlabel("milliseconds a step (median; pools filled, evaluation excluded)")
    axes[-1, 0].legend(fontsize=8, ncol=5, loc="upper center", bbox_to_anchor=(0.4, -0.25 * 6 / heights[-1]))
    figure.tight_layout()
    return figures.save(figure, path)


def lines(frame: pd.DataFrame) -> list[str]:
    """Each row in words, against distillation of the same task."""
    out = []
    for name in dict.fromkeys(frame.task):
        rows = frame[frame.task == name]
        base = rows[rows.method == tables.BASELINE].ms_step
        for row in rows.to_dict("records"):
            times = f", {row['ms_step'] / base.iloc[0]:.1f} times {tables.BASELINE}" if len(base) else ""
            out.append(
                f"{name} {row['method']}: {row['ms_step']:.1f} ms a step{times}; "
                f"{row['samples_second']:,.0f} samples/s; {row['gflops']:.1f} of {row['gemm_gflops']:.0f} GFLOP/s; "
                f"untracked {100 * row['untracked_share']:.1f} %"
            )
    return out
