"""Curves: energy of one GPU over time, evaluated at exact times; pure arrays, no files.

As times are exact, energies of windows that tile a span of time sum to the energy of the whole.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from analysis.energy.uncertain import Uncertain
from analysis.runs.series import FloatArray, IntArray, Series
from telemetry.clock import US_PER_S

# A window shorter than this many sensor periods holds too few independent readings: at two
# periods at least one reading is sure to average over the window alone (arXiv 2312.02741: A100
# and H100 sensors update every 100 ms).
ATTRIBUTABLE_PERIODS: Final = 2.0
COVERAGE_FACTOR: Final = 2.0
"""What a standard uncertainty is multiplied by: about 95 % (JCGM 100, Guide to the Expression of
Uncertainty in Measurement, 6.3)."""
# Variance of a value spread evenly over a width is width^2 over this (JCGM 100, 4.3.7).
EVEN: Final = 12.0
# Readings may begin or end this many periods inside a window before its energy is unknown.
EDGE_PERIODS: Final = 2.0
# A counter is extended no further past its readings than the slowest board averages its power over
# (arXiv 2312.02741): what it drew later, nobody saw.
MOST_EXTENSION_US: Final = US_PER_S
# NVML tells counters in millijoules and power in milliwatts (nvml.h): what a last digit hides, of a
# counter at each edge, of power all along.
_COUNTER_DIGIT_J: Final = 1e-3
_POWER_DIGIT_W: Final = 1e-3
# Longest silence in periods that is no gap (github.com/NVIDIA/srt-slurm,
# docs/power-telemetry.md: three periods at its 1 s).
GAP_PERIODS: Final = 3
# A counter is extended past its last reading by the mean slope of this many readings, as single
# steps of a counter that moves in steps say nothing.
_SLOPE_READINGS: Final = 10
TWO_POINTS: Final = 2


@dataclass(frozen=True, kw_only=True)
class Break:
    """A time over which a counter says nothing."""

    start_us: int
    """The last reading before."""
    end_us: int
    """The first one after."""
    reason: str
    """What happened."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Energy of one GPU over time, known between its first and last reading."""

    method: str
    """How it came about: `rank_counter`, `polled_counter`, or `power_integral of <field>`."""
    t_us: IntArray
    """Shape (n,) with n >= 2, rising."""
    energy_j: FloatArray
    """Shape (n,): energy at each time since the first."""
    power_w: FloatArray | None
    """Shape (n,): power at each time; None when only energy is known (a counter)."""
    edge_us: int
    """How far a window may reach past the first or last reading."""
    resolution_us: int
    """Within this time of an edge the readings cannot say when power changed."""
    lag_us: int = 0
    """How late a counter's value may be: time between two updates of it."""
    edge_power_w: float = 0.0
    """Power that must be reckoned with at an edge where no reading tells it."""
    variance_j2: FloatArray | None = None
    """Shape (n,): running sum of what each step between two readings adds to the variance of
    the energy; None when nothing is lost between readings (a counter)."""
    width_us: IntArray | None = None
    """Shape (n,): each was read at some moment of this width around its time; None for at it."""
    seen: Series | None = None
    """Power of the same board, for a counter that was read more seldom than it changes: between
    two readings its own slope is a mean, and says little of what power was at an edge."""
    strayed_j2: FloatArray | None = None
    """Shape (n,): variance of the energy at each time that lies between two readings and was told
    by the shape of power there; 0 at a reading. None: no time is such."""
    most_w: float | None = None
    """Most that the board can draw for seconds; None when nobody knows."""
    breaks: tuple[Break, ...] = ()
    """Times over which the energy is not known, as the counter went back there."""

    def at(self, t_us: IntArray) -> FloatArray:
        """Energy at each time since the first reading; NaN where that is not known."""
        seconds = (t_us - self.t_us[0]) / US_PER_S
        knots = self._knots_s
        segment = np.clip(np.searchsorted(knots, seconds, side="right") - 1, 0, len(knots) - 2)
        into = seconds - knots[segment]
        width = knots[segment + 1] - knots[segment]
        if self.power_w is None:
            slope = (self.energy_j[segment + 1] - self.energy_j[segment]) / width
            energy = self.energy_j[segment] + slope * into
            head, tail = self._outer_slopes
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

    def broken(self, start_us: int, end_us: int) -> str | None:
        """Why the energy of a window is not known though readings reach over it; None if it is."""
        return next(
            (one.reason for one in self.breaks if start_us < one.end_us and end_us > one.start_us),
            None,
        )

    @property
    def has_gap(self) -> bool:
        """True when readings were missed for longer than the sensor is allowed to be silent."""
        return bool(np.diff(self.t_us).max() > GAP_PERIODS * self.resolution_us)

    def between(self, start_us: int, end_us: int) -> Uncertain:
        """Energy of one window in joules."""
        if reason := self.broken(start_us, end_us):
            return Uncertain.unknown(reason)
        edges_us = np.array([start_us, end_us], dtype=np.int64)
        edges = self.at(edges_us)
        if np.isnan(edges[0]):
            late_s = (int(self.t_us[0]) - start_us) / US_PER_S
            if late_s > 0:
                return Uncertain.unknown(f"readings begin {late_s:.3f} s after the window")
        if np.isnan(edges).any():
            early_s = (end_us - int(self.t_us[-1])) / US_PER_S
            return Uncertain.unknown(f"readings end {early_s:.3f} s before the window")
        return Uncertain.of(edges[1] - edges[0], self.plus_minus_j(edges_us[:1], edges_us[1:]))

    def summed(self, start_us: IntArray, end_us: IntArray) -> Uncertain:
        """Energy of several windows together; shape (n,) each."""
        for one in self.breaks:
            if ((start_us < one.end_us) & (end_us > one.start_us)).any():
                return Uncertain.unknown(one.reason)
        energies = self.at(end_us) - self.at(start_us)
        if np.isnan(energies).any():
            return Uncertain.unknown("readings do not reach over the whole phase")
        return Uncertain.of(float(energies.sum()), self.plus_minus_j(start_us, end_us))

    def each(self, start_us: IntArray, end_us: IntArray) -> tuple[FloatArray, ...]:
        """Of each window by itself its energy, its variance, and what it is late by; joules.

        NaN where the energy is not known. What several of them come to is uncertain by the root of
        their variances' sum and the square of what they are late by together, as in
        `plus_minus_j`, had no two of them an edge in common.
        """
        edges_us = np.unique(np.concatenate((start_us, end_us)))
        first, last = np.searchsorted(edges_us, start_us), np.searchsorted(edges_us, end_us)
        late_j, moved_j = self._edge_widths_j(edges_us)
        at_j = self.at(edges_us)
        energy_j = at_j[last] - at_j[first]
        for one in self.breaks:
            energy_j[(start_us < one.end_us) & (end_us > one.start_us)] = np.nan
        edge_j2 = (late_j**2 + moved_j**2) / EVEN
        if self.strayed_j2 is not None:
            edge_j2 = edge_j2 + np.interp(edges_us, self.t_us, self.strayed_j2)
        variance_j2 = edge_j2[first] + edge_j2[last]
        if self.variance_j2 is not None:
            inside = np.interp(edges_us, self.t_us.astype(np.float64), self.variance_j2)
            variance_j2 = variance_j2 + np.maximum(0.0, inside[last] - inside[first])
        if self.power_w is None:
            digit_j2 = np.full(len(start_us), 2 * _COUNTER_DIGIT_J**2 / EVEN)
        else:
            digit_j2 = (_POWER_DIGIT_W * (end_us - start_us) / US_PER_S) ** 2 / EVEN
        return energy_j, np.maximum(variance_j2, digit_j2), 0.5 * (late_j[last] - late_j[first])

    def plus_minus_j(self, start_us: IntArray, end_us: IntArray) -> float:
        """Expanded uncertainty (k = 2) of the energy of several windows together.

        The moment of a sensor's update is unknown, and so is the moment of a step of power between
        two readings: each is spread evenly, with a variance of width^2 / 12. A counter is late by
        half an update on average, which cancels as far as power is the same at starts and ends.
        An edge that two windows share moves energy from one to the other and cancels. When a
        counter was read is known no better than between two looks at the clock, which moves energy
        too. It is never 0: a reading has a last digit.
        """
        edges_us = np.setxor1d(start_us, end_us)
        late_j, moved_j = self._edge_widths_j(edges_us)
        lost_j = 0.5 * float(np.sum(np.where(np.isin(edges_us, end_us), late_j, -late_j)))
        variance_j2 = float(np.sum(late_j**2 + moved_j**2)) / EVEN + lost_j**2
        if self.variance_j2 is not None:
            knots, sums = self.t_us.astype(np.float64), self.variance_j2
            inside = np.interp(end_us, knots, sums) - np.interp(start_us, knots, sums)
            variance_j2 += max(0.0, float(inside.sum()))
        if self.strayed_j2 is not None:
            variance_j2 += float(np.interp(edges_us, self.t_us, self.strayed_j2).sum())
        if self.power_w is None:
            digit_j2 = len(edges_us) * _COUNTER_DIGIT_J**2 / EVEN
        else:
            digit_j2 = (_POWER_DIGIT_W * float((end_us - start_us).sum()) / US_PER_S) ** 2 / EVEN
        return COVERAGE_FACTOR * float(np.sqrt(max(variance_j2, digit_j2)))

    def _edge_widths_j(self, edges_us: IntArray) -> tuple[FloatArray, FloatArray]:
        """How much energy may lie on the wrong side of each edge: by lateness, and by steps.

        A counter's value is late by up to its lag, at the power of that moment. Beyond that only
        what power changed by around the edge can be misplaced, by a counter no further than to the
        nearest reading; in a gap power may have been anything that was seen elsewhere.
        """
        right = np.clip(np.searchsorted(self.t_us, edges_us), 1, len(self.t_us) - 1)
        nearest_us = np.minimum(
            np.abs(edges_us - self.t_us[right - 1]), np.abs(self.t_us[right] - edges_us)
        )
        width_us = np.zeros(len(edges_us), dtype=np.int64)
        if self.width_us is not None:
            width_us = np.maximum(self.width_us[right - 1], self.width_us[right])
        reach_us = np.maximum(np.maximum(self.resolution_us, nearest_us), width_us)
        low = np.searchsorted(self.t_us, edges_us - reach_us, side="right") - 1
        high = np.searchsorted(self.t_us, edges_us + reach_us, side="left")
        counts = self.power_w is None
        looked = np.zeros(len(edges_us), dtype=np.bool_)
        if self.power_w is None and self.seen is not None:
            levels_w = self.seen.value
            low = np.searchsorted(self.seen.t_us, edges_us - reach_us, side="left")
            high = np.searchsorted(self.seen.t_us, edges_us + reach_us, side="right") - 1
            looked = high >= low
            high = np.maximum(low, high)
        elif self.power_w is None:
            levels_w = self._slopes_w
            high = high - 1
        else:
            levels_w = self.power_w
        low, high = (np.clip(bound, 0, len(levels_w) - 1) for bound in (low, high))
        most_w = _over(np.maximum, levels_w, low, high)
        swing_w = most_w - _over(np.minimum, levels_w, low, high)
        blind = (nearest_us > self.resolution_us) | (~looked if self.seen is not None else False)
        if np.any(blind):
            swing_w = np.where(blind, np.ptp(levels_w), swing_w)
        moved_us = nearest_us if counts else reach_us
        late_w = np.where(looked, most_w, np.maximum(most_w, self.edge_power_w))
        step_j = swing_w * moved_us / US_PER_S
        if counts:
            inner = (edges_us > self.t_us[0]) & (edges_us < self.t_us[-1])
            far = inner & (nearest_us > self.lag_us)
            step_j = np.where(far, np.maximum(step_j, self._between_readings_j(edges_us)), step_j)
        moved_j = np.hypot(step_j, late_w * width_us / US_PER_S)
        return late_w * self.lag_us / US_PER_S, moved_j

    def _between_readings_j(self, edges_us: IntArray) -> FloatArray:
        """Twice how far the energy at each time may be off the line between two readings.

        A counter cannot fall, and no faster rise than the board can draw: by then it may have
        counted nothing or all.
        """
        right = np.clip(np.searchsorted(self.t_us, edges_us), 1, len(self.t_us) - 1)
        taken_j = self.energy_j[right] - self.energy_j[right - 1]
        before_s = (edges_us - self.t_us[right - 1]) / US_PER_S
        after_s = (self.t_us[right] - edges_us) / US_PER_S
        line_j = taken_j * before_s / (before_s + after_s)
        if self.most_w is None:
            return np.asarray(2.0 * np.maximum(line_j, taken_j - line_j))
        most_j = np.minimum(taken_j, self.most_w * before_s)
        left_j = np.minimum(taken_j, self.most_w * after_s)
        # A mean above the most is a limit that does not hold here: then nothing bounds it.
        off_j = np.maximum(most_j - line_j, line_j - (taken_j - left_j))
        return np.asarray(2.0 * np.where(off_j < 0, taken_j, off_j))

    @cached_property
    def _knots_s(self) -> FloatArray:
        """A curve of thousands of readings is asked some dozen times."""
        return np.asarray((self.t_us - self.t_us[0]) / US_PER_S)

    @cached_property
    def _slopes_w(self) -> FloatArray:
        return np.asarray(np.diff(self.energy_j) / (np.diff(self.t_us) / US_PER_S))

    @cached_property
    def _outer_slopes(self) -> tuple[float, float]:
        count = min(_SLOPE_READINGS, len(self.t_us))
        head_s = (self.t_us[count - 1] - self.t_us[0]) / US_PER_S
        tail_s = (self.t_us[-1] - self.t_us[-count]) / US_PER_S
        head = (self.energy_j[count - 1] - self.energy_j[0]) / head_s
        tail = (self.energy_j[-1] - self.energy_j[-count]) / tail_s
        return float(head), float(tail)


def _over(take: np.ufunc, values: FloatArray, low: IntArray, high: IntArray) -> FloatArray:
    """`take` over `values[low[i] : high[i] + 1]` for each i; `high` is at least `low`."""
    if not len(low):
        return np.empty(0)
    bounds = np.column_stack((low, np.minimum(high + 1, len(values)))).ravel()
    padded = np.append(values, values[-1])
    return np.asarray(take.reduceat(padded, bounds)[::2])
