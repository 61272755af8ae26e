"""Rank processes: CPU time and memory of the ranks of one host, from the moment they register."""

import ctypes
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from telemetry.clock import NS_PER_US, US_PER_S
from telemetry.record.files import read_json

# Ranks register once, at their start; listing a shared folder more often only loads its server.
_SCAN_US: Final = 500_000
# A process cannot be younger than its registration; psutil's start times come in clock ticks and
# move with the wall clock, so a second is granted.
_START_SLACK_S: Final = 1.0
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True, slots=True)
class RankUse:
    """What one rank's process used since the previous look."""

    device: str
    """`rank-00003`."""
    rank: int
    """Number among all ranks, counted from 0."""
    local_rank: int
    """Number among the ranks of its node, counted from 0."""
    utilization: float
    """CPU time over elapsed time and threads, from 0 to 1."""
    memory_bytes: int
    """Resident memory at this moment."""


@dataclass(frozen=True, kw_only=True)
class LostRank:
    """A registered rank whose process cannot be read, and why."""

    device: str
    """`rank-00003`."""
    reason: str
    """What is wrong with its registration or its process, in one line."""


class RankProcesses:
    """The registered ranks of one host; an ended one drops out by itself."""

    def __init__(self, folder: Path, host: str) -> None:
        self._folder = folder
        self._host = host
        self._seen: set[str] = set()
        self._alive: list[_RankProcess] = []
        self._scanned_us: int | None = None
        self.unreadable: list[LostRank] = []

    def look(self, t_us: int) -> Sequence[RankUse]:
        """The use of every living rank up to now, `t_us`; a rank's first look yields none."""
        uses = []
        ended = []
        for process in self._alive:
            try:
                use = process.look(t_us)
            except OSError:
                # ESRCH and EINVAL: reaped since. Whatever is read next under this pid is not it.
                use = None
            if use is None:
                ended.append(process)
            else:
                uses.append(use)
        for process in ended:
            process.close()
            self._alive.remove(process)
        if self._scanned_us is None or t_us - self._scanned_us >= _SCAN_US:
            self._scanned_us = t_us
            self._scan(t_us)
        return uses

    def close(self) -> None:
        """Let go of all processes."""
        for process in self._alive:
            process.close()
        self._alive.clear()

    def _scan(self, t_us: int) -> None:
        try:
            names = sorted(child.name for child in self._folder.iterdir())
        except FileNotFoundError:
            return
        for name in names:
            if name in self._seen or not (name.startswith("rank-") and name.endswith(".json")):
                continue
            self._seen.add(name)
            device = name.removesuffix(".json")
            try:
                registration = read_json(self._folder / name)
                if registration["host"] == self._host:
                    self._alive.append(_RankProcess(device, registration, t_us))
            except KeyError as error:
                reason = f"its registration must have {error}, but has not"
                self.unreadable.append(LostRank(device=device, reason=reason))
            except (OSError, ValueError, psutil.Error) as error:
                # One rank that cannot be watched must not cost the others their watcher.
                reason = f"the process of this rank cannot be read: {error}"
                self.unreadable.append(LostRank(device=device, reason=reason))


class _RankProcess:
    """One process, held by an open file of /proc so that a reused pid is never mistaken for it."""

    def __init__(self, device: str, registration: dict[str, int], t_us: int) -> None:
        self._device = device
        self._rank = registration["rank"]
        self._local_rank = registration["local_rank"]
        self._threads = registration["threads"]
        pid = registration["pid"]
        self._clock_id = _cpu_clock(pid)
        self._statm = os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if (
                psutil.Process(pid).create_time()
                > registration["started_us"] / US_PER_S + _START_SLACK_S
            ):
                raise ProcessLookupError("another process has its pid")
            self._cpu_us = self._cpu_time_us()
        except (OSError, psutil.Error):
            self.close()
            raise
        self._t_us = t_us

    def look(self, t_us: int) -> RankUse | None:
        """The use since the last look; None when the process has ended."""
        cpu_us = self._cpu_time_us()
        # Read after the clock: as long as this file can be read, the pid was not given away.
        pages = int(os.pread(self._statm, 128, 0).split()[1])
        if pages == 0:
            return None
        elapsed_us = max(t_us - self._t_us, 1)
        utilization = (cpu_us - self._cpu_us) / (elapsed_us * self._threads)
        self._cpu_us = cpu_us
        self._t_us = t_us
        return RankUse(
            device=self._device,
            rank=self._rank,
            local_rank=self._local_rank,
            utilization=max(0.0, utilization),
            memory_bytes=pages * _PAGE_BYTES,
        )

    def close(self) -> None:
        os.close(self._statm)

    def _cpu_time_us(self) -> int:
        return time.clock_gettime_ns(self._clock_id) // NS_PER_US


def _cpu_clock(pid: int) -> int:
    """Id of the clock that counts a process' CPU time in nanoseconds.

    /proc/<pid>/stat counts in ticks of 10 ms: a tenth of what one thread does between two polls.
    """
    clock_id = ctypes.c_int()
    error = ctypes.CDLL(None).clock_getcpuclockid(ctypes.c_int(pid), ctypes.byref(clock_id))
    if error:
        raise OSError(error, os.strerror(error))
    return clock_id.value
