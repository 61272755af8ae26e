"""In force: a quantity that was set is waited for until it acts, as far as a driver tells.

What is told at once may act later, or never; a sensor that opens before would read what stood.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from telemetry.power.card import SettableCard, same
from telemetry.power.record import Knob

IN_FORCE_S: Final = 2.0
"""Longest that a setting is waited for. On an H200 a limit acts within tens of milliseconds, and
sensors are told anew within 100 ms."""
LOOK_S: Final = 0.002
"""Between two looks: some in one reading of the driver's own buffer, 20 ms."""
# nvml.h has calls that set and take off such a lock, and none that tells of one.
_LOCKS: Final = (Knob.SM_CLOCK, Knob.MEMORY_CLOCK)


@dataclass(frozen=True, kw_only=True)
class InForce:
    """What was seen of a quantity after it was set."""

    value: float | None
    """In force when it was last looked at; None where no driver tells."""
    reason: str | None
    """Why there is none."""
    lacking: bool
    """True where it should be told and was not as set in its time."""


def wait_in_force(
    card: SettableCard,
    quantity: str,
    value: float,
    *,
    until_s: float | None = None,
    pause: Callable[[], None] = lambda: time.sleep(LOOK_S),
) -> InForce:
    """What is in force of a quantity once it is as set, or has had its time.

    A lock of clocks, of which no driver tells, is not waited for.

    Args:
        card: whose.
        quantity: as `Knob` names it.
        value: what it was set to.
        until_s: when its time is over, of `time.monotonic`; None: `IN_FORCE_S` from now.
        pause: goes between two looks; what it raises ends the wait.
    """
    end_s = time.monotonic() + IN_FORCE_S if until_s is None else until_s
    while True:
        stands, reason = card.in_force(quantity)
        if stands is None and quantity in _LOCKS:
            return InForce(value=None, reason=reason, lacking=False)
        if stands is not None and same(stands, value):
            return InForce(value=stands, reason=None, lacking=False)
        if time.monotonic() >= end_s:
            return InForce(value=stands, reason=reason, lacking=True)
        pause()
