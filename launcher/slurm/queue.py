"""Slurm's queue and accounting: what they say about jobs of a given name.

Slurm gives a job's number out again, at the latest after a controller that lost its state: a row is
a job's of ours by its name and the time of its submission, never by its number alone.
"""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from telemetry.clock import US_PER_S

# A controller under load answers in seconds; one that is down makes its clients wait a minute.
PATIENCE_S: Final = 90.0
# Slurm's own state words, of jobs that will not run any more.
ENDED: Final = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        # A forced requeue: this run of the job is over, whatever the next one does.
        "REQUEUED",
        "REVOKED",
        "TIMEOUT",
    }
)
# Queue and accounting tell the same second of a submission; a requeue makes another.
_SAME_SUBMISSION_S: Final = 1.0

_ELEMENTS: Final = re.compile(r"(?P<id>\d+)_\[(?P<list>\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)(?:%\d+)?\]")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_SACCT: Final = (
    "sacct",
    "--noheader",
    "--parsable2",
    "--allocations",
    "--duplicates",
    "--format=JobID,JobName%200,State,Submit,NodeList%500,ExitCode,Start,End",
)
_SQUEUE: Final = ("squeue", "--noheader", "--array", "--format=%i|%j|%T|%V|%N|%r|%S|%e")


class SlurmError(RuntimeError):
    """Slurm refuses or does not answer; the message is one line, in its own words."""


@dataclass(frozen=True, kw_only=True)
class JobState:
    """What Slurm says about one job."""

    job_id: str
    """Number, with the element's for an array: `12` or `12_3`."""
    name: str
    """The job's name as it was submitted: that of its array."""
    state: str
    """Slurm's word, such as PENDING or NODE_FAIL."""
    reason: str
    """Why it waits, or its exit code."""
    submit_time: str
    """When it was submitted, as Slurm says, in UTC."""
    nodes: str
    """Its nodes in Slurm's short form, such as `n[1-4]`; no name before it has any."""
    start_time: str = "Unknown"
    """When it started, as Slurm says, in UTC; another word before it has."""
    end_time: str = "Unknown"
    """When it ended, or must at the latest, as Slurm says, in UTC; another word without a time."""

    @property
    def ended(self) -> bool:
        """True when it will not run any more."""
        return self.state in ENDED

    def is_of(self, name: str, submit_time: str | None) -> bool:
        """True when it is the job of that name that was submitted then; None asks no time."""
        return self.name == name and same_submission(self.submit_time, submit_time)


