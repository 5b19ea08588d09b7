"""Runs what is missing: teachers first, then cells, on local processes of one thread each."""

from __future__ import annotations

import json
import os
import platform
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from benchmarks.core import paths
from benchmarks.core.environment import processes
from benchmarks.core.errors import tell
from benchmarks.records.record import Record, Spec, Store
from benchmarks.registry import tasks
from benchmarks.runs import joined, resume, workers
from benchmarks.runs.execute import execute, failed
from benchmarks.runs.run import Run
from benchmarks.teachers import answer_cache, own
from benchmarks.teachers import store as teachers

GUESS_SECONDS = 40.0  # of a cell that no record tells about
SILENT_SECONDS = 600.0  # after which another host's worker counts as gone: whether it lives cannot be asked


@dataclass(frozen=True)
class Plan:
    """What a set of runs needs: recorded cells, cells to run, teachers to train, and what it will take."""

    runs: tuple[Run, ...]
    records: dict[str, Record]
    teachers: tuple[tuple[Run, str], ...]  # a run and the part of its teacher that is missing
    missing: tuple[Run, ...]
    seconds: float
    teacher_seconds: float = 0.0  # of these, what the teachers take
    lent: frozenset[str] = frozenset()  # keys of the records that are the committed reference's

    def record(self, run: Run) -> Record | None:
        return self.records.get(run.key) if run.has_teachers else None


def plan(
    runs: Iterable[Run],
    store: Store,
    jobs: int,
    history: Iterable[Record] = (),
    retry: bool = False,
    lent: Iterable[Record] = (),
) -> Plan:
    """Compare what is asked for with what is recorded. Costs come from `history` and the store's own records.

    Args:
        retry: count failed records as missing. lent: records from elsewhere that serve where the store has none.
    """
    runs = tuple(runs)
    own = store.read()
    records = {**{record.key: record for record in lent}, **own}
    seconds = _history([*history, *records.values()])
    untrained: dict[Path, tuple[Run, str]] = {}
    missing = []
    for run in runs:
        record = records.get(run.key) if run.has_teachers else None
        if record is not None and not (retry and record.status == "failed"):
            continue
        missing.append(run)
        for part, recipe in run.recipes.items():
            if not recipe.trained:
                untrained[recipe.path] = run, part
    parts = tuple(untrained.values())
    teaching = sum(_teaching(run, part, seconds) for run, part in parts) / jobs
    work = sum(_estimate(run, seconds) for run in missing) / jobs + teaching
    return Plan(runs, records, parts, tuple(missing), work, teaching, frozenset(records.keys() - own.keys()))


def _history(records: Iterable[Record]) -> dict[tuple[str, str, str], float]:
    """Mean seconds of finished runs by size, task or domain, and what took them.

    A step, evaluation included, of a method, or of any of them (""); the whole training of a teacher's "generator" or
    "labeler".
    """
    spent: dict[tuple[str, str, str], list[float]] = {}
    finished = [record for record in records if record.status == "ok" and not record.spec.settings]
    known = {name: tasks.get(name).domain for name in {record.spec.task for record in finished} if tasks.known(name)}
    for record in finished:
        spec, seconds = record.spec, sum(record.phases.values()) / record.identity["steps"]
        for place, method in product((spec.task, known.get(spec.task, "")), (spec.method, "")):
            spent.setdefault((spec.size, place, method), []).append(seconds)
        for place, (part, told) in product((spec.task, known.get(spec.task, "")), record.teachers.items()):
            if "seconds" in told:
                spent.setdefault((spec.size, place, part), []).append(told["seconds"])
    return {cell: sum(values) / len(values) for cell, values in spent.items()}


def _estimate(run: Run, history: dict[tuple[str, str, str], float]) -> float:
    """Seconds of a run: as those of its method on its task, else of others there, else of other tasks of its domain."""
    cells = product([run.spec.size], (run.spec.task, run.task.domain), (run.spec.method, ""))
    known = next((history[cell] for cell in cells if cell in history), None)
    return 1.0 + (GUESS_SECONDS * run.steps / run.task.size.steps if known is None else known * run.steps)


def _teaching(run: Run, part: str, history: dict[tuple[str, str, str], float]) -> float:
    """Seconds that one part of a run's teacher takes to train."""
    cells = ((run.spec.size, place, part) for place in (run.spec.task, run.task.domain))
    return next((history[cell] for cell in cells if cell in history), 0.06 * run.recipes[part].steps)


def train_teachers(
    missing: Iterable[tuple[Run, str]], jobs: int, done: Callable[[str], None], anew: bool = False
) -> None:
    """Train parts of runs' teachers, generator and labeler side by side; `anew`: those that are there too."""
    # Longest first, so that the last one does not run alone for long.
    parts = sorted(missing, key=lambda item: -item[0].recipes[item[1]].steps)
    for (spec, part, _), found in workers.each(jobs, _train_teacher, [(run.spec, part, anew) for run, part in parts]):
        if isinstance(found, workers.Died):
            raise RuntimeError(f"the {part} of {spec.task} could not be trained: {found.reason}")
        done(found)


