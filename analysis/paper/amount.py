"""Amount: a number of ours with its interval and its sensors' ±, and what becomes of several.

What is independent adds in squares, each end of an interval by itself (JCGM 100:2008, 5.1.2):
grid points that a mean is over, a value and the one that it is held against, and ours and the
digitising of a figure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from analysis.tables.column import Cell, Row

DIGITISED_SHARE: Final = 0.02
"""How well a bar is read off a published figure: samsi2023.json says about 2 %."""
_PERCENT: Final = 100.0


@dataclass(frozen=True, kw_only=True)
class Amount:
    """A number of ours."""

    value: float
    """In the quantity's unit."""
    low: float | None = None
    """Lower end of its 95 % interval over repeats; None where one has none."""
    high: float | None = None
    """Upper end of the same."""
    sensor: float | None = None
    """Expanded uncertainty (k = 2) by the sensors alone; None where they have no part."""

    @classmethod
    def of(cls, group: Row, metric: str) -> Self | None:
        """What a row of grid points says of a metric; None when it is not known there."""
        value = _real(group.get(f"{metric}_mean"))
        if value is None:
            return None
        return cls(
            value=value,
            low=_real(group.get(f"{metric}_low")),
            high=_real(group.get(f"{metric}_high")),
            sensor=_real(group.get(f"{metric}_sensor")),
        )

    @property
    def below(self) -> float | None:
        """How far the interval reaches down; None without one."""
        return None if self.low is None else self.value - self.low

    @property
    def above(self) -> float | None:
        """How far the interval reaches up; None without one."""
        return None if self.high is None else self.high - self.value

    def change_against(self, base: "Amount") -> "Amount":
        """The change against a base in per cent, both measured apart.

        Raises:
            ValueError: the base is 0.
        """
        if base.value == 0:
            raise ValueError("`base` must not be 0, but is")
        factor = self.value / base.value
        below = _joined((self.below, self.value), (base.above, base.value))
        above = _joined((self.above, self.value), (base.below, base.value))
        sensor = _joined((self.sensor, self.value), (base.sensor, base.value))
        per = _PERCENT * abs(factor)
        value = (factor - 1.0) * _PERCENT
        return Amount(
            value=value,
            low=None if below is None else value - per * below,
            high=None if above is None else value + per * above,
            sensor=None if sensor is None else per * sensor,
        )

    def over(self, published: float, *, digitised: bool) -> "Amount":
        """The ratio to a published number, with its interval.

        Where repeats give no interval it is that of the sensors, and of the digitising, alone.
        """
        read = DIGITISED_SHARE if digitised else 0.0
        ratio = self.value / published
        ends: list[float | None] = []
        for half in (self.below, self.above):
            known = self.sensor if half is None else half
            if known is None and not digitised:
                ends.append(None)
            else:
                ends.append(math.hypot((known or 0.0) / abs(published), read * abs(ratio)))
        below, above = ends if ratio * self.value >= 0 else reversed(ends)
        return Amount(
            value=ratio,
            low=None if below is None else ratio - below,
            high=None if above is None else ratio + above,
        )


def mean_of(amounts: Sequence[Amount]) -> Amount:
    """The mean of grid points that were measured apart."""
    count = len(amounts)
    value = math.fsum(one.value for one in amounts) / count
    below, above = (
        _of_mean([one.below for one in amounts]),
        _of_mean([one.above for one in amounts]),
    )
    return Amount(
        value=value,
        low=None if below is None else value - below,
        high=None if above is None else value + above,
        sensor=_of_mean([one.sensor for one in amounts]),
    )


def _of_mean(halves: Sequence[float | None]) -> float | None:
    known = [half for half in halves if half is not None]
    return math.hypot(*known) / len(known) if len(known) == len(halves) else None


def _joined(*parts: tuple[float | None, float]) -> float | None:
    """Root sum of squares of halves as shares of their values; None where one has none."""
    shares = [half / abs(value) for half, value in parts if half is not None and value]
    return math.hypot(*shares) if len(shares) == len(parts) else None


def _real(value: Cell) -> float | None:
    return float(value) if isinstance(value, int | float) else None
