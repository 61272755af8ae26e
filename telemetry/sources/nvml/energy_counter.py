"""Energy counter: a rank's own look at its GPU's energy counter, beside and without any watcher."""

from typing import Any, Final, Self

import pynvml

from telemetry.sources.nvml.library import Driver, reason_of

_J_PER_MJ: Final = 1e-3


class EnergyCounter:
    """The energy counter of one GPU as this process reads it, open until `close`.

    A call takes about 3 ms on an H200, and the counter moves every 100 ms.

    Raises:
        RuntimeError: there is no driver, or no such GPU.
    """

    def __init__(self, uuid: str) -> None:
        self._driver = Driver()
        try:
            self._handle: Any = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        except pynvml.NVMLError as error:
            self._driver.close()
            raise RuntimeError(f"GPU {uuid} must be there, but: {reason_of(error)}") from error

    def energy_j(self) -> float:
        """The counter now.

        Raises:
            RuntimeError: there is no reading; the message is the reason.
        """
        try:
            return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) * _J_PER_MJ
        except pynvml.NVMLError as error:
            raise RuntimeError(reason_of(error)) from error

    def close(self) -> None:
        """Let go of NVML."""
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
