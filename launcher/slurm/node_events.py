"""Node events: which node of a job failed, by Slurm's books and by its controller.

A job's own record says NODE_FAIL and names all of its nodes. The one that failed stands among the
events of nodes, which slurmdbd keeps, and, while it is down, in the controller's list.
"""

from datetime import datetime, timedelta
from typing import Final

from launcher.slurm.queue import JobState, SlurmError, ask_slurm, utc

# A node is marked down and its jobs are ended in one go; the books are of whole seconds.
_TOGETHER: Final = timedelta(seconds=60)
# Slurm's words of a node that went away by itself; DRAIN is somebody's wish.
_GONE: Final = ("DOWN", "FAIL", "NOT_RESPONDING", "POWERED_DOWN")


def failed_nodes(job: JobState) -> list[str]:
    """The nodes of an ended job that failed while it ran; none where Slurm does not say."""
    try:
        return sorted(set(_by_books(job)) or set(_by_controller(job)))
    except SlurmError:
        return []


def _by_books(job: JobState) -> list[str]:
    started, ended = _time(job.start_time), _time(job.end_time)
    if started is None:
        return []
    command = [
        *("sacctmgr", "--noheader", "--parsable2", "show", "event", f"nodes={job.nodes}"),
        f"start={started:%Y-%m-%dT%H:%M:%S}",
        "format=NodeName%200,Start,State%50",
    ]
    try:
        text = ask_slurm(command)
    # No books, or a site that lets nobody see events: its controller knows, too.
    except SlurmError:
        return []
    found = []
    for line in text.splitlines():
        parts = line.split("|")
        if len(parts) != len(("NodeName", "Start", "State")):
            continue
        name, at, state = parts[0], _time(utc(parts[1])), parts[2]
        late = at is None or (ended is not None and at > ended + _TOGETHER) or at < started
        if name and not late and any(word in state for word in _GONE):
            found.append(name)
    return found


def _by_controller(job: JobState) -> list[str]:
    text = ask_slurm(["sinfo", "--noheader", "--Node", f"--nodes={job.nodes}", "--format=%N|%T"])
    rows = [line.partition("|") for line in text.splitlines()]
    return [name for name, _, state in rows if any(word in state.upper() for word in _GONE)]


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
