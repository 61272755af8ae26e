"""Reconcile: what Slurm knows of a job that is gone becomes the end of its attempt.

A killed node, a time limit or a cancelled job may leave an attempt without a last word, or with a
rank's that saw only the effect. Every call that reads a results folder asks Slurm first: the
launcher, status, cancel and the job that merges. The queue is asked for jobs that ended lately,
too: the controller knows how before, and without, its accounting.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from launcher.slurm.ends import end_of, failed_setup, overrules, told_end, unwritten, write_end
from launcher.slurm.job_arrays import JobArray, Submission, list_arrays, record_submission
from launcher.slurm.queue import (
    JobState,
    SlurmError,
    accounted,
    accounted_since,
    cluster_name,
    remembered,
)
from launcher.slurm.record import has_last_word
from launcher.slurm.view import SlurmView
from telemetry.clock import wall_us
from telemetry.damage import DamagedError, damage_told
from telemetry.nearest import told_count
from telemetry.record.attempt_state import is_alive, this_host
from telemetry.record.disk import disk_fault
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import EndState

# Accounting lags the queue: under a burst of 1,000 jobs on a 2-core machine all were in it after
# 20 s. A job that neither knows is taken for gone only after three times that.
LAG_US: Final = 60_000_000
# A launcher that wrote its intent submits within seconds; a stuck controller answers in minutes.
_SUBMITTING_US: Final = 600_000_000


def reconcile(results: Path, campaign: str | None = None) -> SlurmView:
    """Record the end of every attempt whose job Slurm no longer has; what it has of the others."""
    known = SlurmView()
    arrays = [array for array in list_arrays(results, campaign, known.doubts) if _open(array)]
    if not arrays:
        return known
    if fault := disk_fault(results):
        known.doubt(f"{results} {fault}: nothing can be recorded, merged or sealed there")
    here = cluster_name()
    try:
        jobs = remembered([name for array in arrays for name in (array.name, array.closing_name)])
    except SlurmError as error:
        known.doubt(f"Slurm's queue cannot be asked: {error}")
        return known
    for array in arrays:
        try:
            with damage_told(array.path, "the record of an array's attempts"):
                _ask_about(array, jobs, known, here)
        except DamagedError as error:
            known.doubt(str(error))
    return known


def _ask_about(
    array: JobArray, jobs: dict[str, JobState], known: SlurmView, here: str | None
) -> None:
    submission = array.submission() or _adopt(array, jobs, known)
    if submission is None:
        return
    if here is not None and submission.slurm_cluster not in (None, here):
        known.doubt(
            f"{array.name} is on cluster {submission.slurm_cluster}, this machine's is {here}"
        )
        return
    _settle_array(array, submission, jobs, known)
    _look_for_closing(array, submission, jobs, known)


def _open(array: JobArray) -> bool:
    """True until the closing job has come to all of its attempts and Slurm to those that failed."""
    try:
        with damage_told(array.path, "the record of an array's attempts"):
            return any(
                not attempt.manifest.is_file() or _awaits_word(attempt)
                for attempt in array.attempts()
            )
    except DamagedError:
        # PromptRow about, it is told.
        return True


def _awaits_word(attempt: AttemptPaths) -> bool:
    """True when a rank said how the attempt ended badly, and Slurm's own word is not kept yet."""
    if attempt.seal.is_file():
        return False
    told = told_end(attempt)
    if told is None or told["state"] not in (EndState.FAILED, EndState.LOST):
        return False
    return str(told.get("by", "")).startswith("rank ") and not has_last_word(attempt)


def _settle_array(
    array: JobArray, submission: Submission, jobs: dict[str, JobState], known: SlurmView
) -> None:
    gone = list(_gone(array, submission, jobs, known))
    if not gone:
        return
    books, silence = _books(array, submission, known)
    for attempt, job_id in gone:
        job = books.get(job_id)
        if job is None or not job.ended:
            remembers = jobs.get(job_id)
            if remembers is not None and remembers.is_of(array.name, submission.submit_time):
                job = remembers
        if job is not None and job.ended:
            told = told_end(attempt)
            if told is None or overrules(job, told):
                write_end(known, attempt, *end_of(job, array), "Slurm")
        elif attempt.ended.is_file():
            known.unsettled.add(attempt.folder)
        elif setup := failed_setup(array, job_id):
            write_end(known, attempt, EndState.FAILED, setup, "Slurm")
        elif silence is not None or wall_us() - submission.t_us < LAG_US:
            why = silence or "its accounting does not say yet how it ended"
            known.unknown[attempt.folder] = f"job {job_id} is not in Slurm's queue; {why}"
        else:
            said = f"; its accounting still says {job.state}" if job is not None else ""
            reason = f"Slurm's queue has no job {job_id} of the name {array.name} any more{said}"
            write_end(known, attempt, EndState.LOST, reason, "Slurm")


