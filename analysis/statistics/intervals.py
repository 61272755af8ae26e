"""Mean and confidence interval of repeats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Two-sided 95 % points of Student's t for 1 to 30 degrees of freedom
# (NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2).
_T_95: Final = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
# Two-sided 95 % point of the normal distribution.
_Z_95: Final = 1.959964


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


def t_quantile_95(degrees: int) -> float:
    """Student's two-sided 95 % point; beyond 30 degrees by two terms of Cornish and Fisher.

    Raises:
        ValueError: fewer than one degree of freedom.
    """
    if degrees < 1:
        raise ValueError(f"`degrees` must be at least 1, but is {degrees} instead")
    if degrees <= len(_T_95):
        return _T_95[degrees - 1]
    z = _Z_95
    first = (z**3 + z) / (4 * degrees)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
    return z + first + second


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
    half = math.hypot(t_quantile_95(n - 1) * math.sqrt(variance / n), sensor or 0.0)
    return Interval(n=n, mean=mean, low=mean - half, high=mean + half, reason=None)


def width_of_mean(widths: Sequence[float]) -> float:
    """Expanded uncertainty of the mean of values with these independent ones."""
    return math.hypot(*widths) / len(widths)
