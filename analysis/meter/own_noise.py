"""Own noise: whether a meter's readings are its own, or the record's moved and scaled.

Two instruments beside each other err differently: each has its own noise and its own times. A log
that was made from the record has its times, or lies on the lines between its readings.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from analysis.energy.curves import Curve
from analysis.meter.clock_fit import ClockFit
from analysis.meter.log import MeterLog
from analysis.runs.series import FloatArray, IntArray, Series
from telemetry.clock import US_PER_S

# Two programs that poll every 100 ms meet within this of each other once in 10,000 readings.
_SAME_MOMENT_US: Final = 2
# So many of the shorter one's readings at the other's moments are no chance.
_MOST_SHARED: Final = 0.5
# What two instruments differ by, as a share of what either's neighbouring readings differ by.
# Independent readers of one H200's own sensor came to 0.3 and more; a copy comes to the rounding
# of its printing.
LEAST_OWN: Final = 0.02
# The same of a running total and the energy under power: 58 and more by the counter of one H200 and
# its power; lines between the energies of a record come to 0.1.
_LEAST_OWN_TOTAL: Final = 0.5
_LEAST: Final = 16
# How finely a move is looked for: ten to each side, each time ten times finer, to a microsecond.
_MOVES: Final = 10
_FINEST_US: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How alike a meter's readings and one of the record's are."""

    field: str
    """The reading of the record that is most like it."""
    shared_times: float
    """Share of the readings of the sparser one that lie at a moment of the other's."""
    own_noise: float | None
    """What they differ by about the best line, over what neighbouring readings of the record differ
    by; None where there are too few."""

    least: float = LEAST_OWN
    """The least of that which a second instrument comes to."""

    @property
    def copied(self) -> str | None:
        """Why the log must have been made from the record; None where nothing says so."""
        if self.shared_times > _MOST_SHARED:
            return (
                f"{self.shared_times:.0%} of its times are those of the record's {self.field}, "
                "moved by one amount"
            )
        if self.own_noise is not None and self.own_noise < self.least:
            return (
                f"it follows the record's {self.field} with {self.own_noise:.2%} of that reading's "
                f"own noise, least {self.least:.0%}: no second instrument does"
            )
        return None


def likeness(
    log: MeterLog,
    fit: ClockFit,
    series: Mapping[str, Series],
    curves: Mapping[str, Sequence[Curve]],
    span_us: tuple[int, int],
) -> Likeness | None:
    """How alike a log and the record's readings are: the most alike of them.

    Args:
        log: the meter's readings by its own clock.
        fit: how far that is ahead.
        series: power and counter of all covered GPUs together, by field.
        curves: each covered GPU's energy over time, by method.
        span_us: the run's life.
    """
    t_us, reach_us = log.t_us - fit.offset_us, fit.plus_minus_us
    inside = (t_us >= span_us[0]) & (t_us <= span_us[1])
    if inside.sum() < _LEAST:
        return None
    t_us = t_us[inside]
    found = []
    for field, own in series.items():
        values = log.energy_j if field.endswith("_j") else log.power_w
        if len(own) >= _LEAST:
            found.append(
                Likeness(
                    field=field,
                    shared_times=_shared_times(t_us, own.t_us),
                    own_noise=(
                        None
                        if values is None
                        else _at_best(partial(_own_noise, t_us, values[inside], own), reach_us)
                    ),
                )
            )
    if log.energy_j is not None:
        found += [
            Likeness(field=method, shared_times=0.0, own_noise=noise, least=_LEAST_OWN_TOTAL)
            for method, own in curves.items()
            if (noise := _at_best(partial(_own_steps, t_us, log.energy_j[inside], own), reach_us))
            is not None
        ]
    return max(
        found,
        key=lambda one: (
            one.copied is not None,
            one.own_noise is not None,
            one.shared_times,
            -(one.own_noise or 0.0),
        ),
        default=None,
    )


def summed(series: Sequence[Series]) -> Series:
    """Readings of one field of several GPUs together, at the first one's times."""
    t_us, value = series[0].distinct()
    for other in series[1:]:
        if len(other):
            value = value + np.interp(t_us, other.t_us, other.value)
    return Series(t_us=t_us, value=value)


def _shared_times(meter_us: IntArray, own_us: IntArray) -> float:
    """Share of the sparser one's times that are the other's, at the one shift that most have."""
    sparse, dense = sorted((meter_us, own_us), key=len)
    sparse = sparse[(sparse >= dense[0]) & (sparse <= dense[-1])]
    if len(sparse) < _LEAST:
        return 0.0
    at = np.clip(np.searchsorted(dense, sparse), 1, len(dense) - 1)
    nearest = np.where(sparse - dense[at - 1] <= dense[at] - sparse, at - 1, at)
    apart = np.sort(sparse - dense[nearest])
    reach = np.searchsorted(apart, apart + 2 * _SAME_MOMENT_US, side="right")
    return float((reach - np.arange(len(apart))).max()) / len(apart)


def _at_best(noise: Callable[[float], float | None], reach_us: int) -> float | None:
    """The least noise at any move of the log by up to `reach_us`: a copy may be moved by any.

    None where there are too few readings.
    """
    best = noise(0.0)
    if best is None:
        return None
    step_us, centre_us = reach_us / _MOVES, 0.0
    while step_us >= _FINEST_US:
        moves_us = [centre_us + by * step_us for by in range(-_MOVES, _MOVES + 1)]
        told = [(value, move_us) for move_us in moves_us if (value := noise(move_us)) is not None]
        least, centre_us = min(told, default=(best, centre_us))
        best = min(best, least)
        step_us /= _MOVES
    return best


def _own_noise(t_us: IntArray, values: FloatArray, own: Series, move_us: float) -> float | None:
    """What the two differ by about the best line, over what neighbours of ours differ by."""
    t_us = t_us + round(move_us)
    known = np.isfinite(values) & (t_us >= own.t_us[0]) & (t_us <= own.t_us[-1])
    if known.sum() < _LEAST:
        return None
    told = np.interp(t_us[known], own.t_us, own.value)
    noise = float(np.median(np.abs(np.diff(own.value))))
    if noise <= 0 or np.ptp(told) <= 0:
        return None
    slope, level = np.polyfit(told, values[known], 1)
    if slope <= 0:
        return None
    left = values[known] - slope * told - level
    # The median: a copy's few rows at a gap of the record's must not hide the others.
    return float(np.median(np.abs(left)) / (slope * noise))


def _own_steps(
    t_us: IntArray, energy_j: FloatArray, curves: Sequence[Curve], move_us: float
) -> float | None:
    """The same of a running total and the energy under the record's readings.

    What power differs by between two readings, over the time between them, is the noise there.
    """
    t_us = t_us + round(move_us)
    told_j = np.sum([one.at(t_us) for one in curves], axis=0)
    known = np.isfinite(told_j) & np.isfinite(energy_j)
    powers = [one.power_w for one in curves if one.power_w is not None]
    if known.sum() < _LEAST or len(powers) < len(curves):
        return None
    step_s = float(np.median(np.diff(curves[0].t_us))) / US_PER_S
    noise_j = step_s * math.hypot(*(float(np.median(np.abs(np.diff(one)))) for one in powers))
    told_j, energy_j = told_j[known], energy_j[known]
    if noise_j <= 0 or np.ptp(told_j) <= 0:
        return None
    slope, level = np.polyfit(told_j, energy_j, 1)
    if slope <= 0:
        return None
    return float(np.median(np.abs(energy_j - slope * told_j - level)) / (slope * noise_j))
