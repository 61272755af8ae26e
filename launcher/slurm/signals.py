"""Signals: how a running job learns that Slurm ends it, and what Slurm says why.

Slurm sends SIGTERM to every task at a time limit, a cancellation, a preemption and when a node of
the job fails, then SIGKILL after KillWait. The signal is the same for all four, the record must not
be, so the job asks Slurm: when it signals, its controller has written down why already.
"""

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Final

from telemetry.record.schema import EndState

# Between SIGTERM and SIGKILL lie KillWait seconds, 30 by default; most are for closing shards.
_PATIENCE_S: Final = 3.0
# The shell's own convention: 128 + the signal's number.
_EXIT_CODE: Final = 128 + signal.SIGTERM
NODE_FAILED: Final = "a node of the job failed"
"""What a surviving rank can say of a crash; which node it was, only Slurm's books know."""
TOLD_TO_STOP: Final = "was told to stop by SIGTERM"
"""What a rank says that Slurm ended without a word why."""
_PAIR: Final = re.compile(r"(?:^|\s)([A-Za-z/:&]+)=(\S*)")


class Stopped(SystemExit):
    """Slurm told this process to end. No Exception, so that nobody takes it for a failure."""

    def __init__(self) -> None:
        super().__init__(_EXIT_CODE)


@dataclass(frozen=True, kw_only=True)
class SlurmVerdict:
    """How Slurm ended a job."""

    state: EndState
    """How the attempt ended by it: at its limit, cancelled or lost."""
    reason: str
    """What Slurm did and why, in one line."""


def heed_slurm() -> None:
    """From now on SIGTERM raises `Stopped` and Slurm's warning changes nothing; off Slurm nothing.

    submitit's own handlers would end a job at the warning, a minute before its limit, as failed.
    """
    if _is_task(os.environ):
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def heed_no_more() -> None:
    """From now on SIGTERM changes nothing: the end is being written down."""
    if _is_task(os.environ):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def slurm_verdict(environment: Mapping[str, str]) -> SlurmVerdict | None:
    """How Slurm is ending the job of this environment; None when it is not, or does not say."""
    if not _is_task(environment):
        return None
    job_id = environment["SLURM_JOB_ID"]
    try:
        done = subprocess.run(
            ["scontrol", "--oneliner", "show", "job", job_id],
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
            env={**environment, "LC_ALL": "C"},
        )
    # Some centers have no scontrol on compute nodes.
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    return read_verdict(
        own_job(done.stdout, job_id, environment.get("SLURM_JOB_NAME")), restarts(environment)
    )


def own_job(text: str, job_id: str, name: str | None) -> str:
    """The line of `scontrol --oneliner show job` that is of that number and name; empty if none.

    An array's number is one of its elements' too: asked for it, Slurm tells of all of them.
    """
    for line in text.splitlines():
        fields = dict(_PAIR.findall(line))
        if fields.get("JobId") == job_id and name in (None, fields.get("JobName")):
            return line
    return ""


def restarts(environment: Mapping[str, str]) -> int:
    """How often Slurm has started the job of this environment again."""
    count = environment.get("SLURM_RESTART_COUNT", "0")
    return int(count) if count.isdecimal() else 0


def read_verdict(job: str, restarted: int = 0) -> SlurmVerdict | None:
    """How Slurm is ending the job that `scontrol show job` describes; None when it runs on.

    `restarted` is how often it had been started again when it began: more of it is a requeue now.
    """
    fields = dict(_PAIR.findall(job))
    state, reason = fields.get("JobState", ""), fields.get("Reason", "None")
    if fields.get("PreemptTime", "None") != "None":
        return SlurmVerdict(state=EndState.LOST, reason="preempted by another job")
    if state == "TIMEOUT" or reason == "TimeLimit":
        limit = fields.get("TimeLimit", "unknown")
        return SlurmVerdict(state=EndState.TIMEOUT, reason=f"the time limit of {limit} ran out")
    if state == "NODE_FAIL" or reason == "NodeDown":
        return SlurmVerdict(state=EndState.LOST, reason=NODE_FAILED)
    if restarts({"SLURM_RESTART_COUNT": fields.get("Restarts", "0")}) > restarted:
        return SlurmVerdict(state=EndState.LOST, reason="its job was requeued through Slurm")
    # An array's element that was cancelled says so in its exit code alone: killed by a signal.
    if state in {"CANCELLED", "COMPLETING"} and fields.get("ExitCode", "").endswith(
        f":{signal.SIGTERM:d}"
    ):
        return SlurmVerdict(state=EndState.CANCELLED, reason="cancelled through Slurm")
    return None


def _is_task(environment: Mapping[str, str]) -> bool:
    """True in a job that submitit gave to Slurm, not in a local one within an allocation."""
    under_slurm = environment.get("SUBMITIT_EXECUTOR") == "slurm"
    return under_slurm and environment.get("SLURM_JOB_ID", "").isdecimal()


def _stop(number: int, frame: FrameType | None) -> None:
    del number, frame
    # Once is enough: a second one must not interrupt the closing of shards.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped
