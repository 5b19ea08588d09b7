"""The missing cells of a plan as tasks of a Ray cluster, one each. The command is the driver: it alone writes records.

Without an address Ray starts on this machine and ends with the command. A task whose node dies is made again elsewhere;
one that kills its process twice is a failed record.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.core import paths
from benchmarks.core.errors import BadInput, MachineFailure, in_a_line, tell
from benchmarks.records.record import Record, Store
from benchmarks.runs import node
from benchmarks.runs.desk import Desk
from benchmarks.runs.execute import failed
from benchmarks.runs.run import Run
from benchmarks.runs.scheduler import Plan
from benchmarks.teachers import answer_cache

LOOK = 1.0  # seconds between two looks at what the nodes tell
#: Bytes of memory that a cell asks for by its size: the most that a committed run of it took.
MEMORY = {"smoke": 1.5 * 2**30, "small": 3 * 2**30}


@dataclass
class _Try:
    """A task under way, and what became of the same cell's earlier ones."""

    run: Run
    name: str
    deaths: int = 0
    hung: bool = False


@dataclass
class Ray:
    """Makes cells on a cluster.

    Attributes:
        jobs: cells at once where Ray starts here. address: of a cluster's head, "" to start here. gpus: of each cell,
            a share of one or more; None for one on cuda and none else. patience: see `fill.Execution`.
    """

    jobs: int
    address: str = ""
    gpus: float | None = None
    patience: float = 0
    _under_way: dict[Any, _Try] = field(default_factory=dict)
    _refused: set[str] = field(default_factory=set)  # nodes, by Ray's names for them
    _told: dict[str, dict[str, Any]] = field(default_factory=dict)

    def at_work(self) -> list[dict[str, Any]]:
        tries = list(self._under_way.values())
        return [self._told[one.name] for one in tries if one.name in self._told]

    def run(self, plan: Plan, store: Store, done: Callable[[Record], None]) -> None:
        ray = _connected(self.address, self.jobs)
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        folders = [paths.cache(), *(paths.REFERENCE / size for size in sorted({run.spec.size for run in plan.missing}))]
        # Where memory is short Ray may end the desk as well; what it knows is told again.
        desk = ray.remote(Desk).options(num_cpus=0, scheduling_strategy=here, max_restarts=-1, max_task_retries=-1)
        self._desk = desk.remote(folders)
        self._handed = ray.put(node.Handed.gathered())
        for run in plan.missing:
            _answers(run)
            self._submit(_Try(run, run.key))
        raised = []
        while self._under_way:
            ended, _ = ray.wait(list(self._under_way), timeout=LOOK)
            self._told = ray.get(self._desk.told.remote())
            self._end_hung()
            for reference in ended:
                one = self._under_way.pop(reference)
                try:
                    found = ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    if isinstance(error.cause, OSError | BadInput):
                        raise error.cause from error
                    raised.append(error)
                except ray.exceptions.RayError as error:
                    self._again(one, error, store, done)
                else:
                    if isinstance(found, node.Refused):
                        if found.node not in self._refused:
                            tell(found.reason)
                        self._refused.add(found.node)
                        self._submit(one)
                    else:
                        _keep(Record.parse(found), store, done)
        if raised:
            raise raised[0]

    def _submit(self, one: _Try) -> None:
        """Ask Ray for a task wherever no node was refused."""
        import ray

        spec, nodes = one.run.spec, [found for found in ray.nodes() if found["Alive"]]
        left = [found["Resources"] for found in nodes if found["NodeID"] not in self._refused]
        if self._refused and not any(found.get("CPU") for found in left):
            raise MachineFailure("no node of the cluster is left that may run the cells")
        gpus = self.gpus if self.gpus is not None else float(spec.device == "cuda")
        if left and gpus > max(found.get("GPU", 0) for found in left):
            raise BadInput(f"--gpus-per-run: no node has {gpus:g} GPUs (ray start --num-gpus tells how many there are)")
        most = max((found.get("memory", 0) for found in left), default=0)
        avoided = {"ray.io/node-id": f"!in({','.join(sorted(self._refused))})"} if self._refused else None
        task = ray.remote(node.cell).options(
            num_cpus=1, num_gpus=gpus, memory=int(min(MEMORY.get(spec.size, most), most)), max_retries=0,
            label_selector=avoided, name=spec.label,
        )  # fmt: skip
        one = _Try(one.run, f"{one.run.key} {secrets.token_hex(4)}", one.deaths, one.hung)
        self._under_way[task.remote(self._desk, [self._handed], node.Wanted.of(one.run), one.name)] = one

    def _again(self, one: _Try, error: Exception, store: Store, done: Callable[[Record], None]) -> None:
        """A task whose process ended: made once more, or as often as its node was what ended."""
        import ray

        crashed = ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError, ray.exceptions.TaskCancelledError
        if not isinstance(error, (*crashed, ray.exceptions.NodeDiedError, ray.exceptions.ObjectLostError)):
            raise MachineFailure(f"Ray: {in_a_line(error)}") from error
        one.deaths += isinstance(error, crashed)
        if one.deaths < 2:
            self._submit(one)
            return
        of_memory = ", for want of memory" if isinstance(error, ray.exceptions.OutOfMemoryError) else ""
        reason = f"hung: no step in {self.patience:g} seconds, twice" if one.hung else f"worker died{of_memory}, twice"
        _keep(failed(one.run, reason), store, done)

    def _end_hung(self) -> None:
        import ray

        for reference, one in self._under_way.items():
            if self.patience and self._told.get(one.name, {}).get("silent", 0) > self.patience:
                one.hung = True
                ray.cancel(reference, force=True)


def _keep(record: Record, store: Store, done: Callable[[Record], None]) -> None:
    store.append(record)
    done(record)


def _answers(run: Run) -> None:
    """Have here what a run's teacher says of the whole pool, so that all nodes take the same."""
    if run.task.size.keep_answers and run.spec.teacher == "full":
        for part, recipe in run.recipes.items():
            answer_cache.pool_answers(run.task, part, recipe)


def _connected(address: str, jobs: int) -> Any:
    """Ray, on a cluster or started here for as long as this process lives.

    Raises:
        BadInput: there is no cluster to be had at the address, or no token for it.
    """
    host, _, port = address.rpartition(":")
    loopback = host == "localhost" or host.startswith("127.")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's own is 15: cells would wait for all else on the machine
    if not loopback:  # what Ray listens on is open to other machines even where it starts for this one alone
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    if not address and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    import ray

    if ray.is_initialized():
        return ray
    if address:  # Ray itself would try for minutes
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except (OSError, OverflowError) as error:
            raise BadInput(f"--address: nothing answers at {address} ({error})") from error
    where: dict[str, Any] = {"address": address or "local"}
    if not address:
        where |= {"num_cpus": jobs, "include_dashboard": False}
    if loopback:
        where["_node_ip_address"] = host  # else Ray looks for its node at an address of its own choice
    with contextlib.chdir("/"):  # workers look for code where a driver is: not here, but in their own environment
        try:
            ray.init(**where, log_to_driver=False, logging_level="ERROR", configure_logging=True)
        except (ray.exceptions.RayError, OSError, RuntimeError, ValueError) as error:
            raise BadInput(f"Ray at {address or 'this machine'}: {in_a_line(error)}") from error
    return ray
