"""Schedule: how often each reading of a GPU is asked for, of the driver or of an engine.

A question costs its caller 0.04 to 4.5 ms of CPU inside the driver of an H200 (the table is in
tests/benchmarks/NOTES.md): at 10 Hz each, the readings of eight GPUs take a fifth of a core. What
the driver or the board adds up by itself loses nothing when it is fetched seldom; a level is asked
for as often as it can tell something new about an energy.
"""

from collections.abc import Mapping
from typing import Final

from telemetry.clock import US_PER_S

_LEAST_US: Final[Mapping[str, int]] = {
    # The driver keeps 2.4 s (0.7 ms a drain). A watcher that dies just before a drain has rows on
    # disk up to the drain before, as these are written at once: once a second leaves the next one
    # 1.4 s to start in and lose nothing.
    "power_sample_w": US_PER_S,
    # A GPU that fails ends the run: its reason should be on record before.
    "xid": US_PER_S,
    # What moves with the work, and at 0.04 to 0.09 ms each. The driver's own buffer of utilization
    # has all of its 5 values a second, but each of its two drains costs 2.8 ms.
    "gpu_utilization": 2 * US_PER_S,
    "memory_copy_utilization": 2 * US_PER_S,
    "sm_clock_mhz": 2 * US_PER_S,
    "throttle_reasons": 2 * US_PER_S,
    "gpu_memory_used_bytes": 2 * US_PER_S,
    # Beside 50 power samples a second these show what the sensor's own means are, no more.
    "power_instant_w": 5 * US_PER_S,
    "power_average_w": 5 * US_PER_S,
    # A heat sink takes tens of seconds to follow; a memory clock changes when the board goes idle.
    "gpu_temperature_c": 5 * US_PER_S,
    "memory_temperature_c": 5 * US_PER_S,
    "memory_clock_mhz": 5 * US_PER_S,
    # Means since the last look: seldom looks lose detail in time, and no activity. One look at all
    # of them costs 2.3 ms.
    **dict.fromkeys(
        (
            "graphics_active",
            "sm_active",
            "sm_occupancy",
            "tensor_active",
            "dram_active",
            "pcie_tx_bytes_per_s",
            "pcie_rx_bytes_per_s",
            "nvlink_tx_bytes_per_s",
            "nvlink_rx_bytes_per_s",
        ),
        10 * US_PER_S,
    ),
    # Somebody sets them, or nobody does; the requested one costs 0.55 ms.
    "power_limit_w": 30 * US_PER_S,
    "power_limit_requested_w": 30 * US_PER_S,
    # The dearest of all: 3.4 to 4.5 ms. Beside 50 power samples a second it is the check on their
    # sum; every rank reads its own GPU's at the edges of its spans, the watcher all at its ends.
    "energy_j": 30 * US_PER_S,
}

# Where the driver keeps no power samples these carry the energy: power as often as is asked, and
# the counter once a second, as its call is the dearest of all.
_LEAST_ALONE_US: Final[Mapping[str, int]] = {
    "power_instant_w": 0,
    "power_average_w": 0,
    "energy_j": US_PER_S,
}


def cadence_us(name: str, period_us: int, *, sampled: bool) -> int:
    """Time between two questions for the reading `name` where `period_us` was asked for.

    `sampled` is true while the driver's own power samples of that GPU are taken as well.
    """
    least_us = _LEAST_US.get(name, 0)
    if not sampled:
        least_us = _LEAST_ALONE_US.get(name, least_us)
    return max(period_us, least_us)


class Schedule:
    """When several things are due next, each on a schedule of its own that never drifts."""

    def __init__(self, slack_us: int) -> None:
        """Whatever is due within `slack_us` is due now: the next look would be later."""
        self._slack_us = slack_us
        self._due_us: dict[str, int] = {}
        self._period_us: dict[str, int] = {}

    def take(self, name: str, period_us: int, now_us: int) -> bool:
        """True when it is the turn of `name`, which comes again every `period_us`.

        The first turn is at once. A period shorter than last time's takes effect at once.
        """
        due_us = self._due_us.get(name, now_us)
        if period_us < self._period_us.get(name, period_us):
            due_us = min(due_us, now_us + period_us)
        self._period_us[name] = period_us
        soon_us = now_us + self._slack_us
        if is_due := soon_us >= due_us:
            due_us += ((soon_us - due_us) // period_us + 1) * period_us
        self._due_us[name] = due_us
        return is_due

    def nobodys(self, now_us: int) -> bool:
        """True when it is nobody's turn of those that have had one."""
        return bool(self._due_us) and now_us + self._slack_us < min(self._due_us.values())

    def put_off(self, name: str, until_us: int) -> None:
        """Give `name`, if it has turns of its own, its next one at that time."""
        if name in self._due_us:
            self._due_us[name] = until_us

    def hurry(self, now_us: int) -> None:
        """Give everything its turn now."""
        self._due_us = dict.fromkeys(self._due_us, now_us)
