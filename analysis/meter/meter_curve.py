"""Meter curve: a meter's energy over time, calibrated, on the record's clock."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.energy.curves import EDGE_PERIODS, TWO_POINTS, Break, Curve
from analysis.energy.power_curve import power_integral_curve
from analysis.meter.log import GAP_STEPS, MeterLog
from analysis.meter.statement import Statement
from analysis.runs.series import Series
from telemetry.clock import US_PER_S

_METHOD: Final = "outside meter"
_SILENT: Final = "the meter was silent for {:.1f} s"


@dataclass(frozen=True, kw_only=True, eq=False)
class MeterCurve:
    """One of a meter's two readings as a curve, and how coarse it is."""

    reading: str
    """`energy`, its running total, or `power`, the integral of it."""
    curve: Curve
    """Energy over time on the record's clock, of the share that is covered."""
    resolution_us: int
    """The shortest time that its readings tell apart."""


def meter_curves(statement: Statement, log: MeterLog, offset_us: int) -> list[MeterCurve]:
    """The curves that a log gives, the running total before power; none where it has neither.

    `offset_us` is how far the meter's clock is ahead of the record's.
    """
    return [
        made
        for made in (_by_energy(statement, log, offset_us), _by_power(statement, log, offset_us))
        if made is not None
    ]


def _by_energy(statement: Statement, log: MeterLog, offset_us: int) -> MeterCurve | None:
    if log.energy_j is None:
        return None
    known = np.isfinite(log.energy_j)
    t_us, value = log.t_us[known] - offset_us, log.energy_j[known]
    if len(t_us) < TWO_POINTS:
        return None
    steps = np.diff(value)
    breaks = tuple(
        Break(
            start_us=int(t_us[at]),
            end_us=int(t_us[at + 1]),
            reason=f"the meter's total fell from {value[at]:.3f} J to {value[at + 1]:.3f} J",
        )
        for at in np.flatnonzero(steps < 0)
    )
    moved = np.flatnonzero(steps > 0)
    if len(moved) < TWO_POINTS:
        return None
    # A total that moves in steps is late by up to the time between two of them.
    update_us = max(log.step_us, int(np.median(np.diff(t_us[moved + 1]))))
    energy_j = np.concatenate(([0.0], np.cumsum(np.where(steps < 0, 0.0, steps))))
    # A value that only repeats the one before is no new reading.
    new = np.concatenate(([True], steps != 0))
    t_us, energy_j = t_us[new], energy_j[new]
    seconds = (t_us - t_us[0]) / US_PER_S
    return MeterCurve(
        reading="energy",
        curve=Curve(
            method=_METHOD,
            t_us=t_us,
            energy_j=statement.share * (statement.gain * energy_j + statement.offset_w * seconds),
            power_w=None,
            edge_us=int(EDGE_PERIODS * update_us),
            resolution_us=update_us,
            lag_us=update_us,
            breaks=breaks,
        ),
        resolution_us=update_us,
    )


def _by_power(statement: Statement, log: MeterLog, offset_us: int) -> MeterCurve | None:
    if log.power_w is None:
        return None
    known = np.isfinite(log.power_w)
    t_us = log.t_us - offset_us
    power_w = statement.share * (statement.gain * log.power_w[known] + statement.offset_w)
    window_us = round(statement.power_mean_s * US_PER_S)
    moved = np.flatnonzero(np.diff(power_w))
    # A meter that is asked more often than it measures repeats itself.
    update_us = int(np.median(np.diff(t_us[known][moved + 1]))) if len(moved) > TWO_POINTS else 0
    resolution_us = max(log.step_us, window_us, update_us)
    missing_us = t_us[~known]
    series = Series(
        t_us=t_us[known],
        value=power_w,
        nulls=len(missing_us),
        null_reason="the meter had no reading" if len(missing_us) else None,
        null_us=missing_us if len(missing_us) else None,
    )
    curve = power_integral_curve(
        series,
        field=_METHOD,
        edge_us=int(EDGE_PERIODS * log.step_us),
        window_us=window_us,
        resolution_us=resolution_us,
    )
    if isinstance(curve, str):
        return None
    return MeterCurve(reading="power", curve=curve, resolution_us=resolution_us)


def silence(log: MeterLog, curve: Curve, window_us: tuple[int, int]) -> str | None:
    """Why power says too little of a window: the meter was silent in it; None where it was not."""
    inside = (curve.t_us[1:] > window_us[0]) & (curve.t_us[:-1] < window_us[1])
    widest_us = int(np.diff(curve.t_us)[inside].max(initial=0))
    return _SILENT.format(widest_us / US_PER_S) if widest_us > GAP_STEPS * log.step_us else None
