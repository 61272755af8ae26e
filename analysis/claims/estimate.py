"""Estimate: a ratio of two samples, or of one to a number, and what its tests say of a bound.

Of ours it is on logarithms, by `analysis.statistics.ratio`: one-sided t tests against a bound. Of
the paper's own numbers, which have no repeats, it is an interval by how far each may be off.
"""

import math
from dataclasses import dataclass
from typing import Final

from analysis.claims.sample import Figure
from analysis.statistics.ratio import Ratio, Repeats, ratio_of
from analysis.statistics.width import Width

# No verdict is taken from it: the tests against a claim's own bounds are made here.
_ANY_MARGIN: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with what is known of it."""

    value: float
    """The ratio, or the number itself."""
    low: float | None
    """Lower end: of the 95 % interval, or the least that the paper's number can be."""
    high: float | None
    """Upper end of the same."""
    repeats: tuple[int, ...]
    """Runs of either side, or of the one; empty of the paper's, and of what is exact."""
    width: Width | None
    """How uncertain the logarithm is; None of the paper's, and without a test."""
    by: str
    """What was tested by."""
    reason: str | None
    """Why there is no test; None where there is one, and of the paper's."""

    @property
    def certain(self) -> bool:
        """True of the paper's own numbers and of counts: an inequality decides, no probability."""
        return not self.repeats

    def p_above(self, bound: float) -> float | None:
        """Probability of such a number, or a higher one, where the true one is `bound` at most.

        None without a test; of the paper's 0 where it is above for certain, else 1.
        """
        if self.certain:
            assert self.low is not None
            return float(self.low < bound)
        return self._p(math.log(self.value / bound))

    def p_below(self, bound: float) -> float | None:
        """The same of a number below it."""
        if self.certain:
            assert self.high is not None
            return float(self.high > bound)
        return self._p(math.log(bound / self.value))

    def _p(self, distance: float) -> float | None:
        if self.width is None:
            return None
        if self.width.scatter == self.width.certain == 0:
            # Known without a doubt, as a count is: on the bound is inside.
            return 0.0 if distance >= 0 else 1.0
        return self.width.beyond(distance)


def ratio_estimate(base: Figure, other: Figure, *, same_boards: bool) -> Estimate:
    """`other` over `base`; the boards' gain cancels where the very same worked on both sides."""
    if base.repeats is None or other.repeats is None:
        return _by_reading(other.value / base.value, math.hypot(base.half, other.half))
    sides = (base.repeats, other.repeats)
    if same_boards:
        sides = (_without_gain(sides[0]), _without_gain(sides[1]))
    counts = (len(sides[0].values), len(sides[1].values))
    return _of_ratio(ratio_of(*sides, margin=_ANY_MARGIN), 1.0, counts)


def level_estimate(figure: Figure) -> Estimate:
    """The number of one sample, its repeats tested against a bound by Student's t."""
    if figure.repeats is None:
        return _by_reading(figure.value, figure.half)
    # Over a number that is exact, which two equal repeats are.
    count = len(figure.repeats.values)
    exact = Repeats(values=(1.0, 1.0), sensor=0.0)
    return _of_ratio(ratio_of(exact, figure.repeats, margin=_ANY_MARGIN), 1.0, (count,))


def _of_ratio(found: Ratio, scale: float, counts: tuple[int, ...]) -> Estimate:
    width = None
    if found.degrees is not None and found.scatter is not None:
        width = Width(scatter=found.scatter, degrees=found.degrees, certain=found.certain)
    one = "one run" if counts == (1,) else "one run on a side"
    return Estimate(
        value=found.ratio * scale,
        low=found.low,
        high=found.high,
        repeats=counts,
        width=width,
        by=found.test if len(counts) > 1 else "Student's t of logarithms",
        reason=None if found.reason is None else f"{one}: no interval over repeats",
    )


def _by_reading(value: float, half: float) -> Estimate:
    """A number of the paper; what two of them are off by is independent."""
    return Estimate(
        value=value,
        low=value * (1 - half),
        high=value * (1 + half),
        repeats=(),
        width=None,
        by="an inequality: exact, or off by what reading or rounding allows",
        reason=None,
    )


def _without_gain(repeats: Repeats) -> Repeats:
    return Repeats(values=repeats.values, sensor=repeats.sensor)
