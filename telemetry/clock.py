"""One steady clock for all processes of a host, so that a step of the wall clock moves nothing.

Linux' CLOCK_MONOTONIC is the same for every process of a host. The watcher reads once how far the
wall clock is ahead of it, publishes that offset, and every rank of the host stamps with it.
"""

import time
from dataclasses import dataclass
from typing import Self

_NS_PER_US = 1_000


def wall_us() -> int:
    """The wall clock, microseconds since the Unix epoch; may step."""
    return time.time_ns() // _NS_PER_US


def monotonic_us() -> int:
    """The host's monotonic clock in microseconds; never steps, counts from boot."""
    return time.monotonic_ns() // _NS_PER_US


@dataclass(frozen=True, kw_only=True)
class HostClock:
    """A host's steady clock: monotonic time plus a wall offset read once."""

    offset_us: int
    """Wall minus monotonic time when the clock was set."""

    @classmethod
    def set_now(cls) -> Self:
        """A clock that agrees with the wall clock at this moment."""
        return cls(offset_us=wall_us() - monotonic_us())

    def now_us(self) -> int:
        """Now, microseconds since the Unix epoch, steady."""
        return monotonic_us() + self.offset_us

    def from_wall_us(self, t_wall_us: int) -> int:
        """A recent stamp of the wall clock, such as a driver's, on this clock."""
        return t_wall_us - self.step_us()

    def step_us(self) -> int:
        """How far the wall clock has moved against this clock since it was set."""
        return wall_us() - self.now_us()
