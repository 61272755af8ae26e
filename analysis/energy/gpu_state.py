"""GPU state: how warm and how fast a GPU was at both ends of the measured window, and what held it.

A reading counts for an edge that lies within two of its periods; a clock's mean and what held it
are those of the readings inside and of the last one before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.energy.curves import EDGE_PERIODS
from analysis.energy.uncertain import Uncertain
from analysis.runs.series import Series

TEMPERATURE: Final = "gpu_temperature_c"
SM_CLOCK: Final = "sm_clock_mhz"
THROTTLE: Final = "throttle_reasons"
STATE_FIELDS: Final = (TEMPERATURE, SM_CLOCK, THROTTLE)
"""Fields that tell of a GPU's state."""
POWER_CAP: Final = 0x4
"""The bit of a power limit that holds a clock down."""
# nvml.h of the CUDA toolkit; idle, application clocks and display clocks are what somebody chose.
HOLDS: Final = {
    # The board's own, or a cap that somebody set: the bit does not tell which.
    POWER_CAP: "power limit",
    0x8: "hardware slowdown",
    0x20: "thermal, software",
    0x40: "thermal, hardware",
    0x80: "power brake",
    0x10: "sync boost",
}
"""Bits of nvmlDeviceGetCurrentClocksEventReasons that hold a clock below what was asked for."""


@dataclass(frozen=True, kw_only=True)
class GpuState:
    """The state of one GPU around a window."""

    temperature_start: Uncertain
    """Degrees Celsius."""
    temperature_end: Uncertain
    """Degrees Celsius."""
    sm_clock_start: Uncertain
    """MHz."""
    sm_clock_end: Uncertain
    """MHz."""
    sm_clock_mean: Uncertain
    """MHz, over the readings inside the window and the last one before."""
    held_share: Uncertain
    """Share of the readings inside the window at which something held the clock down."""
    held_by: str | None
    """What did, the commonest first; None when nothing did or nothing says."""

    @property
    def reason(self) -> str | None:
        """The first reason why one of them is not known; None when all are."""
        amounts = (
            *(self.temperature_start, self.temperature_end, self.sm_clock_start),
            *(self.sm_clock_end, self.sm_clock_mean, self.held_share),
        )
        return next((amount.reason for amount in amounts if amount.reason is not None), None)


def gpu_state(
    read: Callable[[str], Series], period_us: Callable[[str], int], window_us: tuple[int, int]
) -> GpuState:
    """The state of a GPU whose readings of a field `read` gives."""

    def edge(field: str, index: int) -> Uncertain:
        return _at(read(field), window_us[index], int(EDGE_PERIODS * period_us(field)))

    def inside_of(field: str) -> Series:
        return read(field).holding(*window_us, int(EDGE_PERIODS * period_us(field)))

    inside = inside_of(SM_CLOCK)
    mean = (
        Uncertain.of(float(inside.value.mean()))
        if len(inside)
        else Uncertain.unknown(_why(read(SM_CLOCK)))
    )
    share, held_by = _held(inside_of(THROTTLE), _why(read(THROTTLE)))
    return GpuState(
        temperature_start=edge(TEMPERATURE, 0),
        temperature_end=edge(TEMPERATURE, 1),
        sm_clock_start=edge(SM_CLOCK, 0),
        sm_clock_end=edge(SM_CLOCK, 1),
        sm_clock_mean=mean,
        held_share=share,
        held_by=held_by,
    )


def _at(series: Series, t_us: int, reach_us: int) -> Uncertain:
    """The reading next to a moment, no further away than `reach_us`."""
    if not len(series):
        return Uncertain.unknown(_why(series))
    at = int(np.argmin(np.abs(series.t_us - t_us)))
    if abs(int(series.t_us[at]) - t_us) > reach_us:
        return Uncertain.unknown("no reading within two periods of the window's edge")
    return Uncertain.of(float(series.value[at]))


def _held(inside: Series, otherwise: str) -> tuple[Uncertain, str | None]:
    if not len(inside):
        return Uncertain.unknown(otherwise), None
    bits = inside.value.astype(np.int64)
    shares = {name: float(np.mean((bits & bit) != 0)) for bit, name in HOLDS.items()}
    named = sorted((name for name in shares if shares[name] > 0), key=lambda name: -shares[name])
    held = float(np.mean((bits & sum(HOLDS)) != 0))
    texts = [f"{name} {shares[name]:.0%}" for name in named]
    return Uncertain.of(held), ", ".join(texts) or None


def _why(series: Series) -> str:
    return series.null_reason or "no reading in the window"
