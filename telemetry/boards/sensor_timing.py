"""Sensor timing: how often a board's power readings change, and what they average over.

Measured by Z. Yang, K. Adamek and W. Armour (arXiv 2312.02741; data: Overall_Results.xlsx of
github.com/JimZeyuYang/GPU_Power_Benchmark) against external meters, by architecture; what that work
does not have is marked with where it comes from. A board whose sensor nobody measured is taken to
behave as the slowest of those that are, but for update periods measured on the board itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from telemetry.clock import US_PER_MS

_YANG: Final = "arXiv 2312.02741"

POWER_SAMPLE: Final = "power_sample_w"
"""The driver's own buffer of power samples."""
POWER_INSTANT: Final = "power_instant_w"
POWER_AVERAGE: Final = "power_average_w"
POWER_FIELDS: Final = (POWER_SAMPLE, POWER_INSTANT, POWER_AVERAGE)
"""Readings of a board's power, the finest in time first."""
COUNTER: Final = "energy_j"
"""The board's own running total."""
TIMED_FIELDS: Final = (*POWER_FIELDS, COUNTER)

# The first driver branch whose average is the one-second one again on Ampere and Ada; branch 530
# alone gave 100 ms (arXiv 2312.02741).
_SHORT_AVERAGE_BRANCH: Final = "530"
# NVIDIA's drivers bring the counter up to date about every 100 ms (nvrm_registry.h of
# github.com/NVIDIA/open-gpu-kernel-modules); 100 ms was read off an H200 too.
_COUNTER_UPDATE_MS: Final = 100
# Proportional error of a board's power in steady state, different for each board of one product
# (arXiv 2312.02741).
GAIN_SHARE: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How one reading behaves in time."""

    update_us: int
    """Time between two new values."""
    window_us: int
    """Time before its stamp that one value is the mean of; 0 for a running total."""

    def __post_init__(self) -> None:
        if self.update_us <= 0 or self.window_us < 0:
            raise ValueError(
                "`update_us` must be above 0 and `window_us` at least 0, but are "
                f"{self.update_us} and {self.window_us} instead"
            )

    @classmethod
    def of_ms(cls, update_ms: int, window_ms: int) -> "Timing":
        """The same in milliseconds, as papers give it."""
        return cls(update_us=update_ms * US_PER_MS, window_us=window_ms * US_PER_MS)

    @property
    def resolution_us(self) -> int:
        """The shortest time that two neighbouring values tell apart."""
        return max(self.update_us, self.window_us)


@dataclass(frozen=True, kw_only=True)
class SensorTiming:
    """How the power readings of one architecture behave: a line of the table of sensors."""

    architecture: str
    """The line's name."""
    instant: Timing
    """Of the instantaneous reading."""
    average: Timing
    """Of the average; boards without one of their own give the instantaneous value for it."""
    source: str = _YANG
    """Where the figures come from."""
    short_average: bool = False
    """True where driver branch 530 gave the instantaneous reading as the average."""

    def timings(self, driver: str | None = None, sample: Timing | None = None) -> dict[str, Timing]:
        """By field; `sample` is the buffer's, which is as slow as the instant where it is None."""
        branch = str(driver or "").partition(".")[0]
        short = self.short_average and branch == _SHORT_AVERAGE_BRANCH
        return {
            POWER_SAMPLE: sample or self.instant,
            POWER_INSTANT: self.instant,
            POWER_AVERAGE: self.instant if short else self.average,
            COUNTER: Timing.of_ms(_COUNTER_UPDATE_MS, 0),
        }


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """How the readings of one board behave."""

    architecture: str
    """Line of the table of sensors; `unknown` when it is in none."""
    source: str
    """Where the figures come from; for an unknown board the rule that stands in."""
    timings: Mapping[str, Timing]
    """By field: every field of `POWER_FIELDS`, and the counter."""
    gain_share: float = GAIN_SHARE
    """How far a board's power may be off in proportion, as a share."""
    known: bool = True
    """False: no board of that name was measured against a meter, and a rule stands in."""


PASCAL: Final = SensorTiming(
    architecture="Pascal", instant=Timing.of_ms(20, 10), average=Timing.of_ms(20, 10)
)
VOLTA: Final = SensorTiming(
    architecture="Volta", instant=Timing.of_ms(20, 10), average=Timing.of_ms(20, 10)
)
TURING: Final = SensorTiming(
    architecture="Turing", instant=Timing.of_ms(100, 100), average=Timing.of_ms(100, 100)
)
AMPERE_GA100: Final = SensorTiming(
    architecture="Ampere GA100", instant=Timing.of_ms(100, 25), average=Timing.of_ms(100, 25)
)
AMPERE: Final = SensorTiming(
    architecture="Ampere",
    instant=Timing.of_ms(100, 100),
    average=Timing.of_ms(100, 1000),
    short_average=True,
)
ADA: Final = SensorTiming(
    architecture="Ada",
    instant=Timing.of_ms(100, 100),
    average=Timing.of_ms(100, 1000),
    short_average=True,
)
HOPPER_GH100: Final = SensorTiming(
    architecture="Hopper GH100", instant=Timing.of_ms(100, 25), average=Timing.of_ms(100, 1000)
)
# GH200's instantaneous reading covers 20 of 100 ms and mixes the board's processor in.
GRACE_HOPPER: Final = SensorTiming(
    architecture="Grace Hopper",
    instant=Timing.of_ms(100, 20),
    average=Timing.of_ms(100, 1000),
    source=f"{_YANG}; readings are the whole module's",
)
SENSOR_TIMINGS: Final = (
    *(PASCAL, VOLTA, TURING, AMPERE_GA100, AMPERE, ADA, HOPPER_GH100, GRACE_HOPPER),
)
"""The table of sensors, oldest architecture first."""


def stand_in(update_us: Mapping[str, int]) -> dict[str, Timing]:
    """The timing of a board whose sensor is in no table; `update_us` is what was measured on it.

    A field that was not measured is as slow as the slowest. A measured period says nothing of what
    a value averages over: as long as the longest, and no shorter than the period itself.
    """
    lines = [line.timings() for line in SENSOR_TIMINGS]
    timings = {}
    for field in TIMED_FIELDS:
        window_us = max(line[field].window_us for line in lines)
        period_us = update_us.get(field)
        if period_us is None:
            period_us = max(line[field].update_us for line in lines)
        elif field != COUNTER:
            window_us = max(window_us, period_us)
        timings[field] = Timing(update_us=period_us, window_us=window_us)
    return timings


def read_update_us(content: object) -> dict[str, int]:
    """Update periods that a record holds, by field; what is no period of a timed field is left."""
    periods: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
    return {
        field: int(periods[field])
        for field in TIMED_FIELDS
        if isinstance(periods.get(field), int | float)
        and not isinstance(periods[field], bool)
        and periods[field] >= 1
    }
