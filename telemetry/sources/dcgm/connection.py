"""Where an engine is, who listens there, and a connection to it."""

import socket
from collections.abc import Mapping
from typing import Any, Final

from telemetry.sources.dcgm.bindings import DcgmBindings

DEFAULT_ADDRESS: Final = "127.0.0.1:5555"
"""Where nv-hostengine listens unless told otherwise (its option --port)."""

# An engine of this host answers in milliseconds.
_CONNECT_MS: Final = 3_000


def connect(
    bindings: DcgmBindings, address: str | None, *, embed: bool
) -> tuple[Any, Mapping[str, Any]]:
    """A DcgmHandle and what it is connected to, for the record.

    Without an address the default one is asked; where nobody listens there, `embed` allows an
    engine in this process. Two engines on one node disturb each other (github.com/NVIDIA/DCGM,
    issue 108), so none is started beside one that does not answer.

    Raises:
        RuntimeError: nobody listens there, or somebody who is no engine.
    """
    asked = address or DEFAULT_ADDRESS
    problem = probe(asked)
    if problem is None:
        place = {"unixSocketPath": asked} if asked.startswith("/") else {"ipAddress": asked}
        try:
            handle = bindings.pydcgm.DcgmHandle(
                timeoutMs=_CONNECT_MS, persistAfterDisconnect=False, **place
            )
        except bindings.error as error:
            raise RuntimeError(
                f"something listens at {asked}, but is no engine that libdcgm "
                f"{bindings.version} can talk to: {error}"
            ) from error
        return handle, {"engine": asked, "embedded": False}
    if address is not None:
        raise RuntimeError(f"`dcgm_address` must be an nv-hostengine, but {problem}")
    if not embed:
        raise RuntimeError(f"no nv-hostengine runs here: {problem}")
    handle = bindings.pydcgm.DcgmHandle(opMode=bindings.structs.DCGM_OPERATION_MODE_AUTO)
    return handle, {"engine": "embedded", "embedded": True, "embedded_because": problem}


def probe(address: str) -> str | None:
    """Why nobody can be reached at `address`, `host:port` or a socket's path; None if somebody."""
    timeout_s = _CONNECT_MS / 1_000
    try:
        if address.startswith("/"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as unix:
                unix.settimeout(timeout_s)
                unix.connect(address)
        else:
            host, _, port = address.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), timeout_s).close()
    except (OSError, OverflowError) as error:
        return f"{address} cannot be reached: {error}"
    return None
