"""A node whose GPUs are read by NVML, simulated or real, as the watcher would read them."""

import time
from pathlib import Path
from typing import Any

from telemetry.clock import HostClock
from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from telemetry.sources.base import Assignment, Reading
from telemetry.sources.nvml.source import NvmlReadings
from tests.support.watched_attempts import make_attempt

LOOK_S = 0.1


def make_assignment(folder: Path, **launch: Any) -> Assignment:
    """A node to be watched by NVML."""
    run, attempt = make_attempt(folder, launch={"telemetry": "nvml", "period_ms": 100, **launch})
    return Assignment(
        attempt=attempt,
        spec=RunSpec.read(run.spec),
        launch=LaunchConfig.read(attempt.launch),
        host="n1",
        clock=HostClock.set_now(),
    )


def look(source: NvmlReadings, seconds: float) -> list[Reading]:
    """All readings of looks at 0 s, 0.1 s and so on, before `seconds` have passed."""
    found: list[Reading] = []
    start_s = time.monotonic()
    tick = 0
    while time.monotonic() < start_s + seconds:
        found += source.read()
        tick += 1
        time.sleep(max(0.0, start_s + tick * LOOK_S - time.monotonic()))
    return found


def watch(source: NvmlReadings, seconds: float) -> list[Reading]:
    """All readings of `seconds`, the last ones too."""
    return [*look(source, seconds), *source.finish()]
