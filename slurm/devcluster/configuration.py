"""Plan: what a development cluster is made of; and the files that tell Slurm so."""

import secrets
import socket
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PORTS: Final = 64
"""Ports in a row that a cluster takes: slurmctld, slurmdbd, then one for each node."""
MOST_NODES: Final = PORTS - 2

# Below Linux' ephemeral ports (32768 on), above what most services are registered for.
_PORT_RANGE: Final = (20_000, 32_000)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a cluster is made of."""

    folder: str
    nodes: int
    gpus_per_node: int
    real_gpus: bool
    """True when the GPUs are the machine's own, split over the nodes in order."""
    port: int
    """First of `PORTS` free ones."""
    host: str
    """The machine's own name."""
    user: str
    """Who runs every daemon."""
    shared: bool = False
    """True when every user of the machine may use it, who needs root's daemons to become them."""
    gpu_types: Sequence[str] = ("a100",)
    """GRES types of pretended GPUs, node by node in turn; an empty one is no type."""

    @property
    def node_names(self) -> list[str]:
        """The nodes' names, n1 to nN."""
        return [f"n{number}" for number in range(1, self.nodes + 1)]


# What Slurm's commands and a job's steps read.
_CLIENTS: Final = ("slurm.conf", "plugstack.conf", "cgroup.conf", "gres.conf", "hosts")


