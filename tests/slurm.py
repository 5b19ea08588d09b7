"""A SLURM cluster on this machine, a node of which dies, for whoever changes how commands share a grid.

`python tests/slurm.py`, as root, with Debian's slurmctld, slurmd, slurm-client and munge. The script of
`docs/cluster.md` fills a smoke grid on two nodes, each with a host name and processes of its own; one of them is killed
within a cell, and started again later. Printed is what was tried, and what was lost, doubled or changed against a grid
without SLURM. Not collected by the tests: it takes minutes.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from storm import CELLS, GRID, lines, start

from benchmarks.core import paths

CONFIG = """ClusterName=toy
SlurmctldHost={host}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SlurmdTimeout=10
SlurmdParameters=config_overrides
NodeName=node1 NodeAddr=127.0.0.2 Port=17001 CPUs=4
NodeName=node2 NodeAddr=127.0.0.3 Port=17002 CPUs=4
PartitionName=all Nodes=ALL Default=YES
"""


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder, self.running = folder, {}
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        (folder / "state").mkdir()
        (folder / "slurm.conf").write_text(CONFIG.format(folder=folder, host=os.uname().nodename))
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self.begin(
            "munged", "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket",
            f"--pid-file={folder}/munged.pid", f"--seed-file={folder}/munge.seed", "--log-file=/dev/null",
        )  # fmt: skip
        until(lambda: (folder / "munge.socket").exists())
        self.begin("slurmctld", "slurmctld", "-D")
        for node in ("node1", "node2"):
            self.begin_node(node)
        until(lambda: self.ask("sinfo", "-h", "-o", "%T %D") == "idle 2")

    def begin(self, name: str, *words: str) -> None:
        with open(self.folder / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(words, env=self.environment, stdout=log, stderr=log)

    def begin_node(self, node: str) -> None:
        (self.folder / f"spool-{node}").mkdir(exist_ok=True)
        shell = f"hostname {node}; exec slurmd -D -N {node}"
        self.begin(node, "unshare", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child", "sh", "-c", shell)

    def kill_node(self, node: str) -> None:
        """All its processes at once: they are in a namespace that ends with its first."""
        self.running[node].kill()
        self.running[node].wait()

    def ask(self, *words: str) -> str:
        found = subprocess.run(words, env=self.environment, capture_output=True, text=True, cwd=paths.ROOT)
        return found.stdout.strip() or found.stderr.strip()

    def end(self) -> None:
        for process in reversed(self.running.values()):
            process.send_signal(signal.SIGKILL)
            process.wait()


def until(there: Callable[[], object], seconds: float = 900) -> None:
    deadline = time.monotonic() + seconds
    while not there():
        if time.monotonic() > deadline:
            raise TimeoutError("the cluster does not come to what was waited for")
        time.sleep(0.2)


def at_work(folder: Path, node: str) -> bool:
    return any(path.stem.endswith(f"@{node}") for path in (folder / "smoke" / ".claims").glob("*.status"))


def script(folder: Path) -> str:
    """That of the docs, with this grid's command in the place of the one it has."""
    (found,) = re.findall(r"```bash\n(.*?--array.*?)```", (paths.ROOT / "docs" / "cluster.md").read_text(), re.DOTALL)
    command = f"{sys.executable} -P -m benchmarks {' '.join(GRID)} --results {folder}"
    assert "./reproduce.sh table1" in found
    return found.replace("./reproduce.sh table1", command)


def outcome(line: dict) -> tuple:
    """Of a record, what is to be equal: seconds are not."""
    curve = [{**point, "seconds": 0} for point in line["curve"]]
    return line["status"], line["metrics"], line.get("hits"), curve, line["identity"]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="tgt-slurm-") as name:
        folder = Path(name)
        start(folder / "plain").communicate()
        wanted = {line["key"]: outcome(line) for line in lines(folder / "plain")}
        assert len(wanted) == CELLS, len(wanted)
        shared = folder / "shared"
        cluster = Cluster(folder)
        try:
            (folder / "job.sh").write_text(script(shared))
            print(cluster.ask("sbatch", f"--output={folder}/job-%a.txt", str(folder / "job.sh")), flush=True)
            until(lambda: at_work(shared, "node1") and at_work(shared, "node2") and len(lines(shared)) > CELLS // 5)
            cluster.kill_node("node2")
            print(f"node2 killed after {len(lines(shared))} cells; jobs:\n{cluster.ask('squeue')}", flush=True)
            until(lambda: "down" in cluster.ask("sinfo", "-h", "-n", "node2", "-o", "%T"))
            print(f"node2 is down; jobs:\n{cluster.ask('squeue')}", flush=True)
            cluster.begin_node("node2")
            until(lambda: not cluster.ask("squeue", "-h"))
            told = "".join(path.read_text() for path in sorted(folder.glob("job-*.txt")))
        finally:
            cluster.end()
        found = lines(shared)
        outcomes = {line["key"]: outcome(line) for line in found}
        lost, doubled = len(wanted.keys() - outcomes.keys()), len(found) - len(outcomes)
        changed = sum(outcomes.get(key, value) != value for key, value in wanted.items())
        print(
            f"an array of three on two nodes, one killed, queued again and replaced: {CELLS} cells; lost {lost}, "
            f"doubled {doubled}, changed {changed}, traces {told.count('Traceback')}"
        )
        return int(lost + doubled + changed + told.count("Traceback") > 0)


if __name__ == "__main__":
    sys.exit(main())
