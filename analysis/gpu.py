"""Gpu: one GPU of a run, its energy over time and what its sensor can resolve."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.energy import ATTRIBUTABLE_PERIODS, US_PER_S, Amount, Curve, FloatArray
from analysis.spans import RankSpans
from telemetry.schema import Phase

COUNTER: Final = "counter"
"""The method that takes the board's own running total."""
INTEGRAL: Final = "integral"
"""The method that sums power over time."""
US_PER_MS: Final = 1_000
# Share of a phase's seconds that must lie in spans the sensor can resolve.
_ATTRIBUTABLE_SHARE: Final = 0.9


@dataclass(frozen=True, kw_only=True, eq=False)
class Gpu:
    """One GPU of the run: its two curves of energy and what its sensor can resolve."""

    uuid: str
    host: str
    counter: Curve | str
    """The curve, or why there is none."""
    integral: Curve | str
    period_us: int
    """The longer of the readings' period and the sensor's own update period."""
    idle_power: Amount
    """Mean power in the second half of the run's own IDLE phase, watts."""

    def curve(self, method: str) -> Curve | str:
        """The curve that `method` (`counter` or `integral`) names."""
        return self.counter if method == COUNTER else self.integral

    def attributable(self, seconds: FloatArray) -> bool:
        """True when spans of these lengths are long enough for the sensor to tell them apart."""
        long = seconds * US_PER_S >= ATTRIBUTABLE_PERIODS * self.period_us
        return bool(seconds[long].sum() >= _ATTRIBUTABLE_SHARE * seconds.sum())

    def shortness(self, seconds: FloatArray) -> str:
        """Why spans of these lengths are not attributable."""
        median_ms = float(np.median(seconds)) * US_PER_S / US_PER_MS
        least_ms = ATTRIBUTABLE_PERIODS * self.period_us / US_PER_MS
        return (
            f"not attributable: {len(seconds)} spans, median {median_ms:.1f} ms, are mostly "
            f"shorter than {ATTRIBUTABLE_PERIODS:g} sensor periods ({least_ms:.0f} ms)"
        )


def idle_power(
    rank: RankSpans, counter: Curve | str, integral: Curve | str, period_us: int
) -> Amount:
    """Mean power in the second half of the rank's IDLE phase, by the counter where it is known.

    The first half is left to the sensor's lag and to what still settles after start-up.
    """
    idle = rank.of(Phase.IDLE)
    if not len(idle):
        return Amount.unknown("the run has no idle phase")
    end_us = int(rank.end_us[idle[0]])
    start_us = (int(rank.start_us[idle[0]]) + end_us) // 2
    seconds = (end_us - start_us) / US_PER_S
    if end_us - start_us < ATTRIBUTABLE_PERIODS * period_us:
        return Amount.unknown(
            f"half of the idle phase is {seconds:.3f} s, under two sensor periods"
        )
    for curve in (counter, integral):
        if isinstance(curve, Curve):
            amount = curve.between(start_us, end_us)
            if amount.value is not None:
                return Amount.of(amount.value / seconds)
    return Amount.unknown("no reading in the idle phase")