def _train_teacher(spec, part: str, anew: bool) -> str:
    one_thread()
    run = Run(spec)
    info = teachers.train(run.task, run.recipes[part], run.split, anew)
    if run.task.size.keep_answers and spec.teacher == "full":
        answer_cache.pool_answers(run.task, part, run.recipes[part])  # now, so that no run's seconds hold them
    return f"{run.recipes[part].path.name}: {info['seconds']} s"


def run_missing(
    plan: Plan,
    store: Store,
    jobs: int,
    done: Callable[[Record], None],
    patience: float = 0,
    save_every: float = resume.EVERY,
) -> None:
    """Run the missing cells; each worker appends its record itself, so a killed harness loses no finished cell.

    patience, save_every: see `fill.Execution`.
    """
    folder, harness = store.path.parent, os.getpid()
    if processes() > 1:  # this one leads, and the others are at work on what it is
        jobs, patience = 1, 0
    waiting = list(plan.missing)
    for patient in (False, True):
        # A cell that another harness is at work on is left to the end, then waited for.
        busy = []
        if patient:
            _tell_of_others(waiting, folder)
        cells = [
            (run.spec, run.overrides, folder, patient, harness, save_every, kept.line() if kept else "")
            for run, kept in ((run, plan.record(run)) for run in waiting)
        ]
        # Code from outside may take its process down. A teacher that was made here may know no way to another process.
        apart = any(run.row.packages for run in waiting) and not own.MADE
        for (spec, overrides, *_), found in workers.each(jobs, _run_cell, cells, patience, apart):
            if found is None:
                busy.append(Run(spec, overrides))
            elif isinstance(found, workers.Died):
                store.append(record := failed(Run(spec, overrides), found.reason))
                resume.remove(resume.path_of(folder, record.key))
                done(record)
            else:
                done(Record.parse(found))
        waiting = busy


def _tell_of_others(waiting: list[Run], folder: Path) -> None:
    """Which processes of other commands are at work on cells that this one waits for, and whether they are stopped."""
    others = {status["cell"]: status for status in at_work(folder)}
    for run in waiting:
        pid, host = (others.get(run.spec.label, {}).get(name, "") for name in ("pid", "host"))
        stopped = " and is stopped (kill -CONT wakes it)" if pid and not host and _stopped(pid) else ""
        place = f" on {host}" if host else ""
        tell(f"waiting for {run.spec.label}: process {pid or 'of another command'}{place} is at work on it{stopped}")


def _stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
    except OSError:
        return False


def _run_cell(
    spec: Spec, overrides: Any, folder: Path, patient: bool, harness: int, save_every: float, seen: str
) -> str | None:
    """One cell, under its claim: the record's line, or None where another process holds the claim.

    Args:
        seen: the line of the failed record that is to be tried again; one that came since is another command's.
    """
    one_thread()
    _end_with(harness)
    run = Run(spec, overrides)
    store = Store(folder)
    claims = folder / ".claims"
    claims.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(claims / f"{run.key}.lock", timeout=-1 if patient else 0):
            kept, state = store.get(run.key), resume.path_of(folder, run.key)
            if kept is not None and (kept.status == "ok" or kept.line() != seen):
                return kept.line()
            watch = _watcher(folder, run, harness)
            watch(0, run.steps, 0.0)
            with joined.together(spec, overrides):  # several processes have no state in common yet
                record = execute(run, watch, state if processes() == 1 else None, save_every)
            store.append(record)
            resume.remove(state)
            return record.line()
    except Timeout:
        return None
    finally:
        _status_path(folder).unlink(missing_ok=True)


def one_thread() -> None:
    """Two multi-threaded processes on two cores slow each other down many times over."""
    import torch

    torch.set_num_threads(1)


def _status_path(folder: Path) -> Path:
    return folder / ".claims" / f"{os.getpid()}@{platform.node()}.status"


def _end_with(harness: int) -> None:
    """End this worker if the harness is gone, a run in it once its state is saved: nothing is left running."""
    if harness not in (os.getpid(), os.getppid()):  # with one job the harness itself does the work
        os.kill(os.getpid(), signal.SIGTERM)


def _watcher(folder: Path, run: Run, harness: int) -> Callable[[int, int, float], None]:
    """Writes what this worker is doing to a file that the harness shows."""
    path = _status_path(folder)

    def watch(step: int, steps: int, loss: float) -> None:
        _end_with(harness)
        workers.alive()
        with paths.atomic(path) as temporary:
            temporary.write_text(json.dumps({"cell": run.spec.label, "step": step, "steps": steps, "loss": loss}))

    return watch


def at_work(folder: Path) -> list[dict]:
    """What the workers on a results folder last wrote of themselves, with `pid`, and `host` where it is another.

    What dead processes of this host left is cleared away; of another host's it is passed over once it is silent.
    """
    found = []
    for path in sorted((folder / ".claims").glob("*.status")):
        pid, _, host = path.stem.partition("@")
        try:
            if host == platform.node():
                host = ""
                os.kill(int(pid), 0)
            elif time.time() - path.stat().st_mtime > SILENT_SECONDS:
                continue
            found.append({**json.loads(path.read_text()), "pid": int(pid), "host": host})
        except ProcessLookupError:
            path.unlink(missing_ok=True)
        except (OSError, ValueError):
            continue
    return found
