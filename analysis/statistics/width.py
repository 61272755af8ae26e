"""Width: how uncertain a difference is by its scatter and by what no repeat tells, together.

The scatter's part is Student's t at its degrees of freedom, the other the normal distribution's:
an end of the interval is the root sum of squares of both, and a test's probability that of the
interval which just reaches.
"""

import math
from dataclasses import dataclass
from typing import Final

# No test says more, and scipy's quantiles are numbers down to there, whatever the degrees.
_LEAST_TAIL: Final = 1e-60


@dataclass(frozen=True, kw_only=True)
class Width:
    """How uncertain a difference of logarithms is."""

    scatter: float
    """Standard uncertainty by the scatter."""
    degrees: float
    """Its degrees of freedom."""
    certain: float
    """Standard uncertainty by what no repeat tells."""

    def reach(self, tail: float) -> float:
        """How far from the truth it is, on one side, with that probability or a smaller one."""
        from scipy import special  # noqa: PLC0415

        return math.hypot(
            special.stdtrit(self.degrees, tail) * self.scatter, special.ndtri(tail) * self.certain
        )

    def beyond(self, distance: float) -> float:
        """The probability of being so far off, on that side."""
        if self.scatter == self.certain == 0:
            return float(distance <= 0) / (2 if distance == 0 else 1)
        from scipy import optimize  # noqa: PLC0415

        if distance <= 0:
            return 0.5 if distance == 0 else 1 - self.beyond(-distance)
        if self.reach(_LEAST_TAIL) <= distance:
            return _LEAST_TAIL
        return math.exp(
            optimize.brentq(
                lambda logarithm: self.reach(math.exp(logarithm)) - distance,
                math.log(_LEAST_TAIL),
                math.log(0.5),
                xtol=1e-13,
            )
        )
