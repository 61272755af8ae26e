"""Restart gap: how a watcher follows one that died, and what was lost between the two."""

from collections.abc import Mapping, Sequence
from typing import Any

from telemetry.sources.base import Reading
from telemetry.sources.previous_watcher import PreviousWatcher


def restart_gap(
    before: PreviousWatcher, readings: Sequence[Reading], periods_us: Mapping[str, int]
) -> dict[str, Any]:
    """What the first `readings` of a watcher say about the time since the one `before` it died.

    `closed` are the fields that came without a hole, from a driver's or engine's own buffer;
    `lost_us` is the longest time beyond one period that another field of a device was silent.
    """
    first_us: dict[tuple[str, str], int] = {}
    for reading in readings:
        if reading.value is None:
            continue
        key = reading.device, reading.field
        first_us[key] = min(reading.t_us, first_us.get(key, reading.t_us))
    lost_us: dict[str, int] = {}
    for key, (last_us, _) in before.last.items():
        if key in first_us and key[1] in periods_us:
            gap_us = first_us[key] - last_us - periods_us[key[1]]
            lost_us[key[1]] = max(gap_us, lost_us.get(key[1], gap_us))
    closed = [name for name, gap_us in lost_us.items() if gap_us <= periods_us[name]]
    return {
        "after_pid": before.record.get("pid"),
        "silent_from_us": before.silent_from_us,
        "closed": sorted(closed),
        "lost_us": max((lost_us[name] for name in lost_us.keys() - closed), default=0),
    }
