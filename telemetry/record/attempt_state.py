"""Attempt state: where an attempt stands, from its files and the processes behind them."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import psutil

from telemetry.clock import US_PER_S, wall_us
from telemetry.record.files import create_json, read_json, write_json
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import EndState

QUEUED: Final = "queued"
RUNNING: Final = "running"

# psutil counts start times from a boot time that moves with the wall clock, in ticks of 10 ms. A
# pid that comes round again within two seconds would need a machine that forks without pause.
_SAME_START_S: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class AttemptState:
    """Where an attempt stands."""

    state: str
    """`queued`, `running`, or one of `telemetry.record.schema.EndState`."""
    reason: str | None
    """Why it is so where that needs saying."""

    @property
    def ended(self) -> bool:
        """True when no process will write to the attempt any more."""
        return self.state not in (QUEUED, RUNNING)


def attempt_state(attempt: AttemptPaths) -> AttemptState:
    """Where `attempt` stands.

    Without a recorded end it is running as long as its first process lives. Only a process of this
    host can be looked at; on another host it is taken to run, as nothing proves that it does not.
    """
    if (end := _read(attempt, "ended")) is not None:
        return AttemptState(state=EndState(end["state"]).value, reason=end.get("reason"))
    if (start := _read(attempt, "started")) is not None:
        return _state_of(start, RUNNING, "rank 0")
    if (submission := _read(attempt, "submitted")) is not None:
        return _state_of(submission, QUEUED, "its job")
    return AttemptState(state=QUEUED, reason="not submitted yet")


def record_end(
    attempt: AttemptPaths,
    state: EndState,
    reason: str | None,
    by: str,
    memory: Mapping[str, Any] | None = None,
) -> bool:
    """Write how the attempt ended unless that is written already; True when this call wrote it.

    `memory` is what was asked for, held, free and estimated where it ended for want of memory.
    """
    content: dict[str, Any] = {"state": state.value, "reason": reason, "t_us": wall_us(), "by": by}
    if memory is not None:
        content["memory"] = dict(memory)
    return create_json(attempt.ended, content)


def correct_end(attempt: AttemptPaths, state: EndState, reason: str, by: str) -> bool:
    """Put what a batch system's books say in the place of what a rank said, whose words are kept.

    A rank sees its peer's connection break and not the node behind it. True when this call did it:
    an end is corrected once, and never one that is sealed, went well or is not there.
    """
    before = _read(attempt, "ended")
    if before is None or "before" in before or before["state"] == EndState.COMPLETED:
        return False
    if attempt.seal.is_file():
        return False
    content = {"state": state.value, "reason": reason, "t_us": before["t_us"], "by": by}
    write_json(attempt.ended, {**content, "corrected_us": wall_us(), "before": before})
    return True


def this_host() -> frozenset[str]:
    """The names under which this machine may stand in a record."""
    names = {socket.gethostname(), socket.gethostname().partition(".")[0]}
    if slurm_name := os.environ.get("SLURMD_NODENAME"):
        names.add(slurm_name)
    return frozenset(names)


def is_alive(pid: int, created_us: int) -> bool:
    """True when the process of this host that had `pid` and that start time still runs."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(process.create_time() - created_us / US_PER_S) <= _SAME_START_S
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False


def _state_of(content: Mapping[str, Any], state: str, who: str) -> AttemptState:
    """`state` unless the process that `content` names is provably gone."""
    host, pid, created_us = (content.get(name) for name in ("host", "pid", "pid_created_us"))
    if pid is None or created_us is None:
        return AttemptState(state=state, reason=None)
    if host not in this_host():
        reason = f"{who} is process {pid} of {host}, which cannot be looked at from here"
        return AttemptState(state=state, reason=reason)
    if is_alive(pid, created_us):
        return AttemptState(state=state, reason=None)
    reason = f"{who}, process {pid} of {host}, is gone without a word"
    return AttemptState(state=EndState.LOST.value, reason=reason)


def _read(attempt: AttemptPaths, name: str) -> dict[str, Any] | None:
    try:
        return read_json(attempt.folder / f"{name}.json")
    except FileNotFoundError:
        return None
