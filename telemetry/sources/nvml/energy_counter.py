"""Energy counter: a rank's own look at its GPU's energy counter, beside and without any watcher."""

from typing import Any, Final, Self

import pynvml

from telemetry.clock import monotonic_us
from telemetry.record.reading_bounds import CounterHistory, impossible, most_power_w
from telemetry.sources.nvml.library import Driver, reason_of

_J_PER_MJ: Final = 1e-3
_FIELD: Final = "energy_j"


class EnergyCounter:
    """The energy counter of one GPU as this process reads it, open until `close`.

    A call takes about 3 ms on an H200, and the counter moves every 100 ms.

    Raises:
        RuntimeError: there is no driver, or no such GPU.
    """

    def __init__(self, uuid: str) -> None:
        self._driver = Driver()
        self._history = CounterHistory(most_power_w(_FIELD))
        try:
            self._handle: Any = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        except pynvml.NVMLError as error:
            self._driver.close()
            raise RuntimeError(f"GPU {uuid} must be there, but: {reason_of(error)}") from error

    def energy_j(self) -> float:
        """The counter now.

        Raises:
            RuntimeError: there is no reading, or it cannot be; the message is the reason.
        """
        try:
            told_mj = pynvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)
        except pynvml.NVMLError as error:
            # A driver that is loaded again meanwhile begins anew.
            self._history.interrupt()
            raise RuntimeError(reason_of(error)) from error
        energy_j = float(told_mj) * _J_PER_MJ
        reason = impossible(_FIELD, energy_j) or self._history.fault(monotonic_us(), energy_j)
        if reason is not None:
            raise RuntimeError(reason)
        return energy_j

    def close(self) -> None:
        """Let go of NVML."""
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
