"""Slurm site: what its clients, its controller and its configuration say of a job to come."""

import getpass
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from launcher.doctor.examination import Probe
from launcher.doctor.observation import Observation, elsewhere, missing, there, unseen
from launcher.doctor.situation import GpuPlace, Situation
from launcher.slurm.partitions import Partition, PartitionFinder
from launcher.slurm.queue import ask_slurm, one_line

PATIENCE_S: Final = 10.0
"""How long one client is waited for: a controller under load answers in seconds."""
# Three clients, one after another.
_PATIENCE_S: Final = 25.0
_NEEDED: Final = ("sbatch", "srun", "scontrol", "sinfo", "squeue")
_BOOKS: Final = ("sacct", "sacctmgr", "scancel")
_QUEUED: Final = "No job can be queued."
_WAITS: Final = "A job may be refused, or wait for ever."
_PAIR: Final = re.compile(r"(?:^|\s)([A-Za-z/]+)=(\S*)")
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")
# --gpus-per-node came with select/cons_tres in 19.05 (Slurm's release notes).
_OLDEST: Final = (19, 5)
# The tests' cluster gives five seconds between SIGTERM and SIGKILL, and shards are closed in them.
_LEAST_KILL_WAIT_S: Final = 5
_NO_SLURM: Final = "cluster {} does not ask Slurm"


def probes(situation: Situation) -> list[Probe]:
    """Clients, controller, configuration, and the partition that jobs would queue in."""
    if not situation.slurm:
        why = _NO_SLURM.format(situation.cluster)
        return [Probe(name="slurm", look=lambda: [elsewhere("slurm", why)], costs=_QUEUED)]
    mend = "start slurmctld, or see its log; sinfo must answer"
    return [
        Probe(name="slurm-clients", look=clients, costs=_QUEUED),
        Probe(
            name="slurm-controller",
            look=controller,
            costs=_QUEUED,
            patience_s=_PATIENCE_S,
            silence_stops=mend,
        ),
        Probe(
            name="slurm-settings",
            look=lambda: settings(situation),
            costs=_WAITS,
            patience_s=_PATIENCE_S,
        ),
        Probe(
            name="slurm-partition",
            look=lambda: partition(situation),
            costs=_WAITS,
            patience_s=_PATIENCE_S,
        ),
    ]


def clients() -> Sequence[Observation]:
    """Slurm's own commands on PATH, and their version."""
    lacking = [name for name in _NEEDED if shutil.which(name) is None]
    if lacking:
        return [
            missing(
                "slurm-clients",
                f"not on PATH: {', '.join(lacking)}",
                costs=_QUEUED,
                remedy="install slurm-client or load its module, or say --cluster local",
                stops=True,
            )
        ]
    said = ask_slurm(["scontrol", "--version"], PATIENCE_S).strip()
    match = _VERSION.search(said)
    if match is None:
        return [unseen("slurm-clients", f"scontrol says {said!r}", costs=_QUEUED)]
    if (int(match[1]), int(match[2])) < _OLDEST:
        return [
            missing(
                "slurm-clients",
                f"{said}; 19.05 or newer is needed, for --gpus-per-node",
                costs=_QUEUED,
                remedy="a newer Slurm",
                stops=True,
            )
        ]
    if few := [name for name in _BOOKS if shutil.which(name) is None]:
        costs = "How a job ended that Slurm killed may stay unknown, or none can be cancelled."
        found = f"{said}, but not on PATH: {', '.join(few)}"
        return [missing("slurm-clients", found, costs=costs, remedy="install slurm-client")]
    return [there("slurm-clients", f"{said} (the tests' is 22.05)")]


def controller() -> Sequence[Observation]:
    """Whether slurmctld answers."""
    said, fault = _pinged()
    if fault is not None:
        return [
            missing(
                "slurm-controller",
                f"slurmctld does not answer: {fault}",
                costs=_QUEUED,
                remedy="start slurmctld, or see its log; munge must run on both machines; for this "
                "machine alone: --cluster local",
                stops=True,
            )
        ]
    return [there("slurm-controller", said)]


