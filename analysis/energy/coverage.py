"""Coverage: how complete the readings of a GPU are in a window."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.energy.gpu_energy import Gpu
from analysis.energy.readings import Readings
from analysis.runs.series import Series


@dataclass(frozen=True, kw_only=True)
class Covered:
    """How complete one reading of one GPU is in the measured window."""

    device: str
    """UUID of the GPU."""
    field: str
    """The reading's name in `telemetry.record.fields.FIELDS`."""
    share: float
    """Of the readings expected."""
    gap_us: int
    """Longest time without one."""
    period_us: int
    """Time between two readings as the record states it."""
    missed: int
    """Readings expected that did not come."""


def covered(readings: Readings, gpu: Gpu, window_us: tuple[int, int]) -> Iterator[Covered]:
    """How complete a GPU's power and polled counter are; a field without a reading is left out."""
    length_us = window_us[1] - window_us[0]
    for behaviour in gpu.behaviours:
        series = readings.of(gpu.host, gpu.uuid, behaviour.field)
        share, gap_us = coverage(series, *window_us, behaviour.sampling_us)
        yield Covered(
            device=gpu.uuid,
            field=behaviour.field,
            share=share,
            gap_us=gap_us,
            period_us=behaviour.sampling_us,
            missed=round((1.0 - share) * (length_us // behaviour.sampling_us)),
        )


def coverage(series: Series, start_us: int, end_us: int, period_us: int) -> tuple[float, int]:
    """Share of the expected readings that came in a window, and its largest gap in microseconds.

    The window's edges count as readings' neighbours: a window whose first reading comes late has a
    gap there. A window that may lie between two readings expects none, and misses none.
    """
    if period_us <= 0 or end_us <= start_us:
        raise ValueError(
            "`period_us` and the window must be positive, "
            f"but are {period_us} and {end_us - start_us} us instead"
        )
    inside = series.between(start_us, end_us).t_us
    expected = (end_us - start_us) // period_us
    share = min(1.0, len(inside) / expected) if expected else 1.0
    marks = np.concatenate(([start_us], inside, [end_us]))
    return share, int(np.diff(marks).max())
