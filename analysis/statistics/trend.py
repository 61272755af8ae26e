"""Trend: whether repeats of the same work drift with the time at which they were measured.

A room that warms up, fans that age and a clock that falls make later runs cost more. Within each
point the logarithms are held against the runs' starts by least squares, one slope for all points
and a mean of its own for each (W. Kleiber, A. Zeileis, Applied Econometrics with R, 2008, 3.6: the
within estimator), by statsmodels; the points' means take one degree of freedom each.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.statistics.design import LEVEL, MOST_LOGARITHM, least_effect


@dataclass(frozen=True, kw_only=True)
class Trend:
    """How repeats change with time, from the first run of a point to its last."""

    runs: int
    """Runs of points that were run more than once: the others say nothing of it."""
    points: int
    """How many points those are of."""
    hours: float
    """Longest time from the first to the last start within a point."""
    change: float | None
    """Relative change in those hours: 0.01 is 1 % more. None when it cannot be told."""
    low: float | None
    """Lower end of its 95 % interval."""
    high: float | None
    """Upper end of the same."""
    p: float | None
    """Probability of such a trend, or a steeper one, where there is none; None without a test."""
    smallest: float | None
    """The least such change that these runs would have shown in 4 cases of 5."""
    reason: str | None
    """Why there is no test; None when there is one."""

    @property
    def drifts(self) -> bool | None:
        """Whether a trend is shown; None when it cannot be told."""
        return None if self.p is None else self.p < LEVEL

    @property
    def sentence(self) -> str:
        """What a reader has to know of it, in one sentence."""
        if self.p is None:
            return f"Drift cannot be told: {self.reason}."
        assert self.change is not None
        assert self.low is not None
        assert self.high is not None
        runs = f"{self.runs} runs of {_counted(self.points, 'point')}"
        found = (
            f"{_percent(self.change)} in {self.hours:.2g} h (95 % interval {_percent(self.low)} "
            f"to {_percent(self.high)}) over {runs}, {p_told(self.p)}"
        )
        if self.drifts:
            return f"Drift: energy per token changes by {found}."
        assert self.smallest is not None
        return (
            f"No drift shown: {found}; one of {_percent(self.smallest).removeprefix('+')} would "
            "have been in 4 cases of 5."
        )


def trend_within(
    values: Sequence[float], hours: Sequence[float], points: Sequence[Hashable]
) -> Trend:
    """The trend of values over time within points.

    Args:
        values: one a run, above 0, such as joules a token.
        hours: when each run began, from any one moment.
        points: what each run is a repeat of.

    Raises:
        ValueError: there are not as many of each, or a value is none that has a logarithm.
    """
    if not len(values) == len(hours) == len(points):
        raise ValueError(
            "`values`, `hours` and `points` must be equally many, "
            f"but are {len(values)}, {len(hours)} and {len(points)} instead"
        )
    if not all(math.isfinite(value) and value > 0 for value in values):
        raise ValueError(f"`values` must be numbers above 0, but are {list(values)!r} instead")
    members: dict[Hashable, list[tuple[float, float]]] = {}
    # In the order of time, so that the order in which runs are told moves no digit.
    for point, hour, value in sorted(
        zip(points, hours, values, strict=True), key=lambda one: (one[1], one[2], repr(one[0]))
    ):
        members.setdefault(point, []).append((hour, math.log(value)))
    several = [np.array(one) for one in members.values() if len(one) > 1]
    runs, count = sum(map(len, several)), len(several)
    span = max((float(np.ptp(one[:, 0])) for one in several), default=0.0)
    degrees = runs - count - 1
    if not several:
        return _untold(runs, count, span, "no point was run more than once")
    if degrees < 1:
        return _untold(runs, count, span, "one point of two runs has a slope and no scatter")
    if span == 0:
        return _untold(runs, count, span, "all repeats began at the same time")
    centred = np.concatenate([one - one.mean(axis=0) for one in several])
    return _fitted(centred, runs, count, span)


def p_told(p: float) -> str:
    """A probability of a test, as sentences have it."""
    return "p < 0.001" if p < _LEAST_P else f"p = {p:.2g}"


# Smaller ones say more of the model than of the world.
_LEAST_P = 0.001


def _fitted(
    centred: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", runs: int, count: int, span: float
) -> Trend:
    from statsmodels.regression.linear_model import OLS  # noqa: PLC0415

    degrees = runs - count - 1
    # Over the whole span, and not an hour: runs that are seconds apart say nothing of hours.
    model = OLS(centred[:, 1], centred[:, :1] / span)
    # It counts the slope alone: each point's mean was taken from its runs before.
    model.df_resid = degrees
    fitted = model.fit()
    slope, width = float(fitted.params[0]), float(fitted.bse[0])
    if width > 0:
        low, high = (float(end) for end in fitted.conf_int(LEVEL)[0])
        p = float(fitted.pvalues[0])
    else:
        low = high = slope
        p = float(slope == 0)
    return Trend(
        runs=runs,
        points=count,
        hours=span,
        change=_relative(slope),
        low=_relative(low),
        high=_relative(high),
        p=p,
        smallest=least_effect(width, degrees),
        reason=None,
    )


def _untold(runs: int, points: int, span: float, reason: str) -> Trend:
    return Trend(
        runs=runs,
        points=points,
        hours=span,
        change=None,
        low=None,
        high=None,
        p=None,
        smallest=None,
        reason=reason,
    )


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"


def _relative(logarithm: float) -> float:
    return math.expm1(min(logarithm, MOST_LOGARITHM))


def _percent(share: float) -> str:
    return f"{share * 100:+.2g} %" if abs(share) < 1 else f"{share * 100:+,.0f} %"
