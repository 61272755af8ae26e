"""Amount: a number with its interval, carried through a factor; or why there is none."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

J_PER_KWH: Final = 3.6e6
"""Joules of a kilowatt-hour."""


@dataclass(frozen=True, kw_only=True)
class FootprintAmount:
    """A number and the ends of its interval."""

    value: float | None
    """None where it is not known."""
    low: float | None = None
    """Lower end; None where no interval is known."""
    high: float | None = None
    """Upper end."""
    reason: str | None = None
    """Why there is no number; None where there is one."""

    def __post_init__(self) -> None:
        if (self.value is None) != (self.reason is not None):
            raise ValueError(
                "`reason` must be given where `value` is None and nowhere else, "
                f"but they are {self.reason!r} and {self.value!r} instead"
            )

    @classmethod
    def around(cls, value: float, half: float | None) -> Self:
        """A number and half the width of its interval; None: none is known."""
        if half is None:
            return cls(value=value)
        return cls(value=value, low=value - half, high=value + half)

    @classmethod
    def none(cls, reason: str) -> Self:
        """No number, and why."""
        return cls(value=None, reason=reason)

    def times(self, factor: float) -> "FootprintAmount":
        """The same times something that counts as exact."""
        if self.value is None:
            return self
        low, high = (None if end is None else end * factor for end in (self.low, self.high))
        return FootprintAmount(value=self.value * factor, low=low, high=high)

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        return {"value": self.value, "low": self.low, "high": self.high, "reason": self.reason}


def total(amounts: Iterable[FootprintAmount]) -> FootprintAmount:
    """The sum; its interval by the root sum of squares of what each side adds (JCGM 100, 5.1.2).

    None where any is not known: a sum without it would be too small.
    """
    every = list(amounts)
    if not every:
        return FootprintAmount.none("no run")
    lacking = [one.reason for one in every if one.value is None]
    if lacking:
        return FootprintAmount.none(f"{len(lacking)} of {len(every)} runs have none: {lacking[0]}")
    values = [one.value for one in every if one.value is not None]
    value = math.fsum(values)
    if any(one.low is None or one.high is None for one in every):
        return FootprintAmount(value=value)
    below = math.hypot(*((one.value or 0.0) - (one.low or 0.0) for one in every))
    above = math.hypot(*((one.high or 0.0) - (one.value or 0.0) for one in every))
    return FootprintAmount(value=value, low=value - below, high=value + above)
