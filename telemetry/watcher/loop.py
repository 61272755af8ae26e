"""Loop: polls a source and writes what it reads, until the owner lets go.

A watcher that follows one that died goes on with its clock and record, in new parts of the same
shard.
"""

import dataclasses
import errno
import os
import socket
from collections.abc import Mapping
from typing import Final

from telemetry.clock import US_PER_MS, monotonic_us
from telemetry.record.files import write_json
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import SAMPLES
from telemetry.shards.chain import Binding
from telemetry.shards.writer import ShardWriter
from telemetry.sources.base import Assignment, Description, Source
from telemetry.sources.host.source import describe_platform
from telemetry.sources.restart_gap import restart_gap
from telemetry.watcher.gpu_settings import GpuSettings
from telemetry.watcher.heads import HeadReader
from telemetry.watcher.log import ClockGuard, WatchLog
from telemetry.watcher.screen import Screen
from telemetry.watcher.spool import Spool
from telemetry.watcher.stop_signal import StopSignal

EXIT_SECOND: Final = 2
"""Another watcher has this attempt and host."""
EXIT_VANISHED: Final = 3
"""The attempt's folder is gone."""
EXIT_NO_SOURCE: Final = 4
"""What the order names cannot be read on this node."""
EXIT_BAD_RECORD: Final = 5
"""A file of the attempt is missing or not what it must be."""
EXIT_UNSET: Final = 6
"""The GPUs cannot be set as the run asks, or are not set so; none of them stands changed."""

# Half of the second within which a poll must be on disk; the other half is for a slow disk. What a
# driver or an engine has kept for longer is written as soon as it is fetched.
_WAIT_US: Final = 500_000
# Later than any time: nothing waits.
_NEVER_US: Final = 1 << 62


class Watcher:
    """Polls one source on an absolute schedule until it is told to stop."""

    def __init__(
        self,
        assignment: Assignment,
        run_id: str,
        source: Source,
        stop: StopSignal,
        settings: GpuSettings,
    ) -> None:
        self._assignment = assignment
        self._attempt = assignment.attempt
        self._source = source
        self._stop = stop
        self._period_us = assignment.launch.period_ms * US_PER_MS
        self._settings = settings
        self._description = _with_requested(source.describe(), settings.requested)
        clock = assignment.clock
        now_us = clock.now_us()
        metadata = {
            "kind": "samples",
            "run_id": run_id,
            "attempt": self._attempt.number,
            "host": assignment.host,
            "rank": None,
            "simulated": self._description.simulated,
            "source": self._description.to_mapping(),
            "periods_us": dict(self._description.periods_us),
            "clock": {
                "wall_us": now_us,
                "monotonic_us": now_us - clock.offset_us,
                "offset_us": clock.offset_us,
            },
            "gpus": [dict(gpu) for gpu in self._description.gpus],
        }
        link_s = assignment.launch.link_s
        heads = HeadReader(self._attempt, assignment.host, link_s)
        self._binding = Binding.of_watcher(self._attempt, assignment.host, link_s, heads)
        shard = self._attempt.samples_shard(assignment.host)
        writer = ShardWriter(shard, SAMPLES, metadata, binding=self._binding)
        before = assignment.before
        self._log = WatchLog(self._attempt, assignment.host, clock, continued=before is not None)
        self._spool = Spool(writer, assignment.host, self._log)
        self._screen = Screen(self._description.gpus, self._log)
        self._guard = ClockGuard(clock)
        self._ready = False
        self._followed = before

    def run(self) -> str:
        """Watch until the stop; why it stopped.

        Raises:
            FileNotFoundError: the attempt's folder vanished.
        """
        start_us = monotonic_us()
        oldest_us = _NEVER_US
        tick = 0
        reason = None
        while reason is None:
            readings = self._screen.pass_on(self._source.read())
            self._spool.add(readings)
            self._log_remarks()
            if self._followed is not None and readings:
                gap = restart_gap(self._followed, readings, self._description.periods_us)
                self._log.event("restarted", **gap)
                self._followed = None
            # The owner waits for the first reading, so it goes to disk at once.
            oldest_us = min([oldest_us, *(reading.t_us for reading in readings)])
            if not self._ready or self._assignment.clock.now_us() - oldest_us >= _WAIT_US:
                self._flush()
                oldest_us = _NEVER_US
            if step_us := self._guard.new_step_us():
                self._log.event("clock_step", step_us=step_us)
            # Ticks that have passed meanwhile are counted, never made up for.
            due = (monotonic_us() - start_us) // self._period_us + 1
            self._log.count_tick(missed=due - tick - 1)
            tick = due
            reason = self._stop.wait(start_us + tick * self._period_us - monotonic_us())
        last = self._source.finish()
        # Before anything waits for a disk: whoever ends a job waits some seconds and no longer.
        self._settings.restore()
        self._spool.add(self._screen.pass_on(last))
        self._flush()
        self._spool.close()
        self._source.close()
        self._log_remarks()
        self._screen.close()
        self._log.end(reason, drift_us=self._assignment.clock.step_us())
        return reason

    def _log_remarks(self) -> None:
        for remark in self._assignment.remarks.take():
            self._log.event(remark.what, t_us=remark.t_us, **remark.details)

    def _flush(self) -> None:
        # Writing into a removed folder's open file succeeds, so the folder itself is asked.
        if not self._attempt.folder.is_dir():
            raise FileNotFoundError(f"{self._attempt.folder} is not there any more")
        if self._spool.flush() and not self._ready:
            try:
                self._report_ready()
            except FileNotFoundError:
                raise
            except OSError as error:
                self._log.disk_trouble(str(error))
            else:
                self._ready = True
                self._log.begin()

    def _report_ready(self) -> None:
        clock = self._assignment.clock
        before = self._assignment.before
        path = self._attempt.host(self._assignment.host)
        self._attempt.hosts.mkdir(exist_ok=True)
        if before is not None:
            # The ranks stand on the first watcher's clock and GPUs: they hold for all that follow.
            restarts = int(before.record.get("restarts", 0)) + 1
            write_json(path, {**before.record, "pid": os.getpid(), "restarts": restarts})
            return
        write_json(
            path,
            {
                "host": self._assignment.host,
                "pid": os.getpid(),
                "ready_us": clock.now_us(),
                "clock_offset_us": clock.offset_us,
                "source": self._description.to_mapping(),
                "simulated": self._description.simulated,
                "period_ms": self._assignment.launch.period_ms,
                "platform": dict(describe_platform()),
                "gpus": [dict(gpu) for gpu in self._description.gpus],
                "link_key": self._binding.public_key,
            },
        )


def _with_requested(
    description: Description, requested: Mapping[str, Mapping[str, float]]
) -> Description:
    """A description whose GPUs say what was asked of them where no sensor tells it."""
    gpus = [
        {
            **gpu,
            **{
                key: value
                for key, value in requested.get(str(gpu.get("uuid")), {}).items()
                if gpu.get(key) is None
            },
        }
        for gpu in description.gpus
    ]
    return dataclasses.replace(description, gpus=gpus)


def claim(attempt: AttemptPaths, host: str) -> socket.socket | None:
    """The right to watch this attempt and host; None when another process has it.

    An abstract Unix socket, as its name goes with the process on every death and needs no file
    system that can lock. It holds within one network namespace.
    """
    place = attempt.folder.stat()
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lock.bind(f"\0joulegrid/{place.st_dev}/{place.st_ino}/{host}")
    except OSError as error:
        lock.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return lock
