"""Slurm's queue and accounting: what they say about jobs of a given name."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
        "REVOKED",
        "TIMEOUT",
    }
)

_ELEMENTS: Final = re.compile(r"(?P<id>\d+)_\[(?P<list>\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)(?:%\d+)?\]")
_SACCT: Final = (
    "sacct",
    "--noheader",
    "--parsable2",
    "--allocations",
    "--duplicates",
    "--format=JobID,JobName%200,State,Submit,NodeList%500,ExitCode",
)


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
    """When it was submitted, in Slurm's own words."""
    nodes: str
    """Its nodes in Slurm's short form, such as `n[1-4]`; no name before it has any."""


def ask_slurm(command: Sequence[str], patience_s: float = PATIENCE_S) -> str:
    """What a Slurm command prints.

    Raises:
        SlurmError: it is not there, fails or does not answer.
    """
    environment = {
        **os.environ,
        "LC_ALL": "C",
        "SLURM_TIME_FORMAT": "standard",
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
    if not names:
        return {}
    text = ask_slurm(
        [
            "squeue",
            "--noheader",
            "--array",
            f"--name={','.join(names)}",
            "--format=%i|%j|%T|%V|%N|%r",
        ]
    )
    return _states(text)


def accounted(job_ids: Sequence[str], name: str) -> dict[str, JobState]:
    """Jobs of those numbers and that name as accounting has them, by id; the last of each.

    Raises:
        SlurmError: there is no accounting, or it does not answer.
    """
    if not job_ids:
        return {}
    found = ask_slurm([*_SACCT, f"--jobs={','.join(job_ids)}"])
    # A number that was given out again has more than one job, each with its own name.
    return _states("\n".join(line for line in found.splitlines() if f"|{name}|" in line))


def accounted_since(name: str, t_us: int) -> dict[str, JobState]:
    """Jobs of that name as accounting has them since a time, by id.

    Raises:
        SlurmError: there is no accounting, or it does not answer.
    """
    # A day before: Slurm's clock and this machine's may differ, their time zones too.
    since = datetime.fromtimestamp(t_us / US_PER_S, UTC) - timedelta(days=1)
    return _states(ask_slurm([*_SACCT, f"--name={name}", f"--starttime={since:%Y-%m-%dT%H:%M:%S}"]))


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


def _states(text: str) -> dict[str, JobState]:
    found = {}
    for line in text.splitlines():
        parts = line.split("|")
        # A name with a bar in it would be somebody else's: ours has none.
        if len(parts) != len(JobState.__dataclass_fields__):
            continue
        job_id, name, state, submit_time, nodes, reason = parts
        # "CANCELLED by 1000"
        word = state.split()[0] if state.split() else "UNKNOWN"
        for each in elements(job_id):
            found[each] = JobState(
                job_id=each,
                name=name,
                state=word,
                reason=f"{state.removeprefix(word).strip()} {reason}".strip(),
                submit_time=submit_time,
                nodes=nodes,
            )
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
