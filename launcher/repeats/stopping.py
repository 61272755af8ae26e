"""Stopping: when a point has been repeated enough, by a rule that its own looking does not spoil.

A series that ends as soon as its interval is narrow ends more often where the repeats agree by
chance: with Student's 95 % interval at each look the one that ends it holds the mean in 90 % alone
(Y. S. Chow and H. Robbins, On the asymptotic theory of fixed-width sequential confidence intervals,
Ann. Math. Statist. 36 (1965), 457-462; N. Starr, The performance of a sequential procedure for the
fixed-width interval estimation of the mean, 37 (1966), 36-50). So each look takes a wider interval.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any, Final

LEVEL: Final = 0.95
"""What the interval that ends a series holds."""
# Measured, for every scatter from a tenth of the width to four times it, for 3 repeats or more
# before the first look and up to 100 in all: it holds 95.3 % at least, Student's 95 % held 90.3 %
# (tests/benchmarks/NOTES.md, "Repeats until the interval is narrow").
LOOK_LEVEL: Final = 0.98
"""Level of Student's interval at each look, so that the last one holds `LEVEL`."""
# One value has no scatter.
_LEAST: Final = 2


@dataclass(frozen=True, kw_only=True)
class Look:
    """The repeats of a point up to one of them."""

    n: int
    """How many there are."""
    mean: float
    """Mean J/token."""
    half_width: float | None
    """Half of the interval as a share of the mean; None with one repeat."""
    tight: bool
    """Whether that ends the series."""

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


def looks(values: Sequence[float], *, width: float, least: int) -> list[Look]:
    """A look after each repeat from `least` on; the last is of all values.

    Args:
        values: J/token of the repeats, in their order, all above 0.
        width: half of the interval that ends the series, as a share of the mean.
        least: repeats before the first look.

    Raises:
        ModuleNotFoundError: scipy is not installed.
    """
    return [_look(values[:n], width) for n in range(min(least, len(values)), len(values) + 1) if n]


def _look(values: Sequence[float], width: float) -> Look:
    n, mean = len(values), fmean(values)
    if n < _LEAST:
        return Look(n=n, mean=mean, half_width=None, tight=False)
    from scipy import special  # noqa: PLC0415

    quantile = float(special.stdtrit(n - 1, (1 + LOOK_LEVEL) / 2))
    half_width = quantile * stdev(values) / math.sqrt(n) / mean
    return Look(n=n, mean=mean, half_width=half_width, tight=half_width <= width)