def ask_slurm(
    command: Sequence[str], patience_s: float = PATIENCE_S, *, time_format: str = "standard"
) -> str:
    """What a Slurm command prints, its times in UTC: `%s` for seconds since 1970.

    Raises:
        SlurmError: it is not there, fails or does not answer.
    """
    environment = {
        **os.environ,
        "LC_ALL": "C",
        "SLURM_TIME_FORMAT": time_format,
        # Slurm tells times in the zone of who asks: a login node's may be another than a job's.
        "TZ": "UTC0",
        # Element lists of an array in full: Slurm cuts them at 64 characters.
        "SLURM_BITSTR_LEN": "0",
    }
    # A user's own format for these commands is not what is read here.
    for name in ("SQUEUE_FORMAT", "SACCT_FORMAT", "SQUEUE_STATES", "SQUEUE_USERS"):
        environment.pop(name, None)
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=patience_s,
        )
    except FileNotFoundError as error:
        raise SlurmError(f"{command[0]} is not on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise SlurmError(f"{command[0]} does not answer within {patience_s:g} s") from error
    if done.returncode:
        said = one_line(done.stderr.decode(errors="replace"))
        raise SlurmError(f"{command[0]}: {said or f'exit code {done.returncode}'}")
    return done.stdout.decode(errors="replace")


def one_line(text: str) -> str:
    """Slurm's words on one line, without its prefixes."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "; ".join(line.removeprefix("sbatch: error: ") for line in lines)


def queued(names: Sequence[str]) -> dict[str, JobState]:
    """Jobs of those names that wait or run, by id.

    Raises:
        SlurmError: squeue fails.
    """
    return {job_id: job for job_id, job in remembered(names).items() if not job.ended}


def remembered(names: Sequence[str]) -> dict[str, JobState]:
    """Jobs of those names that wait, run or ended lately, by id.

    The controller knows an ended job for MinJobAge, five minutes by default, whether its accounting
    answers or not.

    Raises:
        SlurmError: squeue fails.
    """
    if not names:
        return {}
    return _states(ask_slurm([*_SQUEUE, "--states=all", f"--name={','.join(names)}"]))


def accounted(job_id: str, name: str, submit_time: str | None) -> dict[str, JobState]:
    """The job of that number, name and time of submission as accounting has it, by its elements.

    Raises:
        SlurmError: there is no accounting, or it does not answer.
    """
    return _states(ask_slurm([*_SACCT, f"--jobs={job_id}"]), name, submit_time)


def accounted_since(name: str, t_us: int) -> dict[str, JobState]:
    """Jobs of that name as accounting has them since a time, by id.

    Raises:
        SlurmError: there is no accounting, or it does not answer.
    """
    # A day before: Slurm's clock and this machine's may differ.
    since = datetime.fromtimestamp(t_us / US_PER_S, UTC) - timedelta(days=1)
    command = [*_SACCT, f"--name={name}", f"--starttime={since:%Y-%m-%dT%H:%M:%S}"]
    return _states(ask_slurm(command), name)


def same_submission(one: str, other: str | None) -> bool:
    """True when two times of submission are the same; None, or what is no time, is any.

    A time without a zone is of this machine's: records of before zones have such.
    """
    if other is None:
        return True
    try:
        times = [datetime.fromisoformat(text).timestamp() for text in (one, other)]
    except ValueError:
        return True
    return abs(times[0] - times[1]) <= _SAME_SUBMISSION_S


def cluster_name() -> str | None:
    """Slurm's own name of this cluster; None where it does not say."""
    return configuration().get("ClusterName")


def configuration() -> Mapping[str, str]:
    """Slurm's configuration as `scontrol show config` prints it; empty where it does not."""
    try:
        text = ask_slurm(["scontrol", "show", "config"])
    except SlurmError:
        return {}
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def utc(text: str) -> str:
    """A time of Slurm's with its zone; what is no time, such as Unknown, as it is."""
    return f"{text}+00:00" if _TIME.fullmatch(text) else text


def _states(
    text: str, name: str | None = None, submit_time: str | None = None
) -> dict[str, JobState]:
    """Rows as jobs by id, of that name and submission alone; of each id the last."""
    found: dict[str, JobState] = {}
    for line in text.splitlines():
        parts = line.split("|")
        # A name with a bar in it would be somebody else's: ours has none.
        if len(parts) != len(fields(JobState)):
            continue
        job_id, row_name, state, submitted, nodes, reason, started, ended = parts
        # "CANCELLED by 1000"
        word = state.split()[0] if state.split() else "UNKNOWN"
        row = JobState(
            job_id=job_id,
            name=row_name,
            state=word,
            reason=f"{state.removeprefix(word).strip()} {reason}".strip(),
            submit_time=utc(submitted),
            nodes=nodes,
            start_time=utc(started),
            end_time=utc(ended),
        )
        if name is None or row.is_of(name, submit_time):
            found |= {each: replace(row, job_id=each) for each in elements(job_id)}
    return found


def elements(job_id: str) -> list[str]:
    """`12_[0-1,5%4]` as `12_0`, `12_1` and `12_5`: elements that never started share one record."""
    match = _ELEMENTS.fullmatch(job_id)
    if match is None:
        return [job_id]
    found = []
    for part in match["list"].split(","):
        first, _, last = part.partition("-")
        found += [f"{match['id']}_{k}" for k in range(int(first), int(last or first) + 1)]
    return found
