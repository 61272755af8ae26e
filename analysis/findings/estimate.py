"""Estimate: a mean over repeats with its interval, and what two of them say of one another.

A point of one run has no scatter of its own, and two runs are too few for one (Student's factor is
12.7). Such a point takes the pooled relative standard deviation of all points with repeats of the
same boards, measured or simulated. Where there are none it has no interval, and nothing is told
apart by it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from analysis.statistics.intervals import width_of_mean
from analysis.statistics.resampled import interval_by_rule

# One value has no scatter.
_LEAST_REPEATS: Final = 2
# From three repeats on a point's own scatter is taken: Student's factor is 4.3.
_LEAST_OWN: Final = 3
# Two-sided 95 %.
_QUANTILE: Final = 0.975
# A limit is half the width of an even spread: 2 (k) over the root of 3 (JCGM 100, 4.3.7).
_GAIN_FACTOR: Final = 2.0 / math.sqrt(3.0)

BY_REPEATS: Final = "repeats"
"""Basis of an interval: the point's own repeats, and their sensors."""
NO_SCATTER: Final = "no point of these boards has repeats: the scatter is not known"
"""Why a point has no interval."""


@dataclass(frozen=True, kw_only=True)
class PooledScatter:
    """How far runs of the same work lie apart, as the points with repeats show it."""

    relative: float
    """Pooled standard deviation of one run, as a share of its point's mean."""
    degrees: int
    """Degrees of freedom that it has."""

    @property
    def half(self) -> float:
        """Half of the 95 % interval of a single run, as a share of it."""
        from scipy import stats  # noqa: PLC0415 - seconds to import

        return float(stats.t.ppf(_QUANTILE, self.degrees)) * self.relative


@dataclass(frozen=True, kw_only=True)
class Ranged:
    """A mean over repeats and where the true one lies with 95 %."""

    value: float
    """In the unit that its user names."""
    low: float | None
    """Lower end; None when there is no interval."""
    high: float | None
    """Upper end; None when there is no interval."""
    basis: str
    """By what the interval was made, or why there is none."""

    @property
    def plus_minus(self) -> float | None:
        """Half of the interval, the longer one; None when there is none."""
        if self.low is None or self.high is None:
            return None
        return max(self.high - self.value, self.value - self.low)

    @property
    def relative(self) -> float | None:
        """The same as a share of the value; None where that is not above 0."""
        half = self.plus_minus
        return None if half is None or self.value <= 0 else half / self.value

    def widened(self, gain: float | None) -> "Ranged":
        """The same with a limit of error in proportion, as a share, in quadrature."""
        if not gain or self.low is None or self.high is None:
            return self
        width = _GAIN_FACTOR * gain * self.value
        return replace(
            self,
            low=self.value - math.hypot(self.value - self.low, width),
            high=self.value + math.hypot(self.high - self.value, width),
            basis=f"{self.basis}; boards' gain, as the GPUs are not the same",
        )


def pooled_scatter(points: Iterable[Sequence[float]]) -> PooledScatter | None:
    """The scatter of points' repeats together; None when none has two."""
    squares, degrees = 0.0, 0
    for values in points:
        if len(values) < _LEAST_REPEATS:
            continue
        mean = math.fsum(values) / len(values)
        if mean <= 0:
            continue
        squares += math.fsum((value / mean - 1.0) ** 2 for value in values)
        degrees += len(values) - 1
    return (
        PooledScatter(relative=math.sqrt(squares / degrees), degrees=degrees) if degrees else None
    )


def estimate(
    values: Sequence[float], widths: Sequence[float | None] | None, scatter: PooledScatter | None
) -> Ranged:
    """The mean of a point's repeats.

    Args:
        values: one of each run, at least one.
        widths: expanded uncertainty of each by its sensors; None for what no sensor reads, such
            as time, and in it where nobody told it.
        scatter: of all points of the same boards, for a point of fewer than three runs.
    """
    known = [width for width in widths or () if width is not None]
    sensor = width_of_mean(known) if known and len(known) == len(values) else 0.0
    interval = interval_by_rule(values, sensor)
    if interval.n >= _LEAST_OWN:
        return Ranged(value=interval.mean, low=interval.low, high=interval.high, basis=BY_REPEATS)
    if scatter is None:
        return Ranged(value=interval.mean, low=None, high=None, basis=NO_SCATTER)
    half = math.hypot(scatter.half * interval.mean / math.sqrt(interval.n), sensor)
    runs = "1 run" if interval.n == 1 else f"{interval.n} runs"
    return Ranged(
        value=interval.mean,
        low=interval.mean - half,
        high=interval.mean + half,
        basis=f"{runs}: scatter of all points with repeats ({scatter.degrees} degrees of freedom)",
    )


def below(one: Ranged, other: Ranged) -> bool:
    """Whether one is told to be less: its whole interval lies below the other's."""
    return one.high is not None and other.low is not None and one.high < other.low


def ratio(one: Ranged, base: Ranged) -> Ranged | None:
    """One over another with its interval, relative halves in quadrature; None without a base."""
    if base.value <= 0 or one.value < 0:
        return None
    value = one.value / base.value
    if one is base:
        return Ranged(value=1.0, low=1.0, high=1.0, basis="over itself")
    parts = [one.relative, base.relative]
    widths = [part for part in parts if part is not None]
    if len(widths) < len(parts):
        basis = one.basis if one.relative is None else base.basis
        return Ranged(value=value, low=None, high=None, basis=basis)
    half = math.hypot(*widths)
    basis = one.basis if one.basis == base.basis else f"{one.basis}; {base.basis}"
    return Ranged(
        value=value, low=value * math.exp(-half), high=value * math.exp(half), basis=basis
    )
