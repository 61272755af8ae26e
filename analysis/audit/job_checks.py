"""Job checks: had the job its GPUs and nodes to itself, and is every one that it had watched?"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from analysis.audit.check import Case, Check, Finding, Severity, judged, skipped, unseen
from telemetry.nearest import told_count
from telemetry.record.files import read_json

# Words of scontrol's record of a job, such as OverSubscribe=NO; lists of nodes have no blanks.
_WORD: Final = re.compile(r"(?<![^\s])([A-Za-z][A-Za-z/:]*)=(\S*)")
# Of `cpu=64,gres/gpu:a100=32,gres/gpu=32`: all GPUs, and those of each type.
_ALL_GPUS: Final = re.compile(r"(?:^|,)gres/gpu=(\d+)")
_TYPED_GPUS: Final = re.compile(r"(?:^|,)gres/gpu:[^=,]+=(\d+)")
# scontrol's words of a job that shares its nodes with none: it asked for --exclusive.
_WHOLE: Final = "NO"
_FOREIGN: Final = "foreign_processes"


def alone_on_its_gpus(case: Case) -> Finding:
    """Nobody else computed on the job's GPUs, and nodes asked for whole were lent whole."""
    faults = list(_foreign(case))
    said = []
    counted = [
        gpu
        for host in case.run.hosts.values()
        for gpu in host.get("gpus", [])
        if not gpu.get("simulated")
    ]
    known = [gpu for gpu in counted if gpu.get("compute_processes") is not None]
    if known:
        said.append(f"no other process on {told_count(len(known), 'GPU')}")
    record = _slurm(case)
    words = _words(record)
    shared = words.get("OverSubscribe")
    if shared is not None:
        if _asked_whole(case) and shared != _WHOLE:
            faults.append(f"whole nodes were asked for, but Slurm lent them as {shared}")
        said.append("whole nodes" if shared == _WHOLE else f"nodes lent as OverSubscribe={shared}")
    if faults:
        return judged(faults, "")
    if counted and len(known) < len(counted):
        what = "no watcher counted the processes on the GPUs"
        return unseen(f"{what}; {', '.join(said)}" if said else what)
    if not said:
        return skipped("no real GPU was held, and no batch system lent the node")
    return judged((), ", ".join(said))


def _foreign(case: Case) -> Iterator[str]:
    for host, ready in sorted(case.run.hosts.items()):
        for gpu in ready.get("gpus", []):
            if count := gpu.get("compute_processes"):
                yield (
                    f"{told_count(count, 'process')} computed on {gpu.get('uuid')} of {host} "
                    "before the ranks did"
                )
    for path in sorted(case.attempt.watchers.glob("*.json")):
        for event in read_json(path).get("events") or []:
            if event.get("what") == _FOREIGN:
                count, device = event.get("processes"), event.get("device")
                yield f"{count} processes computed on {device} at once"


def _asked_whole(case: Case) -> bool:
    value: Any = case.run.provenance.get("config")
    for name in ("cluster", "slurm", "exclusive"):
        value = value.get(name) if isinstance(value, dict) else None
    return value is True


def allocation_watched(case: Case) -> Finding:
    """Every node and every GPU that Slurm lent was watched, and none that it did not lend."""
    record = _slurm(case)
    if not record:
        return skipped("no batch system lent anything")
    faults = []
    hosts = case.run.hosts
    nodes = record.get("nodes")
    if isinstance(nodes, list) and len(nodes) != len(hosts):
        faults.append(f"Slurm lent {told_count(len(nodes), 'node')}, watched were {len(hosts)}")
    watched = sum(len(host.get("gpus", [])) for host in hosts.values())
    lent = _lent_gpus(case, record)
    if case.run.simulated:
        return judged(faults, f"{told_count(len(hosts), 'node')}, GPUs are modelled")
    if lent is None:
        if faults:
            return judged(faults, "")
        return unseen("Slurm's record tells no number of GPUs")
    if lent != watched:
        faults.append(f"Slurm lent {told_count(lent, 'GPU')}, watched were {watched}")
    worked = {rank.gpu_uuid for rank in case.run_energy.ranks}
    idle = watched - len(worked)
    told = f", {idle} of them idle" if idle else ""
    return judged(faults, f"{told_count(lent, 'GPU')} of {told_count(len(hosts), 'node')}{told}")


def _slurm(case: Case) -> Mapping[str, Any]:
    """The job as Slurm told it; empty outside of Slurm."""
    path = case.attempt.folder / "slurm.json"
    return read_json(path) if path.is_file() else {}


def _words(record: Mapping[str, Any]) -> dict[str, str]:
    text = record.get("scontrol_show_job")
    return dict(_WORD.findall(text)) if isinstance(text, str) else {}


def _lent_gpus(case: Case, record: Mapping[str, Any]) -> int | None:
    """How many GPUs the job was lent, by its own record or by accounting; None untold."""
    words = _words(record)
    resources = [words.get("AllocTRES"), words.get("TRES")]
    books = case.attempt.folder / "slurm_accounting.json"
    if books.is_file():
        rows = read_json(books).get("rows") or []
        resources += [row.get("AllocTRES") for row in rows if "." not in str(row.get("JobID"))]
    for text in resources:
        if not text:
            continue
        if (every := _ALL_GPUS.search(text)) is not None:
            return int(every[1])
        if typed := _TYPED_GPUS.findall(text):
            return sum(int(count) for count in typed)
    return None


JOB_CHECKS: Final = (
    Check(
        name="exclusive",
        claim="the job had its GPUs to itself",
        look=alone_on_its_gpus,
        severity=Severity.WEAK,
        rule=(
            "no process computed on a GPU before the ranks did, and none beside a GPU's one rank "
            "whenever the watcher asked; nodes that the configuration asks for whole are "
            "OverSubscribe=NO in Slurm's record of the job"
        ),
        tolerance="none",
        reason="NVML tells every process of a board; it is asked at the start and every 10 s",
        rules_out="energy of somebody else's work in the run's, but for what lasts under 10 s",
    ),
    Check(
        name="allocation",
        claim="all that the batch system lent was watched",
        look=allocation_watched,
        severity=Severity.WEAK,
        rule=(
            "nodes and GPUs of Slurm's record of the job, or of its accounting, are as many as "
            "the watchers had; those without a rank are counted as idle"
        ),
        tolerance="none",
        reason="what was lent and not watched drew power that no number has",
        rules_out="GPUs or nodes of the job that are left out",
    ),
)
"""Checks of what the job had, in the audit's order."""
