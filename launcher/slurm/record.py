"""Slurm's own record of a job, kept with the attempt: from within the job, and after it.

slurm.json              the job as its first rank saw it: environment, version, scontrol's record
slurm_accounting.json   what accounting says once it has ended, every allocation and step
"""

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from launcher.slurm.job_arrays import JobArray, Submission
from launcher.slurm.queue import (
    ENDED,
    PATIENCE_S,
    SlurmError,
    ask_slurm,
    elements,
    same_submission,
    utc,
)
from telemetry.clock import wall_us
from telemetry.record.files import read_json, write_json
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
    # By an array's own number, which its last element has, Slurm would tell of all elements.
    array_id, index = (environment.get(f"SLURM_ARRAY_{part}_ID") for part in ("JOB", "TASK"))
    own_id = job_id if array_id is None or index is None else f"{array_id}_{index}"
    record, record_reason = _ask(["scontrol", "show", "job", "--details", own_id], _JOB_PATIENCE_S)
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
    rows = own_rows(text or "", array.name, submission)
    for index, attempt in enumerate(array.attempts()):
        if not attempt.ended.is_file() or attempt.seal.is_file() or has_last_word(attempt):
            continue
        job_id = array.element(submission.job_id, index)
        found = rows.get(job_id)
        silence = f"accounting has no job {job_id} named {array.name} of {submission.submit_time}"
        content = {
            "t_us": wall_us(),
            "job_id": job_id,
            "job_name": array.name,
            "submit_time": submission.submit_time,
            "slurm_cluster": submission.slurm_cluster,
            "time_zone": "UTC",
            "rows": found,
            "reason": None if found else reason or silence,
        }
        write_json(_accounting(attempt), content)


def own_rows(text: str, name: str, submission: Submission) -> dict[str, list[dict[str, str]]]:
    """The rows of one submission in what sacct prints: by job id, each with its steps.

    A number that was given out again has other allocations, and steps have names of their own: a
    step is of the allocation that stands before it.
    """
    rows: dict[str, list[dict[str, str]]] = {}
    own = False
    for line in text.splitlines():
        values = line.split("|")
        if len(values) != len(_FIELDS):
            continue
        row = dict(zip(_FIELDS, values, strict=True))
        # Steps are named 12_3.0 and 12_3.batch.
        job_id, dot, _ = row["JobID"].partition(".")
        if not dot:
            own = (
                row["JobName"] == name
                and submission.slurm_cluster in (None, row["Cluster"])
                and same_submission(utc(row["Submit"]), submission.submit_time)
            )
        if own:
            for each in elements(job_id):
                rows.setdefault(each, []).append(row)
    return rows


def has_last_word(attempt: AttemptPaths) -> bool:
    """True when what accounting says of the attempt's ended job is kept with it."""
    try:
        rows = read_json(_accounting(attempt)).get("rows") or []
    except (FileNotFoundError, ValueError):
        return False
    states = [str(row.get("State")).split() for row in rows if "." not in str(row.get("JobID"))]
    return any(state and state[0] in ENDED for state in states)


def _accounting(attempt: AttemptPaths) -> Path:
    return attempt.folder / "slurm_accounting.json"


def _ask(command: list[str], patience_s: float = PATIENCE_S) -> tuple[str | None, str | None]:
    try:
        return ask_slurm(command, patience_s), None
    except SlurmError as error:
        return None, str(error)
