"""Mean and confidence interval of repeats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from analysis.statistics.design import LEVEL


@dataclass(frozen=True, kw_only=True)
class Interval:
    """The mean of repeats and where the true mean lies with 95 % confidence."""

    n: int
    """How many repeats there are."""
    mean: float
    """Their mean, in their own unit."""
    low: float | None
    """None with fewer than two repeats."""
    high: float | None
    """None with fewer than two repeats."""
    reason: str | None
    """Why there is no interval; None when there is one."""
    resampled: bool = False
    """True when it was made by the bootstrap, False by Student's t."""


@cache
def t_quantile_95(degrees: float) -> float:
    """Student's two-sided 95 % point, as scipy has it.

    Raises:
        ValueError: fewer than one degree of freedom.
    """
    if not degrees >= 1:
        raise ValueError(f"`degrees` must be at least 1, but is {degrees} instead")
    # A plan loads no more than it asks for.
    from scipy import special  # noqa: PLC0415

    return float(special.stdtrit(degrees, 1 - LEVEL / 2))


def interval_95(values: Sequence[float], sensor: float | None = None) -> Interval:
    """Mean and t interval of independent repeats, assumed to scatter normally.

    A resampled interval would be too narrow for the three to five repeats that GPU hours allow.
    `sensor` is the expanded uncertainty of the mean by the sensors alone: repeats that agree by
    chance do not make a sensor better, so it widens the interval in quadrature.

    Raises:
        ValueError: there is no value.
    """
    n = len(values)
    if n == 0:
        raise ValueError("`values` must hold at least one number, but is empty instead")
    mean = math.fsum(values) / n
    if n == 1:
        return Interval(n=n, mean=mean, low=None, high=None, reason="one repeat has no spread")
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    half = t_quantile_95(n - 1) * math.sqrt(variance / n)
    scattered = Interval(n=n, mean=mean, low=mean - half, high=mean + half, reason=None)
    return widened(scattered, sensor)


def widened(interval: Interval, sensor: float | None) -> Interval:
    """An interval of the scatter, each end moved away from the mean by the sensors in quadrature.

    Where there is no interval there is none with the sensors either: one run has no scatter.
    """
    if sensor is None or interval.low is None or interval.high is None:
        return interval
    return replace(
        interval,
        low=interval.mean - math.hypot(interval.mean - interval.low, sensor),
        high=interval.mean + math.hypot(interval.high - interval.mean, sensor),
    )


def width_of_mean(widths: Sequence[float]) -> float:
    """Expanded uncertainty of the mean of values with these independent ones."""
    return math.hypot(*widths) / len(widths)