def free_ports() -> int:
    """First of `PORTS` ports in a row that nobody has.

    Raises:
        RuntimeError: no such row was found.
    """
    low, high = _PORT_RANGE
    # Two clusters made in the same moment must not try the same ones first.
    for _ in range(100):
        first = low + PORTS * secrets.randbelow((high - low) // PORTS)
        if all(_is_free(port) for port in range(first, first + PORTS)):
            return first
    raise RuntimeError(f"no {PORTS} free ports in a row from {low} to {high}")


def write_configuration(plan: Plan) -> None:
    """Write all that munge, slurmdbd, slurmctld and slurmd read."""
    etc = Path(plan.folder) / "etc"
    texts = {
        "slurm.conf": _slurm(plan),
        "slurmdbd.conf": _slurmdbd(plan),
        "gres.conf": _gres(plan),
        "cgroup.conf": _CGROUP.format(folder=plan.folder),
        "plugstack.conf": "",
        "hosts": _hosts(plan),
    }
    for name, text in texts.items():
        path = etc / name
        path.write_text(text)
        # slurmdbd refuses a configuration that others may read; clients of all users read theirs.
        path.chmod(0o644 if plan.shared and name in _CLIENTS else 0o600)
    prolog = etc / "task_prolog"
    prolog.write_text(_TASK_PROLOG.format(gpus_per_node=plan.gpus_per_node))
    prolog.chmod(0o755 if plan.shared else 0o700)
    if not plan.real_gpus:
        for index in range(plan.gpus_per_node):
            # Slurm asks for a character device; this one harms nobody and needs no root.
            (Path(plan.folder) / "dev" / f"nvidia{index}").symlink_to("/dev/null")


def _slurm(plan: Plan) -> str:
    folder = plan.folder
    nodes = "\n".join(
        f"NodeName={name} NodeHostname={plan.host} NodeAddr=127.0.1.{number} "
        f"Port={plan.port + 1 + number} CPUs={_CPUS} RealMemory={_MEMORY_MB}"
        f"{_node_gres(plan, number)} State=UNKNOWN"
        for number, name in enumerate(plan.node_names, start=1)
    )
    text = f"""\
        ClusterName=devcluster
        SlurmctldHost={plan.host}(127.0.0.1)
        SlurmctldPort={plan.port}
        SlurmUser={plan.user}
        SlurmdUser={plan.user}
        AuthType=auth/munge
        # A credential's life decides how long a requeued job waits: 120 s of munge's own are long.
        AuthInfo=socket={folder}/run/munge,cred_expire=5
        StateSaveLocation={folder}/state
        SlurmdSpoolDir={folder}/spool/%n
        SlurmctldPidFile={folder}/run/slurmctld.pid
        SlurmdPidFile={folder}/run/%n.pid
        PlugStackConfig={folder}/etc/plugstack.conf

        # Whatever a container lacks is left out: no systemd, no cgroups, no MPI.
        ProctrackType=proctrack/linuxproc
        TaskPlugin=task/none
        SwitchType=switch/none
        MpiDefault=none
        # What OverMemoryKill and sacct's MaxRSS go by, once a second.
        JobAcctGatherType=jobacct_gather/linux
        JobAcctGatherFrequency=task=1
        JobAcctGatherParams=OverMemoryKill

        AccountingStorageType=accounting_storage/slurmdbd
        AccountingStorageHost=127.0.0.1
        AccountingStoragePort={plan.port + 1}
        # No password: the talk with slurmdbd takes the munge socket from here.
        AccountingStoragePass={folder}/run/munge
        AccountingStorageTRES=gres/gpu

        SelectType=select/cons_tres
        SelectTypeParameters=CR_Core_Memory
        GresTypes=gpu
        DefMemPerCPU={_MEMORY_MB // _CPUS}
        MaxArraySize=10001
        MaxJobCount=20000
        # A batch job is looked at when it comes, not up to three seconds later with others: a job
        # and the one that waits for its end took 7 s, and take 4.
        SchedulerParameters=bf_interval=5,batch_sched_delay=0,sched_interval=5

        # A dead node shows after seconds, not after Slurm's five minutes.
        SlurmdTimeout=5
        MessageTimeout=5
        KillWait=5
        InactiveLimit=0
        ReturnToService=2
        # One node has more cores and memory on paper than the machine has.
        SlurmdParameters=config_overrides

        PreemptType=preempt/partition_prio
        PreemptMode=REQUEUE
        """
    prolog = f"TaskProlog={folder}/etc/task_prolog\n" if plan.real_gpus else ""
    partitions = (
        "PartitionName=main Nodes=ALL Default=YES PriorityTier=10 PreemptMode=OFF\n"
        "# Its jobs make way for those of main.\n"
        "PartitionName=low Nodes=ALL PriorityTier=1\n"
        "# Its nodes lend little memory.\n"
        f"PartitionName=small Nodes=ALL PriorityTier=10 PreemptMode=OFF MaxMemPerNode={_SMALL_MB} "
        f"DefMemPerNode={_SMALL_MB}\n"
    )
    return f"{textwrap.dedent(text)}{prolog}\n{nodes}\n{partitions}"


# Room for 32 ranks a node with two CPUs each; memory in proportion.
_CPUS: Final = 64
_MEMORY_MB: Final = 64_000
# Room for a watcher (0.15 GB) and one rank with torch (0.35 GB), not for two.
_SMALL_MB: Final = 700

# slurmd loads a cgroup plugin even when nothing uses it; v2 fails without systemd.
_CGROUP: Final = """\
CgroupPlugin=cgroup/v1
CgroupMountpoint={folder}/no-cgroups
CgroupAutomount=no
"""

# Slurm numbers the GPUs of each node from 0. Where the nodes share one machine, a job of the second
# node would be told to use the first node's GPUs.
_TASK_PROLOG: Final = """\
#!/bin/sh
# Steps above this are Slurm's own (slurm.h): the batch script's is one, and its steps are moved.
case "$SLURM_STEP_ID" in ''|*[!0-9]*) exit 0 ;; esac
[ "$SLURM_STEP_ID" -lt 4294967280 ] || exit 0
offset=$(( (${{SLURMD_NODENAME#n}} - 1) * {gpus_per_node} ))
for name in CUDA_VISIBLE_DEVICES SLURM_STEP_GPUS; do
  eval "ids=\\${{$name:-}}"
  case "$ids" in ''|*[!0-9,]*) continue ;; esac
  moved=
  for id in $(echo "$ids" | tr , ' '); do moved="$moved,$((id + offset))"; done
  echo "export $name=${{moved#,}}"
done
"""


def _slurmdbd(plan: Plan) -> str:
    return textwrap.dedent(
        f"""\
        DbdHost={plan.host}
        DbdAddr=127.0.0.1
        DbdPort={plan.port + 1}
        SlurmUser={plan.user}
        AuthType=auth/munge
        AuthInfo=socket={plan.folder}/run/munge
        PidFile={plan.folder}/run/slurmdbd.pid
        StorageType=accounting_storage/mysql
        # Over MariaDB's socket in the private folder, which MYSQL_UNIX_PORT names.
        StorageHost=localhost
        StorageUser=root
        StorageLoc=slurm
        """
    )


def _node_gres(plan: Plan, number: int) -> str:
    if not plan.gpus_per_node:
        return ""
    words = ["gpu", *filter(None, [_gpu_type(plan, number)]), str(plan.gpus_per_node)]
    return f" Gres={':'.join(words)}"


def _gres(plan: Plan) -> str:
    lines = []
    count = plan.gpus_per_node
    for index, name in enumerate(plan.node_names if count else []):
        first = index * count if plan.real_gpus else 0
        device = "/dev/nvidia" if plan.real_gpus else f"{plan.folder}/dev/nvidia"
        numbers = str(first) if count == 1 else f"[{first}-{first + count - 1}]"
        gpu_type = _gpu_type(plan, index + 1)
        typed = f" Type={gpu_type}" if gpu_type else ""
        lines.append(f"NodeName={name} Name=gpu{typed} File={device}{numbers}")
    return "".join(f"{line}\n" for line in lines)


def _gpu_type(plan: Plan, number: int) -> str:
    return "real" if plan.real_gpus else plan.gpu_types[(number - 1) % len(plan.gpu_types)]


def _hosts(plan: Plan) -> str:
    lines = ["127.0.0.1 localhost", f"127.0.0.1 {plan.host}"]
    lines += [f"127.0.1.{number} {name}" for number, name in enumerate(plan.node_names, start=1)]
    return "".join(f"{line}\n" for line in lines)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
