"""The watcher: one process per node that polls a source and writes what it reads.

    python -m telemetry.watcher --results DIR --run-id ID --attempt N --host NAME

Its owner holds the other end of its stdin and lets go to end it; an owner that dies lets go too.
Ends with 0 when told to stop, 2 when another watcher has this attempt and host, 3 when the
attempt's folder vanished, 4 when its sensors are not there. One that follows a watcher that died
goes on with its clock and record, in new parts of the same shard.
"""

import argparse
import errno
import os
import re
import socket
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Final

import pyarrow as pa

from telemetry.clock import HostClock, monotonic_us
from telemetry.record.files import write_json
from telemetry.record.launch import LaunchOrder
from telemetry.record.schema import SAMPLES
from telemetry.record.spec import AttemptPaths, RunPaths, RunSpec
from telemetry.shards.writer import ShardWriter
from telemetry.sources.base import Assignment, Source
from telemetry.sources.host.source import describe_platform
from telemetry.sources.previous_watcher import Predecessor
from telemetry.sources.restart_gap import Succession
from telemetry.watcher.log import ClockGuard, WatchLog
from telemetry.watcher.select_source import open_source
from telemetry.watcher.spool import Spool
from telemetry.watcher.stop_signal import StopSignal

EXIT_SECOND: Final = 2
"""Another watcher has this attempt and host."""
EXIT_VANISHED: Final = 3
"""The attempt's folder is gone."""
EXIT_NO_SOURCE: Final = 4
"""What the order names cannot be read on this node."""

_US_PER_MS: Final = 1_000
# Half of the second within which a poll must be on disk; the other half is for a slow disk. What a
# driver or an engine has kept for longer is written as soon as it is fetched.
_WAIT_US: Final = 500_000
# Later than any time: nothing waits.
_NEVER_US: Final = 1 << 62
# A host names a folder and a file.
_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Watcher:
    """Polls one source on an absolute schedule until it is told to stop."""

    def __init__(self, assignment: Assignment, run_id: str, source: Source, stop: StopSignal):
        self._assignment = assignment
        self._attempt = assignment.attempt
        self._source = source
        self._stop = stop
        self._period_us = assignment.order.period_ms * _US_PER_MS
        self._description = source.describe()
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
        writer = ShardWriter(self._attempt.samples_shard(assignment.host), SAMPLES, metadata)
        before = assignment.before
        self._log = WatchLog(self._attempt, assignment.host, clock, continued=before is not None)
        self._spool = Spool(writer, assignment.host, self._log)
        self._guard = ClockGuard(clock)
        self._ready = False
        self._succession = None if before is None else Succession(before)

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
            readings = self._source.read()
            self._spool.add(readings)
            self._log_remarks()
            if self._succession is not None and readings:
                gaps = self._succession.gaps(readings, self._description.periods_us)
                self._log.event("restarted", **gaps)
                self._succession = None
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
        self._spool.add(self._source.finish())
        self._flush()
        self._spool.close()
        self._source.close()
        self._log_remarks()
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
                "period_ms": self._assignment.order.period_ms,
                "platform": dict(describe_platform()),
                "gpus": [dict(gpu) for gpu in self._description.gpus],
            },
        )


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


class _WithoutPandas(MetaPathFinder):
    """Hides pandas from this process.

    Arrow imports it, where there is one, to ask whether a list is one of its: 0.2 s before the
    first row, in which a watcher that follows another one is blind, and 40 MB.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        del path, target
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def main(argv: Sequence[str] | None = None) -> int:
    """Watch one node of one attempt; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m telemetry.watcher", description=__doc__)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--run-id", required=True)
    parser.add_argument("--attempt", type=int, required=True)
    parser.add_argument("--host", required=True)
    given = parser.parse_args(argv)
    if not _HOST.fullmatch(given.host):
        parser.error(f"`--host` must be a host name, but is {given.host!r} instead")
    run = RunPaths(results=given.results, run_id=given.run_id)
    attempt = run.attempt(given.attempt)
    if not attempt.folder.is_dir():
        sys.stderr.write(f"watcher: {attempt.folder} must be an attempt's folder, but is not\n")
        return EXIT_VANISHED
    lock = claim(attempt, given.host)
    if lock is None:
        sys.stderr.write(
            f"watcher: {attempt.folder} on {given.host} is watched by another process already\n"
        )
        return EXIT_SECOND
    sys.meta_path.insert(0, _WithoutPandas())
    # One thread: what watches must not take part in what is watched.
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with lock:
        stop = StopSignal()
        before = Predecessor.find(attempt, given.host)
        assignment = Assignment(
            attempt=attempt,
            spec=RunSpec.read(run.spec),
            order=LaunchOrder.read(attempt.launch),
            host=given.host,
            clock=HostClock.set_now()
            if before is None
            else HostClock(offset_us=before.record["clock_offset_us"]),
            before=before,
        )
        try:
            source = open_source(assignment)
        except (RuntimeError, ValueError) as error:
            sys.stderr.write(f"watcher: {error}\n")
            return EXIT_NO_SOURCE
        try:
            Watcher(assignment, given.run_id, source, stop).run()
        except FileNotFoundError as error:
            if attempt.folder.is_dir():
                raise
            sys.stderr.write(f"watcher: {attempt.folder} vanished: {error}\n")
            return EXIT_VANISHED
    return 0


if __name__ == "__main__":
    sys.exit(main())
