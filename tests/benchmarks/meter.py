"""Meter: power and energy of some GPUs between two moments, by the driver's 50 Hz samples.

It reads in a thread of the process that only waits, so that no contender pays for being measured.
"""

import threading
import time
from typing import Any, Final

import numpy as np
import pynvml

from telemetry.clock import HostClock
from telemetry.sources.nvml.library import Driver
from telemetry.sources.nvml.power_samples import SampleBuffer

# Well inside the 2.4 s that the driver keeps its samples.
_DRAIN_S: Final = 0.5
# A sample is in the driver's buffer within a tenth of a second; after ten of these it is missing.
_LATEST_S: Final = 1.0


class Meter:
    """GPUs by UUID, watched from `open` to `close`; times are on the host's monotonic clock."""

    def __init__(self, uuids: list[str]) -> None:
        self._driver = Driver()
        self._clock = HostClock.set_now()
        self._boards: list[tuple[Any, SampleBuffer, list[tuple[int, float]]]] = []
        for uuid in uuids:
            handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
            buffer = SampleBuffer(handle, pynvml.NVML_TOTAL_POWER_SAMPLES, 1e-3, self._clock)
            buffer.skip_until(self._clock.now_us())
            self._boards.append((handle, buffer, []))
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._drain_on, daemon=True)
        self._thread.start()

    def counter_j(self) -> float:
        """The sum of the GPUs' energy counters now; they move every 100 ms."""
        return sum(
            float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) * 1e-3
            for handle, _, _ in self._boards
        )

    def energy_j(self, intervals_us: list[tuple[int, int]]) -> float | None:
        """Energy of all GPUs within those intervals; None where a sample is missing."""
        self._wait_until(max(end_us for _, end_us in intervals_us) + self._clock.offset_us)
        total_j = 0.0
        for _, _, rows in self._boards:
            at_us, power_w = np.array([t for t, _ in rows]), np.array([p for _, p in rows])
            for start_us, end_us in intervals_us:
                start, end = start_us + self._clock.offset_us, end_us + self._clock.offset_us
                inside = (at_us > start) & (at_us < end)
                # Ends between samples, or the power there is a guess.
                if not len(at_us) or at_us[0] > start or at_us[-1] < end:
                    return None
                edges = np.concatenate(([start], at_us[inside], [end]))
                total_j += float(np.trapezoid(np.interp(edges, at_us, power_w), edges / 1e6))
        return total_j

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join()
        self._driver.close()

    def _wait_until(self, t_us: int) -> None:
        """Until the driver has told of a moment that is just over, or does not."""
        last_s = time.monotonic() + _LATEST_S
        while True:
            self._drain()
            told = all(rows and rows[-1][0] >= t_us for _, _, rows in self._boards)
            if told or time.monotonic() > last_s:
                return
            time.sleep(0.02)

    def _drain_on(self) -> None:
        while not self._stop.wait(_DRAIN_S):
            self._drain()

    def _drain(self) -> None:
        with self._lock:
            for _, buffer, rows in self._boards:
                rows.extend(buffer.drain())
