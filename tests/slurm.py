"""A SLURM cluster on this machine, a node of which dies, for whoever changes how commands share a grid.

`python tests/slurm.py [ray]`, as root, with Debian's slurmctld, slurmd, slurm-client and munge. A script of
`docs/cluster.md` fills a smoke grid on two nodes, each with a network, a host name and processes of its own: the one
with an array, a node being killed within a cell and started again later; or with `ray` the one with a Ray cluster.
Printed is what was lost, doubled or changed against a grid without SLURM. Not collected by the tests: it takes minutes.
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
SlurmctldHost={host}(10.77.0.1)
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
NodeName=node1 NodeAddr=10.77.0.2 CPUs=4
NodeName=node2 NodeAddr=10.77.0.3 CPUs=4
PartitionName=all Nodes=ALL Default=YES
"""


NODES = {"node1": "10.77.0.2", "node2": "10.77.0.3"}


def run(line: str) -> None:
    subprocess.run(line, shell=True, check=True)


def connect(folder: Path) -> None:
    """A network of this machine, 10.77.0.1, and the nodes."""
    run("ip link add tgt type bridge && ip addr add 10.77.0.1/24 dev tgt && ip link set tgt up")
    for node, address in NODES.items():
        run(f"ip netns add {node} && ip link add v-{node} type veth peer name eth0 netns {node}")
        run(f"ip link set v-{node} master tgt up && ip -n {node} addr add {address}/24 dev eth0")
        run(f"ip -n {node} link set eth0 up && ip -n {node} link set lo up")
    hosts = {"localhost": "127.0.0.1", os.uname().nodename: "10.77.0.1", **NODES}
    (folder / "hosts").write_text("".join(f"{address} {name}\n" for name, address in hosts.items()))


def disconnect() -> None:
    for what in (*(f"netns del {node}" for node in NODES), "link del tgt"):
        subprocess.run(f"ip {what}", shell=True, stderr=subprocess.DEVNULL)


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder, self.running = folder, {}
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        (folder / "state").mkdir()
        connect(folder)
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
        for node in NODES:
            self.begin_node(node)
        until(lambda: self.ask("sinfo", "-h", "-o", "%T %D") == "idle 2")

    def begin(self, name: str, *words: str) -> None:
        with open(self.folder / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(words, env=self.environment, stdout=log, stderr=log)

    def begin_node(self, node: str) -> None:
        (self.folder / f"spool-{node}").mkdir(exist_ok=True)
        shell = f"hostname {node}; mount --bind {self.folder}/hosts /etc/hosts; exec slurmd -D -N {node}"
        apart = "unshare", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child", "sh", "-c", shell
        self.begin(node, "nsenter", f"--net=/run/netns/{node}", *apart)

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
        disconnect()


def until(there: Callable[[], object], seconds: float = 900) -> None:
    deadline = time.monotonic() + seconds
    while not there():
        if time.monotonic() > deadline:
            raise TimeoutError("the cluster does not come to what was waited for")
        time.sleep(0.2)


def at_work(folder: Path, node: str) -> bool:
    return any(path.stem.endswith(f"@{node}") for path in (folder / "smoke" / ".claims").glob("*.status"))


def script(folder: Path, kind: str) -> str:
    """That of the docs with a word in it, with this grid's command in the place of the one it has."""
    scripts = re.findall(r"```bash\n(.*?)```", (paths.ROOT / "docs" / "cluster.md").read_text(), re.DOTALL)
    (found,) = (one for one in scripts if kind in one)
    command = f"{sys.executable} -P -m benchmarks {' '.join(GRID)} --results {folder}"
    assert "./reproduce.sh table1" in found
    return found.replace("./reproduce.sh table1", command)


def outcome(line: dict) -> tuple:
    """Of a record, what is to be equal: seconds are not."""
    curve = [{**point, "seconds": 0} for point in line["curve"]]
    return line["status"], line["metrics"], line.get("hits"), curve, line["identity"]


def lose_a_node(cluster: Cluster, shared: Path) -> None:
    until(lambda: all(at_work(shared, node) for node in NODES) and len(lines(shared)) > CELLS // 5)
    cluster.kill_node("node2")
    print(f"node2 killed after {len(lines(shared))} cells; jobs:\n{cluster.ask('squeue')}", flush=True)
    until(lambda: "down" in cluster.ask("sinfo", "-h", "-n", "node2", "-o", "%T"))
    print(f"node2 is down; jobs:\n{cluster.ask('squeue')}", flush=True)
    cluster.begin_node("node2")


def main(kind: str) -> int:
    with tempfile.TemporaryDirectory(prefix="tgt-slurm-") as name:
        folder = Path(name)
        start(folder / "plain").communicate()
        wanted = {line["key"]: outcome(line) for line in lines(folder / "plain")}
        assert len(wanted) == CELLS, len(wanted)
        shared = folder / "shared"
        cluster = Cluster(folder)
        try:
            (folder / "job.sh").write_text(script(shared, kind))
            print(cluster.ask("sbatch", f"--output={folder}/job-%a.txt", str(folder / "job.sh")), flush=True)
            if kind == "--array":
                lose_a_node(cluster, shared)
            until(lambda: not cluster.ask("squeue", "-h"))
            told = "".join(path.read_text() for path in sorted(folder.glob("job-*.txt")))
        finally:
            cluster.end()
        found = lines(shared)
        outcomes = {line["key"]: outcome(line) for line in found}
        lost, doubled = len(wanted.keys() - outcomes.keys()), len(found) - len(outcomes)
        changed = sum(outcomes.get(key, value) != value for key, value in wanted.items())
        how = "a Ray cluster" if kind == "symmetric-run" else "an array of three, a node killed and replaced,"
        traces = told.count("Traceback")
        print(f"{how} on two nodes: {CELLS} cells; lost {lost}, doubled {doubled}, changed {changed}, traces {traces}")
        return int(lost + doubled + changed + told.count("Traceback") > 0)


if __name__ == "__main__":
    sys.exit(main("symmetric-run" if "ray" in sys.argv else "--array"))
