"""Source: what a node knows of itself: its CPUs, ranks, CPU packages, rails and own power."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psutil

from telemetry.clock import US_PER_MS, US_PER_S
from telemetry.sources.background import BackgroundPoller
from telemetry.sources.base import Absences, Assignment, Description, Reading
from telemetry.sources.host.dcmi import NODE_FIELD, Dcmi
from telemetry.sources.host.dcmi import PERIOD_US as DCMI_PERIOD_US
from telemetry.sources.host.hwmon import HWMON_ROOT, POWER_FIELD, Hwmon
from telemetry.sources.host.powercap import POWERCAP_ROOT, ZONE_FIELD, Powercap
from telemetry.sources.host.rank_processes import RankProcesses, RankUse
from telemetry.sources.schedule import Schedule

HOST_DEVICE: Final = "host"
"""Value of the samples table's `device` column for the node as a whole."""

BESIDE_GPUS_US: Final = US_PER_S
"""Where GPUs tell what a rank does, its CPU and memory are looked at no more often than this: each
look makes the kernel write out its counters of all CPUs and interrupts."""

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_RANK_FIELDS: Final = ("process_cpu_utilization", "process_memory_bytes")


class HostSource:
    """CPU and memory of the node and of each rank, and what power and energy the node tells."""

    def __init__(
        self,
        assignment: Assignment,
        powercap_root: Path = POWERCAP_ROOT,
        *,
        hwmon_root: Path = HWMON_ROOT,
        dcmi: Dcmi | None = None,
        least_us: int = 0,
    ) -> None:
        """CPUs and memory are looked at no more often than every `least_us`."""
        self._clock = assignment.clock
        self._period_us = assignment.launch.period_ms * US_PER_MS
        self._use_us = max(self._period_us, least_us)
        self._schedule = Schedule(self._period_us // 2)
        self._ranks = RankProcesses(assignment.attempt.ranks, assignment.host)
        self._powercap = Powercap(powercap_root)
        self._hwmon = Hwmon(hwmon_root, self._clock)
        self._dcmi = dcmi or Dcmi(self._clock)
        self._rail_us = max(
            [self._period_us, *(rail.interval_us or 0 for rail in self._hwmon.rails)]
        )
        # Firmware answers when it likes, and what is not there needs no thread to say so.
        self._pollers: list[BackgroundPoller] = []
        if self._hwmon.rails:
            self._pollers.append(
                BackgroundPoller("hwmon", self._clock, self._rail_us, self._hwmon.read)
            )
        if self._dcmi.missing is None:
            self._pollers.append(
                BackgroundPoller("dcmi", self._clock, DCMI_PERIOD_US, self._dcmi.read)
            )
        self._absences = Absences()
        self._busy_s, self._total_s = _cpu_seconds()

    def describe(self) -> Description:
        """What is read, how often and from where: no GPU."""
        names = ("cpu_utilization", "memory_used_bytes", *_RANK_FIELDS)
        return Description(
            name="host",
            simulated=False,
            periods_us={
                **dict.fromkeys(names, self._use_us),
                ZONE_FIELD: self._period_us,
                POWER_FIELD: self._rail_us,
                NODE_FIELD: DCMI_PERIOD_US,
            },
            identity={
                "psutil": psutil.__version__,
                "process_cpu_clock": "clock_getcpuclockid, nanoseconds",
                "powercap_zones": self._powercap.devices,
                "hwmon_rails": {rail.device: str(rail.path) for rail in self._hwmon.rails},
                "dcmi": self._dcmi.missing or "ipmitool dcmi power reading",
                "null_rows": "one when a reading is first missed, until its next value",
            },
        )

    def read(self) -> Sequence[Reading]:
        """What is due at this moment, under one stamp."""
        t_us = self._clock.now_us()
        each_look = self._use_us == self._period_us
        if each_look or self._schedule.take(HOST_DEVICE, self._use_us, t_us):
            return self.read_at(t_us)[0]
        return self._read_power(t_us)

    def read_at(self, t_us: int) -> tuple[list[Reading], Sequence[RankUse]]:
        """All readings of `t_us`, and what each rank used since the previous call."""
        readings = self._read_host(t_us)
        uses = self._ranks.look(t_us)
        for use in uses:
            values = (use.utilization, float(use.memory_bytes))
            readings += [
                Reading(t_us=t_us, device=use.device, field=name, value=value)
                for name, value in zip(_RANK_FIELDS, values, strict=True)
            ]
        for lost in self._ranks.unreadable:
            for name in _RANK_FIELDS:
                readings += self._absences.note(t_us, lost.device, name, lost.reason)
        readings += self._read_power(t_us)
        return readings, uses

    def finish(self) -> Sequence[Reading]:
        """The readings of the end; nothing is late."""
        return self.read_at(self._clock.now_us())[0]

    def close(self) -> None:
        """Let go of the ranks' processes and of the slow sensors."""
        for poller in self._pollers:
            poller.close()
        self._ranks.close()

    def _read_power(self, t_us: int) -> list[Reading]:
        """What the node tells of its power and energy."""
        readings = list(self._powercap.read(t_us))
        if not self._hwmon.rails:
            readings += self._hwmon.read()
        if self._dcmi.missing is not None:
            readings += self._dcmi.read()
        for poller in self._pollers:
            readings += poller.read()
        return readings

    def _read_host(self, t_us: int) -> list[Reading]:
        memory = psutil.virtual_memory()
        used_bytes = float(memory.total - memory.available)
        readings = [
            Reading(t_us=t_us, device=HOST_DEVICE, field="memory_used_bytes", value=used_bytes)
        ]
        busy_s, total_s = _cpu_seconds()
        # Linux counts in ticks of 10 ms: polled faster, there is no share to tell yet.
        if total_s > self._total_s:
            share = (busy_s - self._busy_s) / (total_s - self._total_s)
            self._busy_s, self._total_s = busy_s, total_s
            value = min(max(share, 0.0), 1.0)
            readings.append(
                Reading(t_us=t_us, device=HOST_DEVICE, field="cpu_utilization", value=value)
            )
        return readings


def describe_platform() -> Mapping[str, Any]:
    """What the node is: CPU, memory, kernel and its boot, which its steady clock began with."""
    return {
        "boot_id": _boot_id(),
        "cpu_model": cpu_model(),
        "logical_cpus": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "kernel": f"{platform.system()} {platform.release()}",
    }


def _boot_id() -> str | None:
    """The kernel's random name of this boot; None where it tells none."""
    try:
        return _BOOT_ID.read_text().strip() or None
    except OSError:
        return None


def _cpu_seconds() -> tuple[float, float]:
    """Busy and total time of all logical CPUs since boot; guest time stands in user time too."""
    times = psutil.cpu_times()
    total_s = sum(times) - times.guest - times.guest_nice
    return total_s - times.idle - times.iowait, total_s


def cpu_model() -> str | None:
    """The CPU's name as /proc/cpuinfo gives it; None on machines whose kernel gives none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return None