def _pinged() -> tuple[str, str | None]:
    """What `scontrol ping` says, and why it failed; None where it did not.

    Which controller is down it says on standard output, and fails.
    """
    try:
        done = subprocess.run(
            ["scontrol", "ping"],
            capture_output=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_S,
        )
    except FileNotFoundError:
        return "", "scontrol is not on this machine"
    except subprocess.TimeoutExpired:
        return "", f"scontrol ping does not answer within {PATIENCE_S:g} s"
    said = one_line(done.stdout.decode(errors="replace"))
    why = one_line(done.stderr.decode(errors="replace"))
    if not done.returncode:
        return said, None
    return said, "; ".join(filter(None, [said, why])) or f"exit code {done.returncode}"


def settings(situation: Situation) -> Sequence[Observation]:
    """What slurm.conf decides of a campaign: arrays, GPUs, requeueing, the end of a job."""
    told = site_settings()
    found = []
    array, jobs = told.get("MaxArraySize", ""), told.get("MaxJobCount", "")
    sizes = f"MaxArraySize {array}, MaxJobCount {jobs}"
    if array.isdecimal() and int(array) < 2:  # noqa: PLR2004 -- element 0 alone is no array
        remedy = "MaxArraySize=1001 in slurm.conf, Slurm's default"
        found.append(missing("slurm-arrays", sizes, costs=_QUEUED, remedy=remedy, stops=True))
    else:
        found.append(there("slurm-arrays", f"{sizes}: the most points of one shape in a command"))
    select = told.get("SelectType", "")
    if situation.gpu is not GpuPlace.SIMULATED and "cons_tres" not in select:
        found.append(
            missing(
                "slurm-select",
                f"SelectType is {select}, which knows no --gpus-per-node",
                costs="No job that asks for GPUs can be queued.",
                remedy="SelectType=select/cons_tres in slurm.conf",
                stops=True,
            )
        )
    else:
        found.append(there("slurm-select", f"SelectType {select}"))
    kill = told.get("KillWait", "").split()
    wait = f"KillWait {' '.join(kill)}"
    if kill and kill[0].isdecimal() and int(kill[0]) < _LEAST_KILL_WAIT_S:
        costs = "A job at its time limit loses its last seconds: its shards are not closed."
        remedy = "KillWait=30 in slurm.conf, Slurm's default"
        found.append(missing("slurm-end", wait, costs=costs, remedy=remedy))
    else:
        requeue = told.get("JobRequeue", "unknown")
        found.append(
            there("slurm-end", f"{wait}, JobRequeue {requeue}, which --no-requeue overrules")
        )
    hooks = ", ".join(
        f"{name} {told.get(name, 'unknown')}" for name in ("PrologFlags", "Prolog", "Epilog")
    )
    found.append(there("slurm-prolog", f"{hooks}; none is needed"))
    return found


def partition(situation: Situation) -> Sequence[Observation]:
    """The partition that jobs would queue in: nodes, time, GPUs; whether it lends nodes whole."""
    lines = ask_slurm(["scontrol", "--oneliner", "show", "partition"], PATIENCE_S).splitlines()
    rows = [dict(_PAIR.findall(line)) for line in lines if line.strip()]
    wanted = None if situation.partition is None else situation.partition.split(",")
    mine = [
        row
        for row in rows
        if (row.get("Default") == "YES" if wanted is None else row.get("PartitionName") in wanted)
    ]
    if not mine:
        asked = "default partition" if wanted is None else f"partition {situation.partition}"
        return [
            missing(
                "slurm-partition",
                f"there is no {asked}; Slurm tells of {', '.join(_names(rows)) or 'none'}",
                costs=_QUEUED,
                remedy="name one: partition in the cluster's file, or cluster.slurm.partition=NAME",
                stops=True,
            )
        ]
    row = mine[0]
    name = row["PartitionName"]
    everyone = {one.name: one for one in PartitionFinder().find(",".join(_names(rows)))}
    one = everyone[name]
    others = "; ".join(
        _told(everyone[each["PartitionName"]], each)
        for each in rows
        if each["PartitionName"] in everyone and each is not row
    )
    return [
        _room(situation, one, row),
        there("slurm-partitions", f"others: {others or 'none'}"),
        _gpus(situation, one),
        _exclusive(row),
    ]


def site_settings() -> Mapping[str, str]:
    """slurm.conf as the controller tells it.

    Raises:
        SlurmError: it does not answer.
    """
    text = ask_slurm(["scontrol", "show", "config"], PATIENCE_S)
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def user() -> str:
    """Who asks."""
    return getpass.getuser()


