"""Cadence: how often each reading of a GPU is asked for, of the driver or of an engine.

A question that no cache answers costs 0.05 to 0.7 ms of CPU inside the driver of an H200, and the
energy counter 4.3 ms (tests/benchmarks/NOTES.md): at 10 Hz each, twenty readings of eight GPUs
would take a tenth of a core. What the driver or the board adds up by itself loses nothing when it
is fetched seldom; a level is asked for as often as it can tell something new about an energy.
"""

from collections.abc import Mapping
from typing import Final

_US_PER_S: Final = 1_000_000

# The driver keeps 2.4 s of power. A watcher that dies just before a drain has rows on disk up to
# the drain before, as these are written at once: once a second leaves the next one 1.4 s to start.
# Means since the last look (monitors) and the driver's own running means (utilization, power by
# field id) tell of all or most of a second; the spans that an energy is attributed to are longer.
_EVERY_SECOND_US: Final = _US_PER_S
# A heat sink takes tens of seconds to follow; a memory clock changes when the board goes idle.
_SLOW_US: Final = 5 * _US_PER_S
# Settings: somebody changes them, or nobody does.
_SETTING_US: Final = 10 * _US_PER_S
# Beside 50 power samples a second the counter is the check on their sum, not what tells in time:
# every rank reads its own at the edges of its spans, and 100 ms of its update in 10 s are 1 %.
_CHECK_US: Final = 10 * _US_PER_S

_LEAST_US: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        (
            "power_sample_w",
            "power_instant_w",
            "power_average_w",
            "gpu_utilization",
            "memory_copy_utilization",
            "sm_clock_mhz",
            "throttle_reasons",
            "gpu_memory_used_bytes",
            "xid",
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
        _EVERY_SECOND_US,
    ),
    **dict.fromkeys(("gpu_temperature_c", "memory_temperature_c", "memory_clock_mhz"), _SLOW_US),
    **dict.fromkeys(("power_limit_w", "power_limit_requested_w"), _SETTING_US),
    "energy_j": _CHECK_US,
}

# Where the driver keeps no power samples these carry the energy: power as often as is asked, and
# the counter once a second, as its call is the dearest of all.
_LEAST_ALONE_US: Final[Mapping[str, int]] = {
    "power_instant_w": 0,
    "power_average_w": 0,
    "energy_j": _EVERY_SECOND_US,
}


def cadence_us(name: str, period_us: int, *, sampled: bool) -> int:
    """Time between two questions for the reading `name` where `period_us` was asked for.

    `sampled` is true while the driver's own power samples of that GPU are taken as well.
    """
    least_us = _LEAST_US.get(name, 0)
    if not sampled:
        least_us = _LEAST_ALONE_US.get(name, least_us)
    return max(period_us, least_us)


class Turns:
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

    def put_off(self, name: str, until_us: int) -> None:
        """Give `name` its next turn at that time."""
        self._due_us[name] = until_us

    def hurry(self) -> None:
        """Give everything its turn now."""
        self._due_us.clear()
