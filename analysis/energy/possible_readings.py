"""Possible readings: what a run's readings are without those that no sensor can mean.

A table may have been merged before a bound was known. What the record holds stays there; here a
value outside its field's bounds, or its board's, is no reading but a null with the reason.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.runs.series import Series
from telemetry.record.reading_bounds import bounds_of


def possible_readings(
    found: Mapping[tuple[str, str, str], Series], gpus: Mapping[str, Mapping[str, Any]]
) -> dict[tuple[str, str, str], Series]:
    """The readings by host, device and field; `gpus` are the inventories' entries by UUID."""
    return {
        (host, device, field): possible_series(series, field, gpus.get(device))
        for (host, device, field), series in found.items()
    }


def possible_series(series: Series, field: str, gpu: Mapping[str, Any] | None) -> Series:
    """One device's readings of one field; the very same when all can be."""
    bounds = bounds_of(field, gpu)
    wild = bounds.faults(series.value)
    if not wild.any():
        return series
    first = float(series.value[np.argmax(wild)])
    return series.without(wild, bounds.fault(first) or "not a number")
