"""NvmlReadings: GPU readings by NVIDIA's management library, for nodes with or without DCGM.

Power comes from the driver's own buffer too, about 50 samples a second for one call a second.
"""

import os
import time
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from telemetry.allotment import Allotment, read_allotment
from telemetry.board import ENERGY, POWER_SAMPLE, Board
from telemetry.driver import Driver
from telemetry.fields import FIELDS, Subject
from telemetry.inventory import describe_gpu, lost_gpu
from telemetry.pace import PROBE_S, Pace, learn_paces, read_paces
from telemetry.source import Absences, Assignment, Description, Reading
from telemetry.xid import XID, XidReports

NVML_FIELDS: Final = tuple(
    field.name
    for field in FIELDS.values()
    if field.subject is Subject.GPU and field.nvml is not None
)
"""All that NVML can tell of a GPU."""

_US_PER_MS: Final = 1_000
_US_PER_S: Final = 1_000_000
# The driver keeps 2.4 s. A watcher that dies just before a drain has rows on disk up to one drain
# and one flush before: twice a second leaves the next one 1.4 s to start in and lose nothing.
_DRAIN_US: Final = 500_000
# The monitors give means over the time between two looks, and cannot tell of a time without one.
_PROFILE_US: Final = 500_000
# The counter moves every 100 ms (nvrm_registry.h of github.com/NVIDIA/open-gpu-kernel-modules).
_ENERGY_US: Final = 100_000
# Its call took 3 ms on an H200. All counters of a node together may take this share of one core,
# and this share of the time between two polls, which wait for them.
_ENERGY_CPU_SHARE: Final = 0.002
_ENERGY_WAIT_SHARE: Final = 0.25
# Seldomer than this, the edges of a phase would be lost between two readings.
_ENERGY_SLOWEST_US: Final = 1_000_000
# What was sampled up to now is in the driver's buffer after two of its 20 ms.
_LATE_S: Final = 0.04


