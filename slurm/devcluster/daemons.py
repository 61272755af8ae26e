"""Daemons: processes that the cluster started, found again and ended, and nobody else's."""

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

_POLL_S: Final = 0.02
# Sockets of this machine answer at once or not at all.
_CONNECT_S: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """A process that was started here, told apart from a later one with its pid."""

    pid: int
    started_ticks: int
    """Clock ticks from boot to its start, as in /proc/<pid>/stat."""
    uts: str
    """The UTS namespace of its node; empty for what runs under the machine's own host name."""

    @classmethod
    def of(cls, pid: int, *, on_node: bool) -> Self:
        """The process `pid`, which is running."""
        uts = uts_namespace(pid) if on_node else ""
        return cls(pid=pid, started_ticks=_started_ticks(pid) or 0, uts=uts)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The daemon recorded in `path`, None when there is none."""
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            return None

    def write(self, path: Path) -> None:
        """Record it in `path`."""
        path.write_text(json.dumps(asdict(self)))

    def alive(self) -> bool:
        """True while that very process runs."""
        return _started_ticks(self.pid) == self.started_ticks

    def end(self, sign: signal.Signals, patience_s: float) -> None:
        """Signal it and wait; kill it when it stays."""
        for number in (sign, signal.SIGKILL):
            if not self.alive():
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
            within(patience_s, lambda: not self.alive())


def uts_namespace(pid: int) -> str:
    """The UTS namespace (own host name) of a process; empty when the process is gone."""
    try:
        return str(Path(f"/proc/{pid}/ns/uts").readlink())
    except OSError:
        return ""


def kill_namespace(uts: str) -> None:
    """Kill every process of a node's UTS namespace, those that fork meanwhile too."""
    assert uts not in {"", uts_namespace(os.getpid())}, "a node's, never the machine's own"
    while members := [pid for pid in _pids() if uts_namespace(pid) == uts and _running(pid)]:
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_S)


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """True as soon as `condition` is, False when it never was."""
    deadline_s = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(_POLL_S)
    return True


def listens(path: Path) -> bool:
    """True when somebody accepts connections on the Unix socket `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_CONNECT_S)
        return client.connect_ex(str(path)) == 0


def answers(port: int) -> bool:
    """True when somebody accepts connections on this machine's TCP `port`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(_CONNECT_S)
        return client.connect_ex(("127.0.0.1", port)) == 0


def _pids() -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            yield int(entry.name)


def _running(pid: int) -> bool:
    """True unless the process is gone or a zombie that its parent has not noticed."""
    return _started_ticks(pid) is not None


def _started_ticks(pid: int) -> int | None:
    """When a process started; None when it is gone or a zombie."""
    try:
        # The program's name, in parentheses, may hold blanks: proc(5).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
