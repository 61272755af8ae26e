"""Wall window: the engine's wall-clock stamps on the host's steady clock, across steps of the wall.

DCGM stamps with the wall clock and is asked for values since a wall time. A step of that clock
would lose values (forwards) or place them an hour off (backwards) if the two were taken as one.
"""

from typing import Final

from telemetry.clock import HostClock

# A stamp is taken before the driver is asked and the value stored after it, so that NVIDIA's own
# cursor passes values that are on their way: 35 of 600 at 10 Hz with a driver call of 20 ms. Asked
# again from two seconds before, none is lost.
OVERLAP_US: Final = 2_000_000
# Slewing is followed in steps of this size, so that a value stays where it was first placed.
_SLEW_US: Final = 1_000
# How far a driver's own stamp may be off the engine's.
_SLACK_US: Final = 50_000


class WallWindow:
    """From when to ask at each drain, and when its values were on the host's clock."""

    def __init__(self, clock: HostClock, *, since_us: int) -> None:
        """Nothing from before `since_us`, on the host's clock, is let through."""
        self._clock = clock
        self._since_us = since_us
        self._step_us = self._earlier_step_us = clock.step_us()
        self._stepped_us = self._from_us = self._now_us = since_us

    def open(self) -> int:
        """A new drain: the wall time to ask from, `OVERLAP_US` before the drain before."""
        step_us = self._clock.step_us()
        self._from_us = max(self._now_us - OVERLAP_US, self._since_us)
        self._now_us = self._clock.now_us()
        if abs(step_us - self._step_us) > _SLEW_US:
            self._earlier_step_us, self._step_us = self._step_us, step_us
            self._stepped_us = self._now_us
        elif self._from_us > self._stepped_us:
            self._earlier_step_us = self._step_us
        return self._from_us + min(self._step_us, self._earlier_step_us)

    def steady_us(self, t_wall_us: int) -> int | None:
        """When a value of this drain was stamped; None when that is before the watch."""
        t_us = t_wall_us - self._step_us
        if not self._holds(t_us) and self._holds(t_wall_us - self._earlier_step_us):
            t_us = t_wall_us - self._earlier_step_us
        return t_us if t_us >= self._since_us else None

    def _holds(self, t_us: int) -> bool:
        return self._from_us - _SLACK_US <= t_us <= self._now_us + _SLACK_US
