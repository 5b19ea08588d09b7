"""Worker processes of one thread each. One that dies, or hangs, is the affair of the call that it was at work on."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import ProcessPoolExecutor, TerminatedWorkerError

from benchmarks.core.errors import BadInput
from benchmarks.runs import handover

# Calls that are given up when another one's error ends all: the error is told, and not this.
warnings.filterwarnings("ignore", r"\d+ tasks which were still being processed", UserWarning)
LOOK = 0.5  # seconds between two looks for calls that hang


@dataclass(frozen=True)
class Died:
    """What became of a call whose worker died twice: why, in plain words."""

    reason: str


def each(
    jobs: int, work: Callable[..., Any], calls: list[tuple], patience: float = 0, apart: bool = False
) -> Iterator[tuple[tuple, Any | Died]]:
    """Each call with what `work` gave for it, as they end.

    When a worker dies, the calls that were under way are made once more, each alone in a process, so that it is known
    which of them it dies of; then all others go on. A call may be made twice: `work` has to know what is done already.

    Args:
        jobs: processes. With 1, no patience and not `apart` this process does the work itself, and dies with it.
        patience: seconds without a sign of life (`alive`) after which a call's worker is ended; 0 for never.
        apart: never do the work in this process.

    Raises:
        Exception: what a call raised: one that this machine or a person's words are to blame for (OSError, BadInput) at
            once, any other when all calls were made.
    """
    here = jobs == 1 and not patience and not apart
    waiting, raised = dict(enumerate(calls)), []
    with TemporaryDirectory(prefix="tgt-marks-") as folder, handover.prepared(1 if here else max(jobs, 2)) as made:
        pool = _Pool(work, made, Path(folder), patience)

        def ended(number: int, outcome: Any) -> Iterator[tuple[tuple, Any]]:
            call = waiting.pop(number)
            if not isinstance(outcome, _Raised):
                yield call, outcome
            elif isinstance(outcome.error, OSError | BadInput):
                raise outcome.error
            else:
                raised.append(outcome.error)

        while waiting:
            if here or jobs > 1:
                try:
                    for number, outcome in pool.all(jobs, waiting):
                        yield from ended(number, outcome)
                except TerminatedWorkerError:
                    pass
            # Those under way when a worker died; of one that died between two calls nothing is known.
            suspects = pool.under_way() or list(waiting)[:1]
            for number in suspects if jobs > 1 else list(waiting):
                if number in waiting:
                    tries = 1 if jobs > 1 else 2
                    yield from ended(number, pool.alone(number, waiting[number], tries, jobs))
    if raised:
        raise raised[0]


def apart(work: Callable[..., Any], *call: Any, jobs: int = 1) -> Any | Died:
    """What `work` gives for one call, made in another process, which may die of it; what it raises is raised here.

    jobs: of what follows, which then finds its processes started.
    """
    with TemporaryDirectory(prefix="tgt-marks-") as folder, handover.prepared(1) as made:
        outcome = _Pool(work, made, Path(folder), patience=0).alone(0, call, 1, jobs)
    if isinstance(outcome, _Raised):
        raise outcome.error
    return outcome


@dataclass(frozen=True)
class _Raised:
    error: Exception


@dataclass
class _Pool:
    """Workers on numbered calls. Each call under way has a file, named by its number, with its process in it."""

    work: Callable[..., Any]
    made: tuple
    folder: Path
    patience: float
    hung: set[int] = field(default_factory=set)

    def all(self, jobs: int, calls: dict[int, tuple]) -> Iterator[tuple[int, Any]]:
        """Number and outcome of each call, as they end. Raises TerminatedWorkerError when a worker dies."""
        for mark in self.folder.iterdir():
            mark.unlink()
        with self._watched(), parallel_config(backend="loky", inner_max_num_threads=1):
            tasks = [delayed(_work)(self.made, self.folder / f"{n}", self.work, call) for n, call in calls.items()]
            yield from Parallel(n_jobs=jobs, return_as="generator_unordered", pre_dispatch="all")(tasks)

    def alone(self, number: int, call: tuple, tries: int, jobs: int) -> Any:
        """The outcome of one call, in a process that has no other; with one job it is the same for all calls."""
        for _ in range(tries):
            self.hung.discard(number)
            try:
                ((_, outcome),) = self.all(jobs, {number: call}) if jobs > 1 else [self._by_the_one(number, call)]
            except TerminatedWorkerError as error:
                found = f"no step in {self.patience:g} seconds" if number in self.hung else _signal_of(error)
                outcome = Died(f"worker died: {found}" if number not in self.hung else f"hung: {found}, twice")
            else:
                return outcome
        return outcome

    def _by_the_one(self, number: int, call: tuple) -> tuple[int, Any]:
        with self._watched():
            return _one_process().submit(_work, self.made, self.folder / f"{number}", self.work, call).result()

    def under_way(self) -> list[int]:
        return sorted(int(mark.name) for mark in self.folder.iterdir())

    @contextmanager
    def _watched(self) -> Iterator[None]:
        stop = threading.Event()
        watcher = threading.Thread(target=self._end_hung, args=(stop,), daemon=True)
        if self.patience:
            watcher.start()
        try:
            yield
        finally:
            stop.set()
            if self.patience:
                watcher.join()

    def _end_hung(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK):
            for mark in self.folder.iterdir():
                try:
                    pid, silent = int(mark.read_text() or 0), time.time() - mark.stat().st_mtime
                except OSError:  # its call has just ended
                    continue
                if pid and silent > self.patience:
                    self.hung.add(int(mark.name))
                    os.kill(pid, signal.SIGKILL)


_ONE: list[ProcessPoolExecutor] = []


def _one_process() -> ProcessPoolExecutor:
    """One process beside this one, which starts again only when it died. Joblib has none below two."""
    if not _ONE or _ONE[0]._flags.broken:
        threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS")}
        _ONE[:] = [ProcessPoolExecutor(1, env=threads)]
    return _ONE[0]


def _signal_of(error: TerminatedWorkerError) -> str:
    """What the pool tells of a dead worker: its signal or exit code."""
    found = re.findall(r"(SIG\w+|EXIT)\(-?(\d+)\)", str(error))
    name, number = found[0] if found else ("", "")
    if name == "EXIT":
        return f"exit code {number}"
    return f"{name or 'it is gone'}" + (", probably for want of memory" if name == "SIGKILL" else "")


#: Of this process: the file that tells which call it is at work on.
_MARK: list[Path] = []


def _work(made: tuple, mark: Path, work: Callable[..., Any], call: tuple) -> tuple[int, Any]:
    mark.write_text(str(os.getpid()))
    _MARK[:] = [mark]
    try:
        handover.taken_over(*made)
        return int(mark.name), work(*call)
    except Exception as error:
        error.add_note(traceback.format_exc())  # the trace itself does not reach another process
        return int(mark.name), _Raised(error)
    finally:
        mark.unlink(missing_ok=True)


def alive() -> None:
    """A sign of life of the call that this process is at work on."""
    for mark in _MARK:
        if mark.exists():
            mark.touch()
