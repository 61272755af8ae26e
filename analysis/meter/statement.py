"""Statement: what is stated of an outside meter: units, clock, what it covers, calibration."""

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

POWER_UNITS: Final[Mapping[str, float]] = {"W": 1.0, "kW": 1e3, "mW": 1e-3}
"""Watts in each unit that a log may tell power in."""
ENERGY_UNITS: Final[Mapping[str, float]] = {
    **{"J": 1.0, "kJ": 1e3, "mJ": 1e-3, "uJ": 1e-6},
    **{"Wh": 3600.0, "kWh": 3.6e6},
}
"""Joules in each unit that a log may tell energy in."""
TIME_UNITS: Final[Mapping[str, int]] = {"s": 0, "ms": 3, "us": 6, "ns": 9}
"""Decimal places of a second of each unit that a log may count time since 1970 in."""
ISO: Final = "iso"
"""Time that is written as ISO 8601 has it, or as `time_format` says."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_FIRST_CHARACTERS: Final = 200


class Boundary(StrEnum):
    """What flows through the meter."""

    GPU = "gpu"
    """The covered GPUs alone."""
    NODE = "node"
    """Whole nodes: processors, memory, fans and power supplies too."""
    RACK = "rack"
    """Whole nodes and what else is in their rack."""
    SHARE = "share"
    """More than what is covered, of which the user states the share."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What its user states of a meter and its log; nothing of it can be seen in the log itself."""

    name: str
    """What the meter is called beside the runs."""
    boundary: Boundary
    """What flows through it."""
    covers: tuple[str, ...]
    """UUIDs of GPUs, or names of hosts whose GPUs are meant."""
    time_column: str
    """Header of the times."""
    time_unit: str
    """One of `TIME_UNITS`, counted from 1970-01-01 in UTC, or `iso`."""
    zone: str | None = None
    """Zone of written times that name none, as the IANA has it; None: each names its own."""
    time_format: str | None = None
    """How times are written, as strptime has it; None: ISO 8601."""
    power_column: str | None = None
    """Header of the power; None when the log has none."""
    power_unit: str = "W"
    """One of `POWER_UNITS`."""
    power_mean_s: float = 0.0
    """Seconds before its time that each power is a mean of; 0: it is of the moment."""
    energy_column: str | None = None
    """Header of a running total of energy; None when the log has none."""
    energy_unit: str = "J"
    """One of `ENERGY_UNITS`."""
    share: float = 1.0
    """Part of what flows through it that belongs to what is covered."""
    gain: float = 1.0
    """By its calibration: a true value is gain x reading + offset."""
    offset_w: float = 0.0
    """By its calibration: what is added to each power, in watts."""
    accuracy_share: float | None = None
    """Expanded uncertainty (k = 2) of its readings as a share, by its certificate or class; None:
    nobody states it."""
    certificate: str | None = None
    """Who calibrated it, when and under which number; None: nobody states it."""
    clock_offset_s: float | None = None
    """How far the meter's clock is ahead of the record's; None: estimated from both traces."""
    clock_uncertainty_s: float | None = None
    """Expanded uncertainty (k = 2) of that; None where it is estimated."""
    most_offset_s: float = 60.0
    """How far apart the clocks may be where their offset is estimated."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "`name` must be up to 64 letters, digits, `_`, `.` and `-`, "
                f"but is {self.name[:_FIRST_CHARACTERS]!r} instead"
            )
        if not self.covers:
            raise ValueError("`covers` must name a host or a GPU, but names none")
        if self.power_column is None and self.energy_column is None:
            raise ValueError("`power` or `energy` must name a column, but neither does")
        _one_of("time_unit", self.time_unit, (*TIME_UNITS, ISO))
        _one_of("power_unit", self.power_unit, POWER_UNITS)
        _one_of("energy_unit", self.energy_unit, ENERGY_UNITS)
        if self.time_unit != ISO and (self.zone is not None or self.time_format is not None):
            raise ValueError(
                "`zone` and `time_format` must be left out where `time_unit` counts from 1970, "
                f"but are {self.zone!r} and {self.time_format!r} with {self.time_unit} instead"
            )
        if (self.clock_offset_s is None) != (self.clock_uncertainty_s is None):
            raise ValueError(
                "`clock_offset` and `clock_uncertainty` must be stated together, "
                f"but are {self.clock_offset_s} and {self.clock_uncertainty_s} instead"
            )
        _within("share", self.share, 0.0, 1.0)
        if (self.boundary is Boundary.SHARE) == (self.share == 1.0):
            raise ValueError(
                "`share` must be below 1 where `boundary` is share, and nowhere else, "
                f"but is {self.share:g} with {self.boundary.value} instead"
            )
        # A gain beyond a factor of ten is a unit, which has a word of its own.
        _within("gain", self.gain, 0.1, 10.0)
        _within("offset_w", self.offset_w, -1e5, 1e5)
        _within("power_mean", self.power_mean_s, 0.0, 3600.0)
        # Clocks that are hours apart are in two zones.
        _within("most_offset", self.most_offset_s, 0.0, 1800.0)
        if self.accuracy_share is not None:
            _within("accuracy", self.accuracy_share, 0.0, 0.5)
        if self.clock_offset_s is not None and self.clock_uncertainty_s is not None:
            _within("clock_offset", self.clock_offset_s, -1e6, 1e6)
            _within("clock_uncertainty", self.clock_uncertainty_s, 0.0, 1e3)

    @property
    def whole(self) -> bool:
        """True where nothing but GPUs flows through it: then ours must be equal, else less."""
        return self.boundary is Boundary.GPU

    def to_mapping(self) -> dict[str, Any]:
        """Its JSON form."""
        return {
            **dataclasses.asdict(self),
            "boundary": self.boundary.value,
            "covers": list(self.covers),
        }

    @classmethod
    def from_mapping(cls, content: object) -> Self:
        """A statement that was kept.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(content, dict):
            raise ValueError(f"`statement` must be an object, but is {type(content).__name__}")
        known = {one.name: one for one in dataclasses.fields(cls)}
        if set(content) - set(known):
            raise ValueError(
                f"`statement` must have keys of {len(known)} known ones, "
                f"but has {sorted(set(content) - set(known))[0]!r} instead"
            )
        try:
            covers = tuple(str(one) for one in content["covers"])
            values = {**content, "covers": covers, "boundary": Boundary(content["boundary"])}
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise ValueError(f"`statement` must be what a meter's user states: {error}") from error


def _one_of(name: str, value: str, known: object) -> None:
    words = tuple(known) if isinstance(known, tuple | Mapping) else ()
    if value not in words:
        raise ValueError(
            f"`{name}` must be one of {', '.join(words)}, "
            f"but is {value[:_FIRST_CHARACTERS]!r} instead"
        )


def _within(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"`{name}` must be {low:g} to {high:g}, but is {value:g} instead")
