"""What a step of each method costs, read from the benchmark's JSON: table, chart and words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks.registry import tasks
from benchmarks.registry.experiments import BASELINE
from benchmarks.report import style

#: Phases of a step as `tgt.Costs` has them, and what people call them.
PHASES = {
    "data": "data", "encode": "encode", "explore": "explore (ascent)", "decode": "decode", "labeler": "labeler",
    "forward": "student forward", "backward": "backward", "optimiser": "optimiser", "untracked": "untracked",
}  # fmt: skip
_COLOURS = ("#999999", "#56B4E9", "#D55E00", "#E69F00", "#CC79A7", "#0072B2", "#009E73", "#F0E442", "#000000")


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


def draw(frame: pd.DataFrame, path: Path, size: str) -> list[Path]:
    """Bars of a step's milliseconds by phase, one panel a task."""
    names = list(dict.fromkeys(frame.task))
    heights = [max((frame.task == name).sum(), 2) for name in names]
    figure = Figure(figsize=(9, 0.34 * sum(heights) + 1.2 * len(names)), layout="tight")
    axes = figure.subplots(len(names), 1, squeeze=False, height_ratios=heights)
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
    return style.save(figure, path, size=size)


def lines(frame: pd.DataFrame) -> list[str]:
    """Each row in words, against distillation of the same task."""
    out = []
    for name in dict.fromkeys(frame.task):
        rows = frame[frame.task == name]
        base = rows[rows.method == BASELINE].ms_step
        for row in rows.to_dict("records"):
            times = f", {row['ms_step'] / base.iloc[0]:.1f} times {BASELINE}" if len(base) else ""
            out.append(
                f"{name} {row['method']}: {row['ms_step']:.1f} ms a step{times}; "
                f"{row['samples_second']:,.0f} samples/s; {row['gflops']:.1f} of {row['gemm_gflops']:.0f} GFLOP/s; "
                f"untracked {100 * row['untracked_share']:.1f} %"
            )
    return out
