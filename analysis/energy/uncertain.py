"""Uncertain: a number with its uncertainty, or the reason why there is none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Uncertain:
    """A number, or the reason why there is none."""

    value: float | None
    """In the unit its user names; None when unknown."""
    reason: str | None
    """Why `value` is None; None when it is not."""
    plus_minus: float | None = None
    """Expanded uncertainty of `value` (k = 2, about 95 %) in its unit; None when not estimated."""

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError(
                "`reason` must be given exactly when `value` is not, "
                f"but they are {self.value!r} and {self.reason!r} instead"
            )
        if self.value is None and self.plus_minus is not None:
            raise ValueError(
                f"`plus_minus` must be None without a value, but is {self.plus_minus!r} instead"
            )

    @classmethod
    def of(cls, value: float, plus_minus: float | None = None) -> Self:
        """A known number."""
        return cls(
            value=float(value),
            reason=None,
            plus_minus=None if plus_minus is None else float(plus_minus),
        )

    @classmethod
    def unknown(cls, reason: str) -> Self:
        """No number, and why."""
        return cls(value=None, reason=reason)

    def over(self, divisor: float) -> "Uncertain":
        """This amount over an exact, positive number; unknown when that is not positive."""
        if self.value is None:
            return self
        if divisor <= 0:
            return Uncertain.unknown(f"there is nothing to divide by: {divisor:g}")
        width = None if self.plus_minus is None else self.plus_minus / divisor
        return Uncertain.of(self.value / divisor, width)

    def times(self, factor: int) -> "Uncertain":
        """This amount so often: what is wrong with it is wrong as often, in one direction."""
        if self.value is None:
            return self
        width = None if self.plus_minus is None else self.plus_minus * factor
        return Uncertain.of(self.value * factor, width)


def total(amounts: Sequence[Uncertain], *, nothing: str) -> Uncertain:
    """The sum; unknown with the first reason when any is unknown, since a part is no total.

    Uncertainties of different boards, and of different edges in time, are independent: their
    squares add.
    """
    if not amounts:
        return Uncertain.unknown(nothing)
    for amount in amounts:
        if amount.reason is not None:
            return amount
    return Uncertain.of(
        math.fsum(amount.value for amount in amounts if amount.value is not None),
        _root_sum_square([amount.plus_minus for amount in amounts]),
    )


def net_energy(gross: Uncertain, idle_power: Uncertain, seconds: float) -> Uncertain:
    """Gross energy less what the same GPU draws at rest in the same time, in joules."""
    if gross.value is None:
        return gross
    if idle_power.value is None:
        return idle_power
    rest = None if idle_power.plus_minus is None else idle_power.plus_minus * seconds
    return Uncertain.of(
        gross.value - idle_power.value * seconds, _root_sum_square([gross.plus_minus, rest])
    )


def gap_share(reference: Uncertain, other: Uncertain, *, names: tuple[str, str]) -> Uncertain:
    """How far `other` lies from `reference`, as a share of the reference; signed.

    `names` are what the two are called when one of them is missing.
    """
    if reference.value is None:
        return Uncertain.unknown(f"no {names[0]}: {reference.reason}")
    if other.value is None:
        return Uncertain.unknown(f"no {names[1]}: {other.reason}")
    if reference.value == 0:
        return Uncertain.unknown(f"the {names[0]} did not move in the window")
    width = _root_sum_square([reference.plus_minus, other.plus_minus])
    return Uncertain.of(
        other.value / reference.value - 1.0,
        None if width is None else width / abs(reference.value),
    )


def _root_sum_square(widths: Sequence[float | None]) -> float | None:
    known = [width for width in widths if width is not None]
    return math.hypot(*known) if len(known) == len(widths) else None
