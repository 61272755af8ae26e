"""Slurm's own record of a job, kept with the attempt: from within the job, and after it.

slurm.json              the job as its first rank saw it: environment, version, scontrol's record
slurm_accounting.json   what accounting says once it has ended, every allocation and step
"""

import os
import platform
from collections.abc import Mapping
from typing import Any, Final

from launcher.slurm.job_arrays import JobArray
from launcher.slurm.queue import PATIENCE_S, SlurmError, ask_slurm, elements
from telemetry.clock import wall_us
from telemetry.record.files import create_json, write_json
from telemetry.record.paths import AttemptPaths
from telemetry.sources.host.source import cpu_model

# A job does not wait for a controller that is down: its GPUs would.
_JOB_PATIENCE_S: Final = 10.0
# What accounting keeps of a job that an auditor may want to join with a center's own books.
_FIELDS: Final = (
    "JobID",
    "JobIDRaw",
    "JobName",
    "Cluster",
    "User",
    "Account",
    "Partition",
    "QOS",
    "State",
    "ExitCode",
    "DerivedExitCode",
    "Submit",
    "Eligible",
    "Start",
    "End",
    "ElapsedRaw",
    "Timelimit",
    "NNodes",
    "NTasks",
    "NodeList",
    "AllocTRES",
    "ReqTRES",
    "MaxRSS",
    "TotalCPU",
    "ConsumedEnergyRaw",
    "Reason",
)


def record_job(attempt: AttemptPaths, environment: Mapping[str, str] | None = None) -> bool:
    """Keep what Slurm says of the job this process is in; False outside of Slurm.

    A compute node may lack scontrol, or not be let to the controller: null then, with the reason.
    """
    environment = os.environ if environment is None else environment
    job_id = environment.get("SLURM_JOB_ID")
    if job_id is None:
        return False
    record, record_reason = _ask(["scontrol", "show", "job", "--details", job_id], _JOB_PATIENCE_S)
    version, version_reason = _ask(["scontrol", "--version"], _JOB_PATIENCE_S)
    hosts, hosts_reason = _ask(
        ["scontrol", "show", "hostnames", environment.get("SLURM_JOB_NODELIST", "")],
        _JOB_PATIENCE_S,
    )
    content: dict[str, Any] = {
        "t_us": wall_us(),
        "job_id": job_id,
        "environment": {
            name: value
            for name, value in sorted(environment.items())
            # What a site keeps in other variables is not ours to publish.
            if name.startswith("SLURM_") and "TOKEN" not in name and "JWT" not in name
        },
        "cpu": cpu_model() or platform.processor() or None,
        "nodes": hosts.split() if hosts is not None else None,
        "nodes_reason": hosts_reason,
        "version": version.strip() if version is not None else None,
        "version_reason": version_reason,
        "scontrol_show_job": record,
        "scontrol_show_job_reason": record_reason,
    }
    write_json(attempt.folder / "slurm.json", content)
    return True


def record_accounting(array: JobArray) -> None:
    """Keep what accounting says of each job of an array that has ended, unless it is kept."""
    submission = array.submission()
    if submission is None:
        return
    command = [
        "sacct",
        "--noheader",
        "--parsable2",
        "--duplicates",
        f"--jobs={submission.job_id}",
        f"--format={','.join(f'{name}%500' for name in _FIELDS)}",
    ]
    text, reason = _ask(command)
    rows: dict[str, list[dict[str, str]]] = {}
    for line in (text or "").splitlines():
        values = line.split("|")
        if len(values) == len(_FIELDS):
            # Steps are named 12_3.0 and 12_3.batch.
            for job_id in elements(values[0].partition(".")[0]):
                rows.setdefault(job_id, []).append(dict(zip(_FIELDS, values, strict=True)))
    for index, attempt in enumerate(array.attempts()):
        if not attempt.ended.is_file() or attempt.seal.is_file():
            continue
        job_id = array.element(submission.job_id, index)
        found = rows.get(job_id)
        content = {
            "t_us": wall_us(),
            "job_id": job_id,
            "slurm_cluster": submission.slurm_cluster,
            "rows": found,
            "reason": None if found else reason or "accounting has no such job",
        }
        create_json(attempt.folder / "slurm_accounting.json", content)


def _ask(command: list[str], patience_s: float = PATIENCE_S) -> tuple[str | None, str | None]:
    try:
        return ask_slurm(command, patience_s), None
    except SlurmError as error:
        return None, str(error)
