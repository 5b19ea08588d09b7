"""The machine and the software a record comes from: no host name, no user, no path."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.core.fingerprint import code_digest, digest
from benchmarks.core.paths import ROOT

#: What can change a number; where a record's code came from, not part of its key.
CODE = (
    "tgt", "baselines", "benchmarks/core/fingerprint.py", "benchmarks/data", "benchmarks/metrics", "benchmarks/task.py",
    "benchmarks/networks", "benchmarks/teachers", "benchmarks/tasks", "benchmarks/registry/hyperparameters.py",
    "benchmarks/runs/run.py", "benchmarks/runs/execute.py", "benchmarks/runs/loop.py",
    "benchmarks/runs/resume.py", "benchmarks/runs/snapshot.py",
)  # fmt: skip
PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pandas", "safetensors")


@cache
def environment() -> dict[str, Any]:
    """Versions, processor, memory, and the git commit with its dirty flag (None outside a checkout)."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu("model name") or platform.processor(),
        "cpu_model": ".".join(_cpu(part) for part in ("cpu family", "model", "stepping")),
        "cores": os.cpu_count(),
        "threads_per_run": 1,
        "bfloat16": _has_bfloat16(),  # frozen text networks answer in it where the processor has it
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        **_git(),
    }


def processes() -> int:
    """Processes of one run that a launcher (accelerate's, torch's) started; 1 where none did."""
    return int(os.environ["WORLD_SIZE"]) if {"WORLD_SIZE", "RANK", "MASTER_ADDR"} <= os.environ.keys() else 1


@cache
def code_sha256() -> str:
    """Hash of today's code as far as it can change a number."""
    files = [path for name in CODE for path in sorted((ROOT / name).rglob("*.py")) or [ROOT / name]]
    return digest({str(path.relative_to(ROOT)): code_digest(path.read_text()) for path in files})


def _has_bfloat16() -> bool:
    import torch

    return bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def _cpu(part: str) -> str:
    """Of the first processor; empty where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == part), "")


def _git() -> dict[str, Any]:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    try:
        changed = [line for line in git("status", "--porcelain").splitlines() if not line[3:].startswith("results/")]
        return {"commit": git("rev-parse", "HEAD").strip(), "dirty": bool(changed)}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
