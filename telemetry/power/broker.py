"""Broker: how a watcher asks a center's root-owned part to set its job's GPUs.

The broker listens on a Unix socket and knows its caller by SO_PEERCRED alone. A message is one line
of JSON, an answer is one line of JSON, and the connection is held while the settings are wanted:
the broker puts back what was there when it closes, whatever closed it.

    {"version": 1, "do": "set", "attempt": "/path/of/attempt-001"}
    {"version": 1, "do": "release"}

The wish itself is the attempt's wish.json; the broker reads it there, as the caller's user. Its
answer has `ok` (true or false), `reason` (one line, null when ok) and `gpus`: for each GPU a
mapping of `uuid`, and by quantity of `telemetry.power.record.Quantity` a mapping of `before` and
`now`, numbers or null.
"""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SOCKET: Final = Path("/run/joulegrid/power.sock")
"""Where the broker listens when nobody says otherwise."""
VERSION: Final = 1
"""Of the protocol."""
# A card takes milliseconds and a driver that initializes seconds; a broker that hangs holds no job.
_PATIENCE_S: Final = 30.0
# An answer of sixteen GPUs with all quantities has some 8 kB.
_MOST_BYTES: Final = 1 << 18


@dataclass(frozen=True, kw_only=True)
class BrokerAnswer:
    """What the broker said to one message."""

    ok: bool
    """True where it did what was asked."""
    reason: str | None
    """Why not, in one line; None where it did."""
    gpus: tuple[Mapping[str, Any], ...]
    """What it says of each GPU: `uuid`, and by quantity `before` and `now`."""


class BrokerError(RuntimeError):
    """The broker is not there, or does not talk as it must."""


class Broker:
    """A connection to the broker; closing it gives the settings back.

    Raises:
        BrokerError: nobody listens there.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or SOCKET
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_PATIENCE_S)
        self._rest = b""
        try:
            self._socket.connect(str(self._path))
        except OSError as error:
            self._socket.close()
            raise BrokerError(f"no broker answers at {self._path}: {error.strerror}") from error

    def set(self, attempt: Path) -> BrokerAnswer:
        """Have the wish of an attempt's folder set on this job's GPUs.

        Raises:
            BrokerError: no answer came, or none that can be read.
        """
        return self._ask({"do": "set", "attempt": str(attempt.absolute())})

    def release(self) -> BrokerAnswer:
        """Have the old values put back, and hear what stands again.

        Raises:
            BrokerError: no answer came, or none that can be read.
        """
        return self._ask({"do": "release"})

    def close(self) -> None:
        """Let go; what was not released is put back by the broker now."""
        self._socket.close()

    def _ask(self, message: Mapping[str, Any]) -> BrokerAnswer:
        line = json.dumps({"version": VERSION, **message}, sort_keys=True) + "\n"
        try:
            self._socket.sendall(line.encode())
            answer = self._line()
        except OSError as error:
            raise BrokerError(f"the broker at {self._path} must answer, but: {error}") from error
        try:
            content = json.loads(answer)
            return BrokerAnswer(
                ok=content["ok"] is True,
                reason=None if content["reason"] is None else str(content["reason"]),
                gpus=tuple(dict(gpu) for gpu in content.get("gpus") or ()),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise BrokerError(
                f"the broker at {self._path} must answer a line of JSON, but: {error!r}"
            ) from error

    def _line(self) -> bytes:
        while b"\n" not in self._rest:
            if len(self._rest) > _MOST_BYTES:
                raise OSError(f"its answer is longer than {_MOST_BYTES} bytes")
            more = self._socket.recv(1 << 16)
            if not more:
                raise OSError("it closed the connection")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line
