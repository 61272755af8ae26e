"""Clock fit: how far a meter's clock is ahead of the record's, told by what both saw of power.

The mean power of the covered GPUs over short bins is held against the meter's, moved by each offset
that may be: where they go together best lies the offset. Its uncertainty is what the scatter about
the best line allows, and the time that either side cannot tell apart. Where another offset does
nearly as well, as with a load that repeats, nobody knows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.energy.curves import COVERAGE_FACTOR, Curve
from analysis.meter.meter_curve import MeterCurve
from analysis.runs.series import FloatArray
from telemetry.clock import US_PER_S

LEAST_CORRELATION: Final = 0.7
"""Half of the variance of one is told by the other: with less, they are of different loads."""
# Another offset that leaves less than this many times the best one's scatter is as good as it.
_CLEARLY_WORSE: Final = 1.5
# Of a total that moves in steps a bin of one step holds one or none.
_UPDATES: Final = 2
# A bin is cut into as many moves.
_MOVES: Final = 8
_LEAST_BINS: Final = 12
_MOST_BINS: Final = 20_000
# Shorter bins than this tell of noise alone: no meter and no board updates faster.
_LEAST_BIN_US: Final = 50_000
# What of the run both must have seen.
_LEAST_SEEN: Final = 0.8
# Bins around the best offset that are the same hill.
_HILL: Final = 3.0
_MOST_INFLATION: Final = 50.0


@dataclass(frozen=True, kw_only=True)
class ClockFit:
    """How a meter's clock stands to the record's, or why nobody knows."""

    offset_us: int
    """How far the meter's clock is ahead; 0 where it is not known."""
    plus_minus_us: int
    """Expanded uncertainty (k = 2) of that; 0 where it is not known."""
    correlation: float | None
    """Of both powers at that offset; None where it was not looked at."""
    how: str
    """Whether it was stated or estimated, and what became of it, in words."""
    reason: str | None = None
    """Why the clocks cannot be brought together; None: they are."""

    @property
    def applied_us(self) -> int:
        """What is taken off the meter's times.

        An offset that does not differ from 0 by more than its own uncertainty is none.
        """
        return self.offset_us if abs(self.offset_us) > self.plus_minus_us else 0


def unknown_fit(reason: str, correlation: float | None = None) -> ClockFit:
    """No offset, and why."""
    return ClockFit(
        offset_us=0, plus_minus_us=0, correlation=correlation, how="not known", reason=reason
    )


def fit_clock(
    meter: MeterCurve, ours: Sequence[Curve], span_us: tuple[int, int], most_us: int
) -> ClockFit:
    """The offset of a meter's clock, from its curve as it is told and those of what it covers.

    Args:
        meter: by the meter's own clock.
        ours: of every covered GPU, on the record's clock.
        span_us: from when to when the run was watched.
        most_us: how far apart the clocks may be.
    """
    bin_us = _bin_us(meter, ours, span_us)
    bins = (span_us[1] - span_us[0]) // bin_us
    if bins < _LEAST_BINS:
        return unknown_fit(
            f"the run is too short to bring the clocks together: {bins} steps of "
            f"{bin_us / US_PER_S:g} s"
        )
    move_us = max(1, bin_us // _MOVES)
    bin_us = move_us * _MOVES
    bins = (span_us[1] - span_us[0]) // bin_us
    edges_us = span_us[0] + bin_us * np.arange(bins + 1, dtype=np.int64)
    power_w = np.diff(sum_at(ours, edges_us)) / (bin_us / US_PER_S)
    moves = math.ceil(most_us / move_us)
    first_us = span_us[0] - moves * move_us
    fine_us = first_us + move_us * np.arange(2 * moves + bins * _MOVES + 1, dtype=np.int64)
    fine_j = meter.curve.at(fine_us)
    scores = np.array(
        [
            _correlation(power_w, np.diff(fine_j[k : k + bins * _MOVES + 1 : _MOVES]))
            for k in range(2 * moves + 1)
        ]
    )
    if not np.isfinite(scores).any():
        return unknown_fit("the log does not reach over the run")
    best = int(np.nanargmax(scores))
    correlation = float(scores[best])
    if correlation < LEAST_CORRELATION:
        return unknown_fit(
            f"the meter's power does not follow the run's at any offset of up to "
            f"{most_us / US_PER_S:g} s: best correlation {correlation:.2f}, least "
            f"{LEAST_CORRELATION:g}",
            correlation,
        )
    if (other := _as_good(scores, best)) is not None:
        apart_s = (other - best) * move_us / US_PER_S
        return unknown_fit(
            f"an offset {apart_s:+.1f} s from the best does nearly as well: the load repeats, "
            "state the offset",
            correlation,
        )
    offset_us = round(first_us - span_us[0] + (best + _vertex(scores, best)) * move_us)
    told_w = np.diff(fine_j[best : best + bins * _MOVES + 1 : _MOVES]) / (bin_us / US_PER_S)
    scatter_us = _scatter_us(power_w, told_w, bin_us)
    # A value may be late by a whole update of its sensor, which looks like a clock's offset.
    late_us = math.hypot(meter.resolution_us, max(one.resolution_us for one in ours))
    plus_minus_us = round(math.hypot(COVERAGE_FACTOR * scatter_us, late_us))
    none = abs(offset_us) <= plus_minus_us
    return ClockFit(
        offset_us=offset_us,
        plus_minus_us=plus_minus_us,
        correlation=correlation,
        how="estimated, no more than its uncertainty: none is applied" if none else "estimated",
    )


def sum_at(
    curves: Sequence[Curve], t_us: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]"
) -> FloatArray:
    """Energy of several curves together at each time; NaN where one of them does not reach."""
    return np.asarray(np.sum([one.at(t_us) for one in curves], axis=0))


