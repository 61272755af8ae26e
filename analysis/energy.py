"""Energy of a window from what a sensor said: pure arrays, no files.

Two curves of energy over time exist for a GPU. The counter is the board's own running total. The
integral is the trapezoid under its power. Both are evaluated at exact times, so energies of
windows that tile a span of time sum to the energy of the whole.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

US_PER_S: Final = 1_000_000
# A window shorter than this many sensor periods holds too few independent readings: at two
# periods at least one reading is sure to average over the window alone (arXiv 2312.02741: A100
# and H100 sensors update every 100 ms).
ATTRIBUTABLE_PERIODS: Final = 2.0
# Readings may begin or end this many periods inside a window before its energy is unknown.
EDGE_PERIODS: Final = 2.0
# A counter is extended past its last reading by the mean slope of this many readings, as single
# steps of a counter that moves in steps say nothing.
_SLOPE_READINGS: Final = 10
_TWO_POINTS: Final = 2


@dataclass(frozen=True, kw_only=True)
class Amount:
    """A number, or the reason why there is none."""

    value: float | None
    """In the unit its user names; None when unknown."""
    reason: str | None
    """Why `value` is None; None when it is not."""

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError(
                "`reason` must be given exactly when `value` is not, "
                f"but they are {self.value!r} and {self.reason!r} instead"
            )

    @classmethod
    def of(cls, value: float) -> Self:
        """A known number."""
        return cls(value=float(value), reason=None)

    @classmethod
    def unknown(cls, reason: str) -> Self:
        """No number, and why."""
        return cls(value=None, reason=reason)


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """Readings of one field of one device: sorted by time, without nulls."""

    t_us: IntArray
    """Shape (n,), not falling."""
    value: FloatArray
    """Shape (n,), in the field's unit."""
    nulls: int = 0
    """Readings that were null and are left out here."""
    null_reason: str | None = None
    """The commonest reason of a null; None when there was no null."""

    def __post_init__(self) -> None:
        if self.t_us.shape != self.value.shape:
            raise ValueError(
                f"`value` must have the shape of `t_us`, but has {self.value.shape} "
                f"against {self.t_us.shape} instead"
            )

    def __len__(self) -> int:
        return len(self.t_us)

    def between(self, start_us: int, end_us: int) -> "Series":
        """The readings from `start_us` to `end_us`, both included."""
        first = int(np.searchsorted(self.t_us, start_us, side="left"))
        last = int(np.searchsorted(self.t_us, end_us, side="right"))
        return Series(t_us=self.t_us[first:last], value=self.value[first:last])


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Energy of one GPU over time, known between its first and last reading."""

    method: str
    """How it came about: `counter`, or `integral of <field>`."""
    t_us: IntArray
    """Shape (n,) with n >= 2, rising."""
    energy_j: FloatArray
    """Shape (n,): energy at each time since the first."""
    power_w: FloatArray | None
    """Shape (n,): power at each time; None when only energy is known (a counter)."""
    edge_us: int
    """How far a window may reach past the first or last reading."""

    def at(self, t_us: IntArray) -> FloatArray:
        """Energy at each time since the first reading; NaN where that is not known."""
        seconds = (t_us - self.t_us[0]) / US_PER_S
        knots = (self.t_us - self.t_us[0]) / US_PER_S
        segment = np.clip(np.searchsorted(knots, seconds, side="right") - 1, 0, len(knots) - 2)
        into = seconds - knots[segment]
        width = np.diff(knots)[segment]
        if self.power_w is None:
            slope = np.diff(self.energy_j)[segment] / width
            energy = self.energy_j[segment] + slope * into
            head, tail = self._outer_slopes()
        else:
            left = self.power_w[segment]
            rise = (self.power_w[segment + 1] - left) / width
            energy = self.energy_j[segment] + left * into + 0.5 * rise * into * into
            head, tail = float(self.power_w[0]), float(self.power_w[-1])
        energy = np.where(seconds < 0, self.energy_j[0] + head * seconds, energy)
        past = seconds - knots[-1]
        energy = np.where(past > 0, self.energy_j[-1] + tail * past, energy)
        known = (t_us >= self.t_us[0] - self.edge_us) & (t_us <= self.t_us[-1] + self.edge_us)
        return np.where(known, energy, np.nan)

    def between(self, start_us: int, end_us: int) -> Amount:
        """Energy of one window in joules."""
        edges = self.at(np.array([start_us, end_us], dtype=np.int64))
        if np.isnan(edges[0]):
            late_s = (int(self.t_us[0]) - start_us) / US_PER_S
            if late_s > 0:
                return Amount.unknown(f"readings begin {late_s:.3f} s after the window")
        if np.isnan(edges).any():
            early_s = (end_us - int(self.t_us[-1])) / US_PER_S
            return Amount.unknown(f"readings end {early_s:.3f} s before the window")
        return Amount.of(edges[1] - edges[0])

    def _outer_slopes(self) -> tuple[float, float]:
        count = min(_SLOPE_READINGS, len(self.t_us))
        head_s = (self.t_us[count - 1] - self.t_us[0]) / US_PER_S
        tail_s = (self.t_us[-1] - self.t_us[-count]) / US_PER_S
        head = (self.energy_j[count - 1] - self.energy_j[0]) / head_s
        tail = (self.energy_j[-1] - self.energy_j[-count]) / tail_s
        return float(head), float(tail)


def counter_curve(series: Series, *, edge_us: int) -> Curve | str:
    """The curve of an energy counter, or the reason why there is none.

    A counter that falls was reset, and one that never moves does not count: neither says what was
    drawn.
    """
    t_us, value = _distinct(series)
    if len(t_us) < _TWO_POINTS:
        return _too_few(series, len(t_us))
    steps = np.diff(value)
    if (steps < 0).any():
        at = int(np.argmax(steps < 0))
        return f"the counter fell from {value[at]:.3f} J to {value[at + 1]:.3f} J"
    if value[-1] == value[0]:
        return f"the counter stood at {value[0]:.3f} J throughout"
    return Curve(
        method="counter", t_us=t_us, energy_j=value - value[0], power_w=None, edge_us=edge_us
    )


def integral_curve(series: Series, *, field: str, edge_us: int) -> Curve | str:
    """The curve under power readings (trapezoid), or the reason why there is none."""
    t_us, value = _distinct(series)
    if len(t_us) < _TWO_POINTS:
        return _too_few(series, len(t_us))
    width_s = np.diff(t_us) / US_PER_S
    energy_j = np.concatenate(([0.0], np.cumsum(0.5 * (value[1:] + value[:-1]) * width_s)))
    return Curve(
        method=f"integral of {field}",
        t_us=t_us,
        energy_j=energy_j,
        power_w=value,
        edge_us=edge_us,
    )


def gap_share(counter: Amount, integral: Amount) -> Amount:
    """How far the integral lies from the counter, as a share of the counter; signed."""
    if counter.value is None:
        return Amount.unknown(f"no counter: {counter.reason}")
    if integral.value is None:
        return Amount.unknown(f"no integral: {integral.reason}")
    if counter.value == 0:
        return Amount.unknown("the counter did not move in the window")
    return Amount.of(integral.value / counter.value - 1.0)


def net_energy(gross: Amount, idle_power: Amount, seconds: float) -> Amount:
    """Gross energy less what the same GPU draws at rest in the same time, in joules."""
    if gross.value is None:
        return gross
    if idle_power.value is None:
        return idle_power
    return Amount.of(gross.value - idle_power.value * seconds)


def total(amounts: list[Amount], *, nothing: str) -> Amount:
    """The sum; unknown with the first reason when any is unknown, since a part is no total."""
    if not amounts:
        return Amount.unknown(nothing)
    for amount in amounts:
        if amount.reason is not None:
            return amount
    return Amount.of(sum(amount.value for amount in amounts if amount.value is not None))


def coverage(series: Series, start_us: int, end_us: int, period_us: int) -> tuple[float, int]:
    """Share of the expected readings that came in a window, and its largest gap in microseconds.

    The window's edges count as readings' neighbours: a window whose first reading comes late has a
    gap there.
    """
    if period_us <= 0 or end_us <= start_us:
        raise ValueError(
            "`period_us` and the window must be positive, "
            f"but are {period_us} and {end_us - start_us} us instead"
        )
    inside = series.between(start_us, end_us).t_us
    expected = max(1, (end_us - start_us) // period_us)
    marks = np.concatenate(([start_us], inside, [end_us]))
    return min(1.0, len(inside) / expected), int(np.diff(marks).max())


def _distinct(series: Series) -> tuple[IntArray, FloatArray]:
    if len(series) == 0:
        return series.t_us, series.value
    keep = np.concatenate(([True], np.diff(series.t_us) > 0))
    return series.t_us[keep], series.value[keep]


def _too_few(series: Series, count: int) -> str:
    if series.null_reason is not None:
        return f"{count} readings, {series.nulls} nulls: {series.null_reason}"
    return f"{count} readings"
