"""Source: GPU readings by NVIDIA's management library, for nodes with or without DCGM.

Power comes from the driver's own buffer too, about 50 samples a second for one call a second.
"""

import os
import time
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from telemetry.boards.lookup import UPDATE_PERIODS, sensor_of
from telemetry.boards.sensor_timing import POWER_SAMPLE, TIMED_FIELDS
from telemetry.clock import US_PER_MS
from telemetry.record.fields import FIELDS, Subject
from telemetry.sources.base import Absences, Assignment, Description, Reading
from telemetry.sources.nvml.device import Device
from telemetry.sources.nvml.inventory import describe_gpu, lost_gpu
from telemetry.sources.nvml.library import Driver
from telemetry.sources.nvml.processes import ForeignProcesses
from telemetry.sources.nvml.update_periods import (
    PROBE_S,
    UpdatePeriod,
    measure_update_periods,
    read_update_periods,
)
from telemetry.sources.nvml.visible_gpus import VisibleGpus, read_visible_gpus
from telemetry.sources.nvml.xid import XID, XidReports
from telemetry.sources.schedule import Schedule, cadence_us

NVML_FIELDS: Final = tuple(
    field.name
    for field in FIELDS.values()
    if field.subject is Subject.GPU and field.nvml is not None
)
"""All that NVML can tell of a GPU."""

# What was sampled up to now is in the driver's buffer after two of its 20 ms.
_LATE_S: Final = 0.04


