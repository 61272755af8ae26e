"""Double of DCGM's pydcgm: the handle."""
# ruff: noqa: N802, N803, PLR0917, ARG002 -- the names and their order are NVIDIA's

from typing import Any

import dcgm_structs  # type: ignore[import-not-found]
import double_engine  # type: ignore[import-not-found]


class DcgmHandle:
    """A connection, or an engine of this process where no address is given."""

    def __init__(
        self,
        handle: Any = None,
        ipAddress: str | None = None,
        opMode: int = dcgm_structs.DCGM_OPERATION_MODE_AUTO,
        persistAfterDisconnect: bool = False,
        unixSocketPath: str | None = None,
        timeoutMs: int = 0,
    ) -> None:
        assert handle is None
        assert not persistAfterDisconnect, "watches would stay in the engine for ever"
        if ipAddress is not None and unixSocketPath is not None:
            raise dcgm_structs.DCGMError(dcgm_structs.DCGM_ST_BADPARAM)
        self.handle = double_engine.ENGINE.connect(ipAddress or unixSocketPath)

    def Shutdown(self) -> None:
        if self.handle is not None:
            double_engine.ENGINE.disconnect(self.handle)
        self.handle = None
