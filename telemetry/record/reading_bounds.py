"""Reading bounds: what a reading of a field can be, of any device and of a board that is known.

A value outside is a fault of the sensor and no reading: it becomes null, with the reason that is
told here, where it is read and again where shards are merged.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from telemetry.boards.reading_limits import reading_limits
from telemetry.clock import US_PER_S
from telemetry.record.fields import FIELDS, Field, Kind

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

STILL_US: Final = US_PER_S
"""A counter of energy that is the same after this long stands still: boards bring theirs up to date
every 100 ms, CPUs every millisecond, and in a second what is powered draws 500 times a counter's
millijoule."""

# Two readings of one moment may be an update of the counter apart, and stamps are off by some ms.
_SLACK_US: Final = US_PER_S
# What a field that states no bounds is held to by its unit: a source of somebody else's may name
# none. A power plant has 1e10 W.
_OF_UNIT: Final = {
    "W": (0.0, 1e10),
    "J": (0.0, 1e18),
    "B": (0.0, 1e18),
    "B/s": (0.0, 1e18),
    "MHz": (0.0, 1e6),
    # Absolute zero; tungsten melts at 3422.
    "degC": (-273.15, 3_422.0),
}
SETTINGS: Final = {
    "memory_bytes": "gpu_memory_used_bytes",
    "power_limit_w": "power_limit_w",
    "power_limit_requested_w": "power_limit_w",
    "power_limit_default_w": "power_limit_w",
    "power_limit_min_w": "power_limit_w",
    "power_limit_max_w": "power_limit_w",
    "max_sm_clock_mhz": "sm_clock_mhz",
    "max_memory_clock_mhz": "memory_clock_mhz",
}
"""Numbers of a GPU's inventory, each with the field whose bounds are its own."""

_RESTARTED: Final = "the counter began anew"
_STOOD: Final = "the counter stood still"
_LEAPT: Final = "the counter rose by more"


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What one field of one device can be."""

    field: str
    """Name in `telemetry.record.fields.FIELDS`, or of a field that is not known here."""
    unit: str
    """The field's; empty when it is not known."""
    least: float = -math.inf
    """A smaller value cannot be."""
    most: float = math.inf
    """A larger value cannot be."""
    why: str | None = None
    """What `most` is, where it is the board's; None for the field's own."""

    def fault(self, value: float) -> str | None:
        """Why `value` is no reading; None when it can be one.

        The value itself is not in it, so that a sensor that stays wild is absent once.
        """
        if math.isnan(value):
            return "the sensor gave nan, which is no number"
        if math.isinf(value):
            return "the sensor gave an infinite value, which is no number"
        if value < self.least:
            return f"the sensor gave a value below {self._text(self.least)}, which cannot be"
        if value > self.most:
            more = "" if self.why is None else f", {self.why}"
            return f"the sensor gave a value above {self._text(self.most)}{more}, which cannot be"
        return None

    def faults(self, values: Numbers) -> Flags:
        """True where a value is no reading; a value that is not a number is none."""
        # What is not a number is in no range.
        flags: Flags = ~((values >= self.least) & (values <= self.most) & np.isfinite(values))
        return flags

    def _text(self, value: float) -> str:
        return f"{value:g}" if self.unit in ("", "1") else f"{value:g} {self.unit}"


def bounds_of(name: str, gpu: Mapping[str, Any] | None = None) -> Bounds:
    """The bounds of the field `name`, of the GPU that an inventory's entry tells of.

    Without an entry, or where it tells no limit, the field's own bounds stand alone; a field that
    is not known here must be a number and no more, one that states no bounds what its unit can be.
    """
    field = FIELDS.get(name)
    if field is None:
        return Bounds(field=name, unit="")
    low, high = _OF_UNIT.get(field.unit, (-math.inf, math.inf))
    least = low if field.least is None else field.least
    most = high if field.most is None else field.most
    limit = None if gpu is None else reading_limits(gpu).get(name)
    if limit is None:
        return Bounds(field=name, unit=field.unit, least=least, most=most)
    # The table's bound stands for boards of which nothing is known.
    return Bounds(field=name, unit=field.unit, least=least, most=limit.most, why=limit.why)


