"""Ends: what Slurm says of a job that is over, in the record's words."""

from pathlib import Path
from typing import Any, Final

from launcher.slurm.job_arrays import JobArray
from launcher.slurm.node_events import failed_nodes
from launcher.slurm.queue import JobState
from launcher.slurm.signals import NODE_FAILED, TOLD_TO_STOP
from launcher.slurm.view import SlurmView
from telemetry.record.attempt_state import AttemptState, correct_end, record_end
from telemetry.record.disk import disk_fault, disk_trouble
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import EndState

DISK_EXIT_CODE: Final = 74
"""A rank's exit code when the disk does not take its last word (EX_IOERR of sysexits.h)."""

_ENDS: Final = {
    "TIMEOUT": EndState.TIMEOUT,
    "DEADLINE": EndState.TIMEOUT,
    "CANCELLED": EndState.CANCELLED,
    "FAILED": EndState.FAILED,
    "OUT_OF_MEMORY": EndState.FAILED,
    "BOOT_FAIL": EndState.LOST,
    "NODE_FAIL": EndState.LOST,
    "PREEMPTED": EndState.LOST,
    "REQUEUED": EndState.LOST,
    "REVOKED": EndState.LOST,
    "COMPLETED": EndState.LOST,
}
_NODE_ENDS: Final = ("NODE_FAIL", "BOOT_FAIL")
_SILENT_ENDS: Final = ("FAILED", "COMPLETED")


def end_of(job: JobState, array: JobArray) -> tuple[EndState, str]:
    """How an attempt ended whose job is over by Slurm's word, and why."""
    # A job that was cancelled while a line ran fails that line, too.
    setup = failed_setup(array, job.job_id) if job.state in _SILENT_ENDS else None
    if setup is not None:
        return EndState.FAILED, setup
    detail = f" ({job.reason})" if job.reason not in ("", "None") else ""
    where = f" on {job.nodes}" if job.nodes and job.nodes != "None assigned" else ""
    said = f"Slurm says {job.state}{detail}{where} of job {job.job_id}"
    if job.state in _NODE_ENDS:
        names = failed_nodes(job)
        nodes = f"node{'s' if len(names) > 1 else ''} {', '.join(names)}"
        return EndState.LOST, f"{nodes if names else f'a node of {job.nodes}'} failed: {said}"
    if job.state == "FAILED" and job.reason.startswith(f"{DISK_EXIT_CODE}:"):
        said = f"the disk of {array.results} did not take a rank's last word: {said}"
    if job.state == "COMPLETED":
        said = f"{said}, but no rank recorded an end"
    if job.state in _SILENT_ENDS and (fault := disk_fault(array.results)):
        said = f"{said}; {array.results} {fault}"
    return _ENDS[job.state], said


def failed_setup(array: JobArray, job_id: str) -> str | None:
    """The line of `cluster.slurm.setup` that ended a job, as its batch script left it, or None."""
    try:
        text = array.setup_failure(job_id).read_text(errors="replace")
    except OSError:
        return None
    code, _, line = text.strip().partition(" ")
    return f"setup failed: {line.strip()} (exit code {code})"


def overrules(job: JobState, told: dict[str, Any]) -> bool:
    """True when Slurm's word of a job explains what a rank could only see the effect of.

    A rank sees a connection break where a node broke. What it knows of itself, such as a want of
    memory with its figures, stays.
    """
    if "memory" in told or told["state"] not in (EndState.FAILED, EndState.LOST):
        return False
    reason = told.get("reason") or ""
    if job.state in _NODE_ENDS:
        return told["state"] == EndState.FAILED or reason == NODE_FAILED
    return TOLD_TO_STOP in reason and job.state not in _SILENT_ENDS


def write_end(
    known: SlurmView, attempt: AttemptPaths, state: EndState, reason: str, by: str
) -> None:
    """Record an end, or put Slurm's in the place of a rank's; a disk that refuses is told."""
    try:
        if attempt.ended.is_file():
            known.ended += correct_end(attempt, state, reason, by)
        else:
            known.ended += record_end(attempt, state, reason, by)
    except OSError as error:
        known.unwritten[attempt.folder] = AttemptState(state=state.value, reason=reason)
        known.doubt(unwritten(attempt.folder.parent.parent, error))


def unwritten(results: Path, error: OSError) -> str:
    """What is to be said of a results folder that does not take what is to be written."""
    trouble = disk_trouble(error) or f"cannot be written ({error.strerror})"
    return f"{results} {trouble}: what Slurm says is shown here, but not recorded"


def told_end(attempt: AttemptPaths) -> dict[str, Any] | None:
    """An attempt's recorded end; None where there is none."""
    try:
        return read_json(attempt.ended)
    except FileNotFoundError:
        return None