def _room(situation: Situation, one: Partition, row: Mapping[str, str]) -> Observation:
    label = "slurm-partition"
    command = ["sinfo", "--noheader", f"--partition={one.name}", "--format=%T|%D"]
    states: Counter[str] = Counter()
    for line in ask_slurm(command, PATIENCE_S).splitlines():
        state, _, count = line.partition("|")
        states[state.rstrip("*~#!%$@^-")] += int(count) if count.isdecimal() else 0
    limit = "no time limit" if one.most_minutes is None else f"at most {one.most_minutes} min"
    most = "any number" if one.most_nodes is None else f"at most {one.most_nodes}"
    found = (
        f"{one.name}: {one.nodes} nodes ({', '.join(f'{n} {s}' for s, n in states.items())}), "
        f"{limit}, {most} of them a job"
    )
    dead = {"down", "drained", "draining", "fail", "failing", "unknown", "maint"}
    if row.get("State", "UP") != "UP":
        remedy = f"scontrol update partitionname={one.name} state=up, or another partition"
        found = f"{found}; its state is {row['State']}"
        return missing(label, found, costs=_WAITS, remedy=remedy, stops=True)
    if states and not set(states) - dead:
        remedy = "sinfo --list-reasons tells why; scontrol update nodename=... state=resume"
        return missing(label, found, costs=_WAITS, remedy=remedy, stops=True)
    fault = one.fault(
        nodes=1,
        minutes=situation.timeout_min,
        gpus=0,
        gpu_type=None,
        qos=situation.qos is not None,
    )
    if fault is not None:
        remedy = "cluster.timeout_min=MINUTES, or in the cluster's file"
        costs = "The plan refuses every point of this cluster's file as it stands."
        return missing(label, f"{found}; {fault}", costs=costs, remedy=remedy, stops=True)
    return there(label, found)


def _names(rows: Sequence[Mapping[str, str]]) -> list[str]:
    return [row["PartitionName"] for row in rows if "PartitionName" in row]


def _told(one: Partition, row: Mapping[str, str]) -> str:
    """A partition in a few words."""
    limit = "no time limit" if one.most_minutes is None else f"{one.most_minutes} min"
    kinds = sorted({f"gpu:{kind}:{n}" for node in one.gpus for kind, n in node.items()})
    kinds = [kind.replace("::", ":") for kind in kinds]
    shared = row.get("OverSubscribe", "unknown")
    return (
        f"{one.name} ({one.nodes} nodes, {limit}, {', '.join(kinds) or 'no GPU'}, "
        f"OverSubscribe {shared}, {row.get('State', 'UP')})"
    )


def _gpus(situation: Situation, one: Partition) -> Observation:
    label = "slurm-gres"
    kinds: Counter[str] = Counter()
    for node in one.gpus:
        kinds[", ".join(f"gpu:{kind}:{n}" if kind else f"gpu:{n}" for kind, n in node.items())] += 1
    told = "; ".join(f"{count} nodes of {kind or 'no GPU'}" for kind, count in kinds.items())
    if situation.gpu is GpuPlace.SIMULATED:
        return there(label, f"{told or 'no GPU'}; the GPU is simulated, and none is asked for")
    fault = one.fault(
        nodes=1,
        minutes=1,
        gpus=situation.gpus_per_node or 1,
        gpu_type=situation.gpu_type,
        qos=situation.qos is not None,
    )
    if not any(one.gpus):
        return missing(
            label,
            f"partition {one.name} has no GPU that Slurm knows",
            costs="No job that asks for GPUs can be queued.",
            remedy="another partition; or GresTypes=gpu and Gres=gpu:TYPE:N in slurm.conf",
            stops=True,
        )
    if fault is not None:
        costs = "Points that fill a node of this cluster's file are refused by the plan."
        remedy = "cluster.gpus_per_node=N, or in the cluster's file"
        return missing(label, f"{told}; a point {fault}", costs=costs, remedy=remedy)
    return there(label, told)


def _exclusive(row: Mapping[str, str]) -> Observation:
    label, shared = "slurm-exclusive", row.get("OverSubscribe", "")
    found = f"OverSubscribe is {shared or 'unknown'}"
    costs = "Others' work shares the nodes: the host's energy is nobody's; the GPUs' own stands."
    if shared.startswith("FORCE"):
        remedy = "OverSubscribe=NO or EXCLUSIVE for the partition in slurm.conf"
        return missing(label, f"{found}: --exclusive is not heeded", costs=costs, remedy=remedy)
    if not shared:
        return unseen(label, found, costs=costs)
    return there(label, f"{found}: --exclusive lends nodes whole")