def _gone(
    array: JobArray, submission: Submission, jobs: dict[str, JobState], known: SlurmView
) -> Iterator[tuple[AttemptPaths, str]]:
    """The open attempts whose job neither waits nor runs, each with the job's id."""
    for index, attempt in enumerate(array.attempts()):
        job_id = array.element(submission.job_id, index)
        job = jobs.get(job_id)
        if job is not None and job.name == array.name and not job.ended:
            known.jobs[attempt.folder] = job
            if _awaits_word(attempt):
                known.unsettled.add(attempt.folder)
        elif attempt.folder.is_dir() and (not attempt.ended.is_file() or _awaits_word(attempt)):
            yield attempt, job_id


def _books(
    array: JobArray, submission: Submission, known: SlurmView
) -> tuple[dict[str, JobState], str | None]:
    """What accounting has of an array, and why it cannot be asked; there may be none at all."""
    try:
        return accounted(submission.job_id, array.name, submission.submit_time), None
    except SlurmError as error:
        known.doubt(f"Slurm's accounting cannot be asked: {error}")
        # Without accounting the queue alone is to be believed.
        disabled = "disabled" in str(error)
        return {}, None if disabled else "its accounting cannot be asked how it ended"


def _look_for_closing(
    array: JobArray, submission: Submission, jobs: dict[str, JobState], known: SlurmView
) -> None:
    """Note the job that merges and seals an array, or that there is none any more."""
    closing = [job for job in jobs.values() if job.name == array.closing_name]
    if any(not job.ended for job in closing):
        known.closing |= {attempt.folder for attempt in array.attempts()}
        return
    # What was cancelled before it started has nothing to merge.
    left = sum(
        not attempt.manifest.is_file()
        and ((attempt.folder / "shards").is_dir() or not known.state(attempt).ended)
        for attempt in array.attempts()
        if attempt.folder.is_dir()
    )
    if not left:
        return
    if submission.closing_refused is not None:
        why = f"Slurm did not take it: {submission.closing_refused}"
    elif closing:
        why = f"job {closing[-1].job_id} was {closing[-1].state}; its log is {_log(array)}"
    else:
        why = f"job {submission.closing_job_id} is gone; its log is {_log(array)}"
    known.doubt(
        f"no job merges and seals {told_count(left, 'point')} of {array.name} ({why}): once they "
        "have ended, "
        f"the same command does, or {closing_command(array)}"
    )


def closing_command(array: JobArray) -> str:
    """What to type to merge and seal an array by hand."""
    return shlex.join(
        [
            *("python", "-m", "launcher.campaign.finalize", str(array.results)),
            *("--campaign", array.campaign, "--array", str(array.number)),
        ]
    )


def _log(array: JobArray) -> Path:
    return array.beside("close.log")


def _adopt(array: JobArray, jobs: dict[str, JobState], known: SlurmView) -> Submission | None:
    """The submission of an array whose launcher was cut off after sbatch; None when unknown.

    The job's name tells: no other array has it.
    """
    if _submitting(array):
        return None
    found = [job for job in jobs.values() if job.name == array.name]
    if not found:
        try:
            found = list(accounted_since(array.name, array.t_us).values())
        except SlurmError as error:
            known.doubt(f"Slurm's accounting cannot be asked: {error}")
            return None
    if not found:
        reason = "its launcher was cut off before Slurm had the job"
        for attempt in array.attempts():
            if attempt.folder.is_dir() and not attempt.started.is_file():
                write_end(known, attempt, EndState.LOST, reason, "launcher")
        return None
    submission = Submission(
        job_id=found[0].job_id.partition("_")[0],
        slurm_cluster=cluster_name(),
        t_us=array.t_us,
        submit_time=found[0].submit_time,
        closing_job_id=None,
        closing_refused="the launcher was cut off before it submitted it",
    )
    try:
        record_submission(array, submission, sbatch=None)
    except OSError as error:
        known.doubt(unwritten(array.results, error))
    return submission


def _submitting(array: JobArray) -> bool:
    """True while the launcher that wrote the intent may still be submitting it."""
    if array.host in this_host():
        return is_alive(array.pid, array.pid_created_us)
    return wall_us() - array.t_us < _SUBMITTING_US
