"""Drift: whether J/token went one way over the rounds of a campaign, in all points together.

Each round is a repeat of all points in an order of its own, so that what drifts with the room falls
on all points alike and shows between rounds. Tested is the correlation of J/token with the round
within each point, put together over the points (N. Mantel, Chi-square tests with one degree of
freedom; extensions of the Mantel-Haenszel procedure, J. Am. Stat. Assoc. 58 (1963), 690-700): what
it takes for granted is that repeats of one point may be exchanged where nothing drifts, not how
much they scatter, which differs between points.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Final

LEVEL: Final = 0.05
"""Probability below which a drift is told."""
# Two rounds of a point lie in one of two orders.
_LEAST_ROUNDS: Final = 3


@dataclass(frozen=True, kw_only=True)
class RoundsDrift:
    """What the rounds say of drift."""

    rounds: int
    """How many rounds there are."""
    points: int
    """How many points were in at least three of them."""
    p: float | None
    """Probability of such a trend, or a stronger one, where nothing drifts; None where it cannot be
    tested."""
    per_round: float | None
    """By how much J/token rises from a round to the next, as a share; None without a test."""

    @property
    def told(self) -> str:
        """The same in one line."""
        if self.p is None or self.per_round is None:
            return f"drift not tested: {self.rounds} of at least {_LEAST_ROUNDS} rounds"
        points = f"{self.points} point{'s' if self.points > 1 else ''}"
        odds = f"p = {self.p:.2g}"
        if self.p >= LEVEL:
            return f"no drift told over {self.rounds} rounds of {points} ({odds})"
        way = "rises" if self.per_round > 0 else "falls"
        return (
            f"drift over {self.rounds} rounds of {points}: J/token {way} by "
            f"{abs(self.per_round) * 100:.2g} % a round ({odds}), so that scatter is no chance "
            "alone: let the room settle and repeat elsewhere"
        )

    @property
    def found(self) -> bool:
        """Whether one is told."""
        return self.p is not None and self.p < LEVEL

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        return {**asdict(self), "told": self.told}


def drift(points: Sequence[Mapping[int, float]]) -> RoundsDrift:
    """The drift of points, each J/token by the round that measured it, all above 0.

    Raises:
        ModuleNotFoundError: scipy is not installed.
    """
    rounds = len({number for point in points for number in point})
    series = [point for point in points if len(point) >= _LEAST_ROUNDS]
    together = of_rounds = variance = 0.0
    for point in series:
        mean_round = fmean(point)
        logs = {number: math.log(value) for number, value in point.items()}
        mean_log = fmean(logs.values())
        squares = math.fsum((number - mean_round) ** 2 for number in logs)
        scatter = math.fsum((log - mean_log) ** 2 for log in logs.values())
        together += math.fsum(
            (number - mean_round) * (log - mean_log) for number, log in logs.items()
        )
        of_rounds += squares
        # Of all orders in which the point's values could have come.
        variance += squares * scatter / (len(point) - 1)
    if not series:
        return RoundsDrift(rounds=rounds, points=0, p=None, per_round=None)
    p = 1.0
    if variance > 0:
        from scipy import special  # noqa: PLC0415

        p = float(special.chdtrc(1, together**2 / variance))
    return RoundsDrift(
        rounds=rounds, points=len(series), p=p, per_round=math.expm1(together / of_rounds)
    )