class NvmlReadings:
    """The readings of this job's GPUs; everything else of a node is another source's.

    Raises:
        RuntimeError: there is no driver, or the GPUs that the job was given are not there.
    """

    def __init__(self, assignment: Assignment, fields: Collection[str] = NVML_FIELDS) -> None:
        """Read `fields`, or those among them that the order names."""
        order = assignment.order
        asked = order.gpu_fields
        self._wanted = frozenset(name for name in fields if asked is None or name in asked)
        self._clock = assignment.clock
        self._period_us = order.period_ms * _US_PER_MS
        before = assignment.before
        self._driver = Driver()
        try:
            self._allotment = read_allotment(
                self._driver, os.environ, incomplete=before is not None
            )
            self._inventory = [describe_gpu(self._driver, gpu) for gpu in self._allotment.gpus]
            self._paces = self._learn(before.record if before else None)
            start_us = self._clock.now_us()
            self._boards = [
                Board(
                    gpu,
                    self._clock,
                    assignment.remarks,
                    wanted=self._wanted if not known["mig"] else frozenset(),
                    skip_until_us=before.by_field(gpu.uuid) if before else {},
                    start_us=start_us if before is None else 0,
                )
                for gpu, known in zip(self._allotment.gpus, self._inventory, strict=True)
            ]
        except (RuntimeError, ValueError):
            self._driver.close()
            raise
        self._silent = [
            (gpu["uuid"], "MIG is on: the sensors are the whole board's, not its instances'")
            for gpu in self._inventory
            if gpu["mig"]
        ]
        for gpu in _gone(before.record if before else {}, self._allotment):
            reason = "; ".join(self._allotment.missing.values()) or "the driver lists it no more"
            self._inventory.append(lost_gpu(gpu, reason))
            self._silent.append((gpu["uuid"], reason))
        self._absences = Absences()
        self._xids = (
            XidReports(
                [
                    gpu
                    for gpu, known in zip(self._allotment.gpus, self._inventory, strict=False)
                    if not known["mig"]
                ],
                assignment.remarks,
            )
            if XID in self._wanted
            else None
        )
        self._energy_us = self._energy_period_us()
        now_us = self._clock.now_us()
        self._energy_due_us = self._drain_due_us = now_us
        self._profile_due_us = now_us + _PROFILE_US

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
                "allotment": self._allotment.rule,
                "missing": dict(self._allotment.missing),
                "paces": {name: pace.to_mapping() for name, pace in sorted(self._paces.items())},
                "buffered": sorted({name for board in self._boards for name in board.buffered}),
                "profiled": sorted({name for board in self._boards for name in board.profiled}),
                "fallbacks": {
                    name: call for board in self._boards for name, call in board.fallbacks.items()
                },
                "drain_us": _DRAIN_US,
                "profile_us": _PROFILE_US,
                "energy_us": self._energy_us,
                "null_rows": "one when a reading is first missed, until its next value",
            },
        )

    def read(self) -> Sequence[Reading]:
        """The gauges of now, and what the driver has kept when a drain is due."""
        now_us = self._clock.now_us()
        readings: list[Reading] = []
        for board in self._boards:
            readings += board.poll(self._clock.now_us())
        # Polls come a little early or late: what is due before the next one is due now.
        soon_us = now_us + self._period_us // 2
        if soon_us >= self._energy_due_us:
            self._energy_due_us = _next(self._energy_due_us, self._energy_us, soon_us)
            for board in self._boards:
                readings += board.count_energy()
        if soon_us >= self._drain_due_us:
            self._drain_due_us = _next(self._drain_due_us, _DRAIN_US, soon_us)
            readings += self._drain(now_us)
        if soon_us >= self._profile_due_us:
            self._profile_due_us = _next(self._profile_due_us, _PROFILE_US, soon_us)
            for board in self._boards:
                readings += board.profile()
        return readings

    def finish(self) -> Sequence[Reading]:
        """The last gauges, and the samples up to now."""
        time.sleep(_LATE_S)
        now_us = self._clock.now_us()
        self._energy_due_us = self._drain_due_us = self._profile_due_us = now_us
        return self.read()

    def close(self) -> None:
        """Let go of the GPUs and of NVML."""
        for board in self._boards:
            board.close()
        if self._xids is not None:
            self._xids.close()
        self._driver.close()

    def _drain(self, now_us: int) -> list[Reading]:
        readings = []
        for board in self._boards:
            readings += board.drain()
        if self._xids is not None:
            readings += self._xids.read(now_us)
        for uuid, reason in self._silent:
            for name in sorted(self._wanted):
                readings += self._absences.note(now_us, uuid, name, reason)
        return readings

    def _learn(self, before: Mapping[str, Any] | None) -> dict[str, Pace]:
        """How often readings change: of one board, as those of a node are alike."""
        if before is not None and (known := before["source"].get("nvml", {}).get("paces")):
            return read_paces(known)
        for gpu, known_gpu in zip(self._allotment.gpus, self._inventory, strict=True):
            if not known_gpu["mig"]:
                # A buffer's pace stands in its stamps: nothing has to be waited for.
                probe_s = PROBE_S if self._wanted - {POWER_SAMPLE} else 0.0
                return learn_paces(gpu.handle, self._wanted, probe_s)
        return {}

    def _energy_period_us(self) -> int:
        """As often as the counter moves, or seldomer where asking for it costs too much."""
        pace = self._paces.get(ENERGY)
        boards = len(self._boards)
        least_us = float(_ENERGY_US)
        if pace is not None:
            least_us = max(
                least_us,
                boards * pace.cpu_us / _ENERGY_CPU_SHARE,
                boards * pace.call_us / _ENERGY_WAIT_SHARE,
            )
        polls = -(-int(min(least_us, _ENERGY_SLOWEST_US)) // self._period_us)
        return max(1, polls) * self._period_us

    def _periods_us(self) -> dict[str, int]:
        """Time between two new values in the record: the sensor's, or ours if that is longer."""
        buffered = {name for board in self._boards for name in board.buffered}
        profiled = {name for board in self._boards for name in board.profiled}
        periods_us = {}
        for name in sorted(self._wanted - {XID}):
            pace = self._paces.get(name)
            update_us = pace.update_us if pace is not None else None
            if name in profiled:
                asked_us = _PROFILE_US
            elif name in buffered:
                asked_us = 0
            else:
                asked_us = self._energy_us if name == ENERGY else self._period_us
            periods_us[name] = max(asked_us, update_us or 0) or self._period_us
        return periods_us


def _next(due_us: int, period_us: int, now_us: int) -> int:
    """The first time after now on the schedule that `due_us` is on."""
    return due_us + ((now_us - due_us) // period_us + 1) * period_us


def _gone(record: Mapping[str, Any], allotment: Allotment) -> list[Mapping[str, Any]]:
    """GPUs that an earlier watcher described and that are not there any more."""
    there = {gpu.uuid for gpu in allotment.gpus}
    return [gpu for gpu in record.get("gpus", []) if gpu["uuid"] not in there]
