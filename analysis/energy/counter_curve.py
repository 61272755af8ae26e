"""Counter curve: energy as a board's own running total tells it."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from analysis.energy.curves import EVEN, TWO_POINTS, Break, Curve
from analysis.energy.methods import POLLED_COUNTER
from analysis.runs.series import FloatArray, IntArray, Series
from telemetry.boards.reading_limits import POWER_FACTOR
from telemetry.clock import US_PER_S
from telemetry.record.reading_bounds import STILL_US

# Where a counter was read further apart than this many of its updates, power tells between.
_CARRIED_UPDATES: Final = 2.0
# A counter that stands for as many of its updates is at rest (`STILL_US` for a board's).
_STILL_UPDATES: Final = 10
# A quantity that lies anywhere within a half-width has this share of its square as variance
# (JCGM 100, 4.3.7).
_HALF_EVEN: Final = EVEN / 4.0


def counter_curve(
    series: Series,
    *,
    edge_us: int,
    resolution_us: int,
    lag_us: int,
    edge_power_w: float = 0.0,
    method: str = POLLED_COUNTER,
    power: Series | None = None,
    carrier: Curve | None = None,
    most_w: float | None = None,
) -> Curve | str:
    """The curve of an energy counter, or the reason why there is none.

    A counter that never moves does not count. Where one falls, it began anew; where it stands for a
    second, power flowed all the same; where it leaps, no board can draw as much: what was drawn
    meanwhile nobody knows, and before and after it counts. A value that only repeats the one before
    is no new reading of the board. `power` are the same board's readings of power, given where the
    counter itself was read too seldom to tell what may be misplaced at an edge, and `carrier` is
    the curve under them: between two readings energy then lies as power did, and what the two
    differ by there may lie anywhere. `most_w` is the most that the board can draw for seconds.
    """
    t_us, value = series.distinct()
    if len(t_us) < TWO_POINTS:
        return series.too_few(len(t_us))
    steps = np.diff(value)
    breaks = _breaks(series, t_us, value, lag_us, most_w)
    # What no difference is told of: falls and leaps.
    lost_j = np.where((steps < 0) | _leaps(t_us, value, most_w), steps, 0.0)
    if (value == value[0]).all():
        return f"the counter stood at {value[0]:.3f} J throughout"
    if not (steps > lost_j).any():
        return breaks[0].reason
    new = np.concatenate(([True], np.diff(value) != 0))
    width_us = series.width_us
    if width_us is not None:
        width_us = width_us[series.first_of_each()][new]
    t_us = t_us[new]
    energy_j = (value - value[0] - np.concatenate(([0.0], np.cumsum(lost_j))))[new]
    strayed_j2: FloatArray | None = None
    if carrier is not None and width_us is None:
        t_us, energy_j, strayed_j2 = _carried(t_us, energy_j, carrier, _CARRIED_UPDATES * lag_us)
    return Curve(
        method=method,
        t_us=t_us,
        energy_j=energy_j,
        power_w=None,
        edge_us=edge_us,
        resolution_us=resolution_us,
        lag_us=lag_us,
        edge_power_w=edge_power_w,
        width_us=width_us,
        seen=power or None,
        strayed_j2=strayed_j2,
        most_w=most_w,
        breaks=breaks,
    )


def _breaks(
    series: Series, t_us: IntArray, value: FloatArray, lag_us: int, most_w: float | None
) -> tuple[Break, ...]:
    """Where the counter says nothing, by time."""
    steps = np.diff(value)
    found: list[tuple[int, int, str]] = [
        (int(at), int(at) + 1, f"the counter fell from {value[at]:.3f} J to {value[at + 1]:.3f} J")
        for at in np.flatnonzero(steps < 0)
    ]
    found += [
        (
            int(at),
            int(at) + 1,
            f"the counter rose by {steps[at]:.3f} J, more than its board can draw",
        )
        for at in np.flatnonzero(_leaps(t_us, value, most_w))
    ]
    # Each first reading of a value, and the reading before the next value.
    firsts = np.concatenate(([0], np.flatnonzero(steps != 0) + 1))
    lasts = np.concatenate((firsts[1:] - 1, [len(t_us) - 1]))
    still_us = max(STILL_US, _STILL_UPDATES * lag_us)
    stood_us = t_us[lasts] - t_us[firsts]
    for at in np.flatnonzero(stood_us >= still_us):
        first, after = int(firsts[at]), min(int(lasts[at]) + 1, len(t_us) - 1)
        what = f"the counter stood at {value[first]:.3f} J for {stood_us[at] / US_PER_S:.3f} s"
        found.append((first, after, f"{what} while power flowed"))
    for null_us, reason in series.breaks:
        after = int(np.searchsorted(t_us, null_us))
        if 0 < after < len(t_us):
            found.append((after - 1, after, reason))
    breaks = [
        Break(start_us=int(t_us[start]), end_us=int(t_us[end]), reason=reason)
        for start, end, reason in found
    ]
    return tuple(sorted(breaks, key=lambda one: one.start_us))


def _leaps(t_us: IntArray, value: FloatArray, most_w: float | None) -> NDArray[np.bool_]:
    """True where the counter rose by more than its board can draw, an update late and all."""
    if most_w is None:
        return np.zeros(len(t_us) - 1, dtype=np.bool_)
    seconds = (np.diff(t_us) + STILL_US) / US_PER_S
    return np.asarray(np.diff(value) > POWER_FACTOR * most_w * seconds)


def _carried(
    t_us: IntArray, energy_j: FloatArray, carrier: Curve, least_us: float
) -> tuple[IntArray, FloatArray, FloatArray]:
    """The counter with the times of power's readings between its own, where those are far apart.

    Its own difference is spread as power lay, so a gain of the power readings drops out. How far
    the energy at each time may stray: the two witnesses' difference may lie before it or after, no
    more than was drawn there, and so may what the curve under power leaves open.
    """
    times, energies, strays = [t_us[:1]], [energy_j[:1]], [np.zeros(1)]
    told_j = carrier.at(t_us)
    variance_j2 = carrier.variance_j2
    if variance_j2 is None:
        variance_j2 = np.zeros(len(carrier.t_us))
    open_j2 = np.interp(t_us, carrier.t_us, variance_j2)
    firsts = np.searchsorted(carrier.t_us, t_us, side="right")
    lasts = np.searchsorted(carrier.t_us, t_us, side="left")
    far = np.diff(t_us) > least_us
    for at in range(len(t_us) - 1):
        inner = slice(firsts[at], lasts[at + 1])
        taken_j, whole_j = energy_j[at + 1] - energy_j[at], told_j[at + 1] - told_j[at]
        # Not a number where the curve does not reach over both.
        if far[at] and inner.stop > inner.start and whole_j > 0:
            inner_j = taken_j * (carrier.energy_j[inner] - told_j[at]) / whole_j
            times.append(carrier.t_us[inner])
            energies.append(energy_j[at] + inner_j)
            apart_j = np.minimum(abs(taken_j - whole_j), np.minimum(inner_j, taken_j - inner_j))
            left_j2 = np.minimum(
                variance_j2[inner] - open_j2[at], open_j2[at + 1] - variance_j2[inner]
            )
            strays.append(apart_j**2 / _HALF_EVEN + left_j2)
        times.append(t_us[at + 1 : at + 2])
        energies.append(energy_j[at + 1 : at + 2])
        strays.append(np.zeros(1))
    return np.concatenate(times), np.concatenate(energies), np.concatenate(strays)
