"""Phase channel: a rank tells its node's watcher which phase begins, and hears what became of it.

A name of the kernel's own, not of a file system, which goes with the watcher: one of the same
user alone is heard. One line of JSON asks, one answers, in order.
"""

import contextlib
import json
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from telemetry.power.phases import PHASES

# A phase's edge must not wait for a watcher that hangs; a switch waits 2 s for its read-back.
_ANSWER_S: Final = 30.0
_LINE_BYTES: Final = 4096
# An answer names a fault, and a rule of two sentences at most.
_ANSWER_BYTES: Final = 16 * _LINE_BYTES
_AGAIN_S: Final = 0.02
_CREDENTIALS: Final = struct.Struct("3i")
Do = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class PhaseServer:
    """The watcher's end: a thread that does what it is asked, one at a time.

    Raises:
        RuntimeError: somebody else listens under its name.
    """

    def __init__(self, folder: Path, host: str, do: Do) -> None:
        self._do = do
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(_address(folder, host))
        except OSError as error:
            self._listener.close()
            raise RuntimeError(
                f"the watcher of {host} must be the one that its ranks ask for phases, but "
                f"another process listens under its name: {error.strerror}"
            ) from error
        self._listener.listen(1)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="phases", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more; returns when nothing is being set."""
        self._stopping.set()
        # Wakes a thread that waits for somebody.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                asker, _ = self._listener.accept()
            except OSError:
                # Of a name that is closed, or of a process that has no descriptor left just now.
                self._stopping.wait(_AGAIN_S)
                continue
            with asker, contextlib.suppress(OSError):
                if _is_own(asker):
                    self._answer(asker)

    def _answer(self, asker: socket.socket) -> None:
        asker.settimeout(0.1)
        rest = b""
        while not self._stopping.is_set():
            try:
                data = asker.recv(_LINE_BYTES)
            except TimeoutError:
                continue
            if not data:
                return
            rest += data
            while b"\n" in rest:
                line, _, rest = rest.partition(b"\n")
                asker.sendall(json.dumps(self._told(line)).encode() + b"\n")
            if len(rest) > _LINE_BYTES:
                return

    def _told(self, line: bytes) -> Mapping[str, Any]:
        try:
            asked = json.loads(line)
            if not isinstance(asked, dict):
                raise ValueError(f"a wish must be an object, but is {line!r} instead")
            return self._do(asked)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
            return {"fault": " ".join(str(error).split()) or repr(error)}


class PhaseClient:
    """A rank's end.

    Raises:
        RuntimeError: the node's watcher does not switch.
    """

    def __init__(self, folder: Path, host: str) -> None:
        self._host = host
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._rest = b""
        # A name that a stranger has taken may never be answered to.
        self._socket.settimeout(_ANSWER_S)
        try:
            self._socket.connect(_address(folder, host))
        except OSError as error:
            self._socket.close()
            raise RuntimeError(
                f"the watcher of {host} must switch its GPUs between phases, but does not listen: "
                f"{error.strerror or error}"
            ) from error
        # Anybody may have taken the name of a watcher that is not there yet or no more.
        if not _is_own(self._socket):
            self._socket.close()
            raise RuntimeError(
                f"the watcher of {host} must be this user's, but another user's process listens "
                "under its name"
            )

    def measure(self) -> None:
        """Ask for the delay to be measured; the answer comes when it was."""
        self._ask({"do": "measure"})

    def decide(self, phases_us: Mapping[str, int]) -> None:
        """Ask whether phases that lasted so long may be switched."""
        self._ask({"do": "decide", "phases_us": dict(phases_us)})

    def switch(self, phase: str, batch: int, asked_us: int) -> None:
        """Ask for a phase's settings; returns at once."""
        assert phase in PHASES
        self._ask({"do": "switch", "phase": phase, "batch": batch, "asked_us": asked_us})

    def answered(self) -> bool:
        """True where an answer has come."""
        return bool(self._rest) or bool(select.select([self._socket], [], [], 0.0)[0])

    def fault(self) -> str | None:
        """The next answer: what is wrong with what was asked, None where all is well."""
        self._socket.settimeout(_ANSWER_S)
        try:
            while b"\n" not in self._rest:
                if not (data := self._socket.recv(_LINE_BYTES)):
                    raise ConnectionResetError
                self._rest += data
                if len(self._rest) > _ANSWER_BYTES:
                    return f"the watcher of {self._host} must answer in a line, but does not end it"
        except ConnectionResetError:
            return self._gone
        except OSError as error:
            return f"the watcher of {self._host} must switch its GPUs, but: {error}"
        line, _, self._rest = self._rest.partition(b"\n")
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            return f"the watcher of {self._host} must answer with an object, but did with {line!r}"
        return None if (fault := told.get("fault")) is None else str(fault)

    def ended(self) -> str | None:
        """What is wrong where the watcher has died since it last answered; None where it lives.

        One that follows it sets the GPUs anew, and knows of no phase.
        """
        if not select.select([self._socket], [], [], 0.0)[0]:
            return None
        try:
            return None if self._socket.recv(1, socket.MSG_PEEK) else self._gone
        except OSError:
            return self._gone

    @property
    def _gone(self) -> str:
        return f"the watcher of {self._host} must switch its GPUs, but ended instead"

    def close(self) -> None:
        """Ask no more."""
        self._socket.close()

    def _ask(self, asked: Mapping[str, Any]) -> None:
        # A watcher that is gone says so where its answer is waited for.
        with contextlib.suppress(OSError):
            self._socket.sendall(json.dumps(asked).encode() + b"\n")


def _address(folder: Path, host: str) -> str:
    place = folder.stat()
    return f"\0joulegrid/{place.st_dev}/{place.st_ino}/{host}/phases"


def _is_own(other: socket.socket) -> bool:
    """True of a process of this very user: names of the kernel's have no permissions."""
    told = other.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(told)[1] == os.geteuid())
