"""Power curve: energy as the trapezoid under a board's power."""

import numpy as np

from analysis.energy.curves import EDGE_PERIODS, EVEN, TWO_POINTS, Curve
from analysis.energy.methods import POWER_INTEGRAL
from analysis.runs.series import Series
from telemetry.clock import US_PER_S


def power_integral_curve(
    series: Series,
    *,
    field: str,
    edge_us: int,
    window_us: int,
    resolution_us: int,
    most_w: float = 0.0,
) -> Curve | str:
    """The curve under power readings (trapezoid), or the reason why there is none.

    A reading is the mean of the `window_us` before its stamp, so it stands for the middle of that.
    `most_w` is the most that the board can draw for seconds; 0 for unknown.
    """
    t_us, value = series.distinct()
    if len(t_us) < TWO_POINTS:
        return series.too_few(len(t_us))
    width_us = np.diff(t_us)
    width_s = width_us / US_PER_S
    energy_j = np.concatenate(([0.0], np.cumsum(0.5 * (value[1:] + value[:-1]) * width_s)))
    # Between two readings a step may lie anywhere but in the window of the second.
    unseen_s = np.maximum(0, width_us - window_us) / US_PER_S
    step_w = np.abs(np.diff(value))
    # In a gap, or where a reading is known to lack, power may have been anything that was seen
    # elsewhere, and what the board can draw.
    range_w = max(float(value.max()), most_w) - float(value.min())
    blind = width_us > EDGE_PERIODS * resolution_us
    if series.null_us is not None:
        blind |= np.diff(np.searchsorted(series.null_us, t_us)) > 0
    step_w = np.where(blind, range_w, step_w)
    variance_j2 = np.concatenate(([0.0], np.cumsum((step_w * unseen_s) ** 2 / EVEN)))
    return Curve(
        method=f"{POWER_INTEGRAL} of {field}",
        t_us=t_us - window_us // 2,
        energy_j=energy_j,
        power_w=value,
        # The shift takes half a window off the end that was read.
        edge_us=edge_us + window_us // 2,
        resolution_us=resolution_us,
        variance_j2=variance_j2,
    )