def impossible(name: str, value: float, gpu: Mapping[str, Any] | None = None) -> str | None:
    """Why `value` is no reading of the field; None when it can be one."""
    return bounds_of(name, gpu).fault(value)


def impossible_values(name: str, values: Numbers, gpu: Mapping[str, Any] | None = None) -> Flags:
    """True where a value is no reading of the field."""
    return bounds_of(name, gpu).faults(values)


def impossible_setting(key: str, value: float | None) -> str | None:
    """Why a number of a GPU's inventory can be no board's; None when it can, or there is none."""
    if value is None or (reason := impossible(SETTINGS[key], float(value))) is None:
        return None
    return f"{value!r} was told: {reason}"


def is_energy_counter(field: Field | None) -> bool:
    """True for a running total of energy, which rises as long as there is power."""
    return field is not None and field.kind is Kind.COUNTER and field.unit == "J"


def breaks_counter(reason: str | None) -> bool:
    """True when a counter's values before and after a null of this reason have no difference."""
    return reason is not None and reason.startswith((_RESTARTED, _STOOD, _LEAPT))


class CounterHistory:
    """One energy counter's readings so far, which say whether the next can be.

    A reading that does not follow from the last good one is none, and its reason says that a
    difference over it is no number; the next is good when it follows from either.
    """

    def __init__(self, most_w: float) -> None:
        """`most_w` is the most power that it can count."""
        self._most_w = most_w
        self._good: tuple[int, float] | None = None
        self._doubtful: tuple[int, float] | None = None

    def interrupt(self) -> None:
        """A reading is missing whose reason is told: what follows may begin anew."""
        self._good = self._doubtful = None

    def fault(self, t_us: int, value_j: float) -> str | None:
        """Why the counter cannot show `value_j` at `t_us`; None when it can. Time must not fall."""
        now = t_us, value_j
        if self._good is None:
            self._good, self._doubtful = now, None
            return None
        reason = self._between(self._good, now)
        if reason is None:
            # A value that repeats keeps the time since when it stands.
            if value_j != self._good[1]:
                self._good = now
            self._doubtful = None
            return None
        if reason.startswith(_STOOD):
            return reason
        if self._doubtful is not None and self._between(self._doubtful, now) is None:
            self._good, self._doubtful = now, None
            return None
        self._doubtful = now
        return reason

    def follow(self, t_us: npt.NDArray[np.int64], values_j: Numbers) -> bool:
        """True when all these readings follow from the last good one and each other, as most do.

        Only then they are taken in; else each must be judged by `fault`.
        """
        if self._good is None or self._doubtful is not None:
            return False
        rises_j = np.diff(values_j, prepend=self._good[1])
        elapsed_us = np.diff(t_us, prepend=self._good[0])
        most_j = self._most_w * (elapsed_us + _SLACK_US) / US_PER_S
        if not bool(((rises_j > 0) & (rises_j <= most_j)).all()):
            return False
        self._good = int(t_us[-1]), float(values_j[-1])
        return True

    def _between(self, before: tuple[int, float], now: tuple[int, float]) -> str | None:
        elapsed_us, rise_j = now[0] - before[0], now[1] - before[1]
        if rise_j < 0:
            return f"{_RESTARTED}, from {before[1]:.3f} J to {now[1]:.3f} J"
        if rise_j == 0:
            still = elapsed_us >= STILL_US
            return f"{_STOOD} at {before[1]:.3f} J while power flowed" if still else None
        if rise_j > self._most_w * (elapsed_us + _SLACK_US) / US_PER_S:
            return f"{_LEAPT} than {self._most_w:g} W can"
        return None


def most_power_w(name: str, gpu: Mapping[str, Any] | None = None) -> float:
    """The most power that the energy counter `name` of a device can count."""
    return bounds_of(POWER_OF[name], gpu).most if name in POWER_OF else math.inf


POWER_OF: Final = {"energy_j": "power_instant_w", "zone_energy_j": "zone_power_w"}
"""By an energy counter's field that of the same device's power."""
