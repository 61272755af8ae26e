"""Reconcile: what Slurm knows of a job that is gone becomes the end of its attempt.

A killed node, a time limit or a cancelled job may leave an attempt without a last word. Every call
that reads a results folder asks Slurm first: the launcher, status, cancel and the job that merges.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from launcher.slurm.job_arrays import JobArray, Submission, list_arrays, record_submission
from launcher.slurm.queue import (
    ENDED,
    JobState,
    SlurmError,
    accounted,
    accounted_since,
    cluster_name,
    queued,
)
from telemetry.clock import wall_us
from telemetry.record.attempt_state import is_alive, record_end, this_host
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import EndState

# Accounting lags the queue: under a burst of 1,000 jobs on a 2-core machine all were in it after
# 20 s. A job that neither knows is taken for gone only after three times that.
LAG_US: Final = 60_000_000
# A launcher that wrote its intent submits within seconds; a stuck controller answers in minutes.
_SUBMITTING_US: Final = 600_000_000
# Slurm and the submitting machine may differ by their clocks; a number comes round after weeks.
_SAME_SUBMISSION_S: Final = 600.0

_ENDS: Final = {
    "TIMEOUT": EndState.TIMEOUT,
    "DEADLINE": EndState.TIMEOUT,
    "CANCELLED": EndState.CANCELLED,
    "FAILED": EndState.FAILED,
    "OUT_OF_MEMORY": EndState.FAILED,
    "BOOT_FAIL": EndState.LOST,
    "NODE_FAIL": EndState.LOST,
    "PREEMPTED": EndState.LOST,
    "REVOKED": EndState.LOST,
    "COMPLETED": EndState.LOST,
}


@dataclass(kw_only=True)
class SlurmView:
    """What Slurm knows about the open attempts of a results folder."""

    jobs: dict[Path, JobState] = field(default_factory=dict)
    """By attempt folder: those that wait or run."""
    closing: set[Path] = field(default_factory=set)
    """Attempt folders that a queued job will merge and seal."""
    doubts: list[str] = field(default_factory=list)
    """Why something could not be learned, one line each."""
    ended: int = 0
    """Attempts whose end this call recorded."""


def reconcile(results: Path, campaign: str | None = None) -> SlurmView:
    """Record the end of every attempt whose job Slurm no longer has; what it has of the others."""
    known = SlurmView()
    arrays = [array for array in list_arrays(results, campaign) if _open(array)]
    if not arrays:
        return known
    here = cluster_name()
    try:
        live = queued([name for array in arrays for name in (array.name, array.closing_name)])
    except SlurmError as error:
        known.doubts.append(f"Slurm's queue cannot be asked: {error}")
        return known
    for array in arrays:
        submission = array.submission() or _adopt(array, live, known)
        if submission is None:
            continue
        if here is not None and submission.slurm_cluster not in (None, here):
            known.doubts.append(
                f"{array.name} is on cluster {submission.slurm_cluster}, this machine's is {here}"
            )
            continue
        _settle_array(array, submission, live, known)
    return known


def _open(array: JobArray) -> bool:
    """True until the closing job has come to all of its attempts."""
    return any(not attempt.manifest.is_file() for attempt in array.attempts())


def _settle_array(
    array: JobArray, submission: Submission, live: dict[str, JobState], known: SlurmView
) -> None:
    gone: list[tuple[AttemptPaths, str]] = []
    closing = any(job.name == array.closing_name for job in live.values())
    for index, attempt in enumerate(array.attempts()):
        if closing:
            known.closing.add(attempt.folder)
        job_id = array.element(submission.job_id, index)
        job = live.get(job_id)
        if job is not None and job.name == array.name and job.state not in ENDED:
            known.jobs[attempt.folder] = job
        elif not attempt.ended.is_file() and attempt.folder.is_dir():
            gone.append((attempt, job_id))
    if not gone:
        return
    fresh = wall_us() - submission.t_us < LAG_US
    try:
        books = accounted([submission.job_id], array.name)
    except SlurmError as error:
        known.doubts.append(f"Slurm's accounting cannot be asked: {error}")
        if "disabled" not in str(error):
            return
        books = {}
    for attempt, job_id in gone:
        job = books.get(job_id)
        if job is not None and not _same_submission(job, submission):
            job = None
        if job is not None and job.state in ENDED:
            known.ended += record_end(attempt, _ENDS[job.state], _reason(job), "Slurm")
        elif not fresh:
            said = f"; its accounting still says {job.state}" if job is not None else ""
            reason = f"Slurm's queue has no job {job_id} of the name {array.name} any more{said}"
            known.ended += record_end(attempt, EndState.LOST, reason, "Slurm")


def _same_submission(job: JobState, submission: Submission) -> bool:
    """True when an accounting record is of this submission: Slurm gives numbers out again."""
    if submission.submit_time is None:
        return True
    try:
        ours = datetime.fromisoformat(submission.submit_time)
        theirs = datetime.fromisoformat(job.submit_time)
    except ValueError:
        return True
    return abs((theirs - ours).total_seconds()) <= _SAME_SUBMISSION_S


def _reason(job: JobState) -> str:
    where = f" on {job.nodes}" if job.nodes and job.nodes != "None assigned" else ""
    detail = f" ({job.reason})" if job.reason else ""
    what = f"Slurm says {job.state}{detail}{where} of job {job.job_id}"
    if job.state == "COMPLETED":
        return f"{what}, but no rank recorded an end"
    return what


def _adopt(array: JobArray, live: dict[str, JobState], known: SlurmView) -> Submission | None:
    """The submission of an array whose launcher was cut off after sbatch; None when unknown.

    The job's name tells: no other array has it.
    """
    if _submitting(array):
        return None
    found = [job for job in live.values() if job.name == array.name]
    if not found:
        try:
            found = list(accounted_since(array.name, array.t_us).values())
        except SlurmError as error:
            known.doubts.append(f"Slurm's accounting cannot be asked: {error}")
            return None
    if not found:
        reason = "its launcher was cut off before Slurm had the job"
        for attempt in array.attempts():
            if attempt.folder.is_dir() and not attempt.started.is_file():
                known.ended += record_end(attempt, EndState.LOST, reason, "launcher")
        return None
    submission = Submission(
        job_id=found[0].job_id.partition("_")[0],
        slurm_cluster=cluster_name(),
        t_us=array.t_us,
        submit_time=found[0].submit_time,
        closing_job_id=None,
        closing_refused="the launcher was cut off before it submitted it",
    )
    record_submission(array, submission, sbatch=None)
    return submission


def _submitting(array: JobArray) -> bool:
    """True while the launcher that wrote the intent may still be submitting it."""
    if array.host in this_host():
        return is_alive(array.pid, array.pid_created_us)
    return wall_us() - array.t_us < _SUBMITTING_US