def _bin_us(meter: MeterCurve, ours: Sequence[Curve], span_us: tuple[int, int]) -> int:
    coarse_us = max(meter.resolution_us, *(one.resolution_us for one in ours), _LEAST_BIN_US)
    return max(_UPDATES * coarse_us, (span_us[1] - span_us[0]) // _MOST_BINS)


def _correlation(one: FloatArray, other: FloatArray) -> float:
    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < max(_LEAST_BINS, _LEAST_SEEN * len(one)):
        return float("nan")
    one, other = one[known] - one[known].mean(), other[known] - other[known].mean()
    scale = math.sqrt(float((one**2).sum()) * float((other**2).sum()))
    return float((one * other).sum()) / scale if scale > 0 else float("nan")


def _as_good(scores: FloatArray, best: int) -> int | None:
    """Another hill that is nearly as high; None where there is none."""
    left = 1.0 - scores[best] ** 2
    far = np.abs(np.arange(len(scores)) - best) > _HILL * _MOVES
    worse = np.where(far & np.isfinite(scores) & (scores > 0), scores, 0.0)
    other = int(np.argmax(worse))
    return other if 1.0 - worse[other] ** 2 < _CLEARLY_WORSE * left else None


def _vertex(scores: FloatArray, best: int) -> float:
    """Where between its neighbours the hill is highest, in moves: of a parabola through three."""
    if not 0 < best < len(scores) - 1:
        return 0.0
    left, top, right = scores[best - 1 : best + 2]
    bend = left - 2 * top + right
    return float(0.5 * (left - right) / bend) if np.isfinite(bend) and bend < 0 else 0.0


def _scatter_us(power_w: FloatArray, told_w: FloatArray, bin_us: int) -> float:
    """Standard uncertainty of the offset from the scatter about the line between both powers."""
    known = np.isfinite(power_w) & np.isfinite(told_w)
    one, other = power_w[known], told_w[known]
    slope, level = np.polyfit(one, other, 1)
    left = other - slope * one - level
    rise = np.gradient(one) / (bin_us / US_PER_S)
    steep = slope**2 * float((rise**2).sum())
    if steep <= 0 or not len(left):
        return float(bin_us)
    again = float((left[1:] * left[:-1]).sum()) / max(float((left**2).sum()), 1e-30)
    # Neighbouring bins err alike: fewer of them count.
    inflation = min(_MOST_INFLATION, max(1.0, (1 + again) / max(1e-9, 1 - again)))
    return math.sqrt(float(left.var()) * inflation / steep) * US_PER_S