class NvmlReadings:
    """The readings of this job's GPUs; everything else of a node is another source's.

    Raises:
        RuntimeError: there is no driver, or the GPUs that the job was given are not there.
    """

    def __init__(self, assignment: Assignment, fields: Collection[str] = NVML_FIELDS) -> None:
        """Read `fields`, or those among them that the order names."""
        launch = assignment.launch
        asked = launch.gpu_fields
        self._wanted = frozenset(name for name in fields if asked is None or name in asked)
        self._clock = assignment.clock
        self._period_us = launch.period_ms * US_PER_MS
        before = assignment.before
        self._driver = Driver()
        try:
            self._visible = read_visible_gpus(
                self._driver, os.environ, incomplete=before is not None
            )
            self._inventory = [describe_gpu(self._driver, gpu) for gpu in self._visible.gpus]
            self._update_periods = self._measure(before.record if before else None)
            self._time_unknown_sensors()
            start_us = self._clock.now_us()
            self._devices = [
                Device(
                    gpu,
                    self._clock,
                    assignment.remarks,
                    wanted=self._wanted if not known["mig"] else frozenset(),
                    period_us=self._period_us,
                    skip_until_us=before.by_field(gpu.uuid) if before else {},
                    start_us=start_us if before is None else 0,
                )
                for gpu, known in zip(self._visible.gpus, self._inventory, strict=True)
            ]
        except (RuntimeError, ValueError):
            self._driver.close()
            raise
        self._silent = [
            (gpu["uuid"], "MIG is on: the sensors are the whole board's, not its instances'")
            for gpu in self._inventory
            if gpu["mig"]
        ]
        for gpu in _gone(before.record if before else {}, self._visible):
            reason = "; ".join(self._visible.missing.values()) or "the driver lists it no more"
            self._inventory.append(lost_gpu(gpu, reason))
            self._silent.append((gpu["uuid"], reason))
        self._absences = Absences()
        self._xids = (
            XidReports(
                [
                    gpu
                    for gpu, known in zip(self._visible.gpus, self._inventory, strict=False)
                    if not known["mig"]
                ],
                assignment.remarks,
            )
            if XID in self._wanted
            else None
        )
        self._processes = ForeignProcesses(self._visible.gpus, assignment.remarks)
        self._schedule = Schedule(self._period_us // 2)
        self.sampled = all(
            device.sampled
            for device, known in zip(self._devices, self._inventory, strict=False)
            if not known["mig"]
        )
        """True when the driver gave power samples of all boards at the start; one that falls silent
        meanwhile is asked more often for what it still tells."""

    def describe(self) -> Description:
        """The GPUs by local index, what is read from where and how often it was seen to change."""
        return Description(
            name="nvml",
            simulated=False,
            gpus=list(self._inventory),
            periods_us=self._periods_us(),
            identity={
                "driver": self._driver.version(),
                "nvml": self._driver.nvml_version(),
                "nvidia_ml_py": version("nvidia-ml-py"),
                "allotment": self._visible.rule,
                "missing": dict(self._visible.missing),
                "paces": {
                    name: period.to_mapping()
                    for name, period in sorted(self._update_periods.items())
                },
                "buffered": sorted(self._wanted & {POWER_SAMPLE}),
                "profiled": sorted({name for device in self._devices for name in device.profiled}),
                "fallbacks": {
                    name: call
                    for device in self._devices
                    for name, call in device.fallbacks.items()
                },
                "sampled": self.sampled,
                "asked_us": {name: self._asked_us(name) for name in sorted(self._wanted)},
                "null_rows": "one when a reading is first missed, until its next value",
            },
        )

    def read(self) -> Sequence[Reading]:
        """What is due of each board, as of now or as the driver has kept it."""
        readings: list[Reading] = []
        for device in self._devices:
            readings += device.read()
        now_us = self._clock.now_us()
        self._processes.look(now_us)
        if self._schedule.take(XID, self._asked_us(XID), now_us):
            readings += self._report(now_us)
        return readings

    def finish(self) -> Sequence[Reading]:
        """The last gauges, and the samples up to now."""
        time.sleep(_LATE_S)
        self._schedule.hurry(self._clock.now_us())
        for device in self._devices:
            device.hurry()
        return self.read()

    def close(self) -> None:
        """Let go of the GPUs and of NVML."""
        for device in self._devices:
            device.close()
        if self._xids is not None:
            self._xids.close()
        self._driver.close()

    def _report(self, now_us: int) -> list[Reading]:
        """Errors that the driver has reported, and what cannot be read at all."""
        readings = [] if self._xids is None else self._xids.read(now_us)
        for uuid, reason in self._silent:
            for name in sorted(self._wanted):
                readings += self._absences.note(now_us, uuid, name, reason)
        return readings

    def _asked_us(self, name: str) -> int:
        return cadence_us(name, self._period_us, sampled=self.sampled)

    def _measure(self, before: Mapping[str, Any] | None) -> dict[str, UpdatePeriod]:
        """How often readings change: of one board, as those of a node are alike."""
        if before is not None and (known := before["source"].get("nvml", {}).get("paces")):
            return read_update_periods(known)
        for gpu, known_gpu in zip(self._visible.gpus, self._inventory, strict=True):
            if not known_gpu["mig"]:
                # A buffer's period stands in its stamps: nothing has to be waited for.
                probe_s = PROBE_S if self._wanted - {POWER_SAMPLE} else 0.0
                return measure_update_periods(gpu.handle, self._wanted, probe_s)
        return {}

    def _time_unknown_sensors(self) -> None:
        """Of a board whose sensor nobody measured against a meter, what was seen here stands."""
        seen_us = {
            name: period.update_us
            for name, period in sorted(self._update_periods.items())
            if name in TIMED_FIELDS and period.update_us is not None
        }
        for gpu in self._inventory:
            if not sensor_of(gpu).known:
                gpu[UPDATE_PERIODS] = seen_us

    def _periods_us(self) -> dict[str, int]:
        """Time between two new values in the record: the sensor's, or ours if that is longer."""
        periods_us = {}
        for name in sorted(self._wanted - {XID}):
            known = self._update_periods.get(name)
            update_us = known.update_us if known is not None else None
            if name == POWER_SAMPLE:
                periods_us[name] = update_us or self._period_us
            else:
                periods_us[name] = max(self._asked_us(name), update_us or 0)
        return periods_us


def _gone(record: Mapping[str, Any], visible: VisibleGpus) -> list[Mapping[str, Any]]:
    """GPUs that an earlier watcher described and that are not there any more."""
    there = {gpu.uuid for gpu in visible.gpus}
    return [gpu for gpu in record.get("gpus", []) if gpu["uuid"] not in there]
