"""The watcher: one process per node that polls a source and writes what it reads.

    python -m telemetry.watcher --results DIR --run-id ID --attempt N --host NAME

Its owner holds the other end of its stdin and lets go to end it; an owner that dies lets go too.
Ends with 0 when told to stop, 1 when the machine refuses, 2 when another watcher has this attempt
and host or a word of the command will not do, 3 when the attempt's folder vanished, 4 when its
sensors are not there, 5 when a file of the attempt is not what it must be, 6 when its GPUs do not
stand as the run asks. One that follows a watcher that died goes on with its clock and record, in
new parts of the same shard.
"""

import argparse
import functools
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa

from telemetry.clock import HostClock
from telemetry.command import CommandParser, command, complain
from telemetry.lasting import spare_pandas
from telemetry.next_line import typed
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.spec import RunSpec
from telemetry.sources.base import Assignment
from telemetry.sources.previous_watcher import PreviousWatcher
from telemetry.watcher.gpu_settings import GpuSettings
from telemetry.watcher.loop import (
    EXIT_BAD_RECORD,
    EXIT_NO_SOURCE,
    EXIT_SECOND,
    EXIT_UNSET,
    EXIT_VANISHED,
    Watcher,
    claim,
)
from telemetry.watcher.select_source import open_source
from telemetry.watcher.stop_signal import HEEDED, StopSignal

# A host names a folder and a file.
_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_RUN_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
_WHO: Final = "watcher"


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Watch one node of one attempt; the exit code."""
    parser = CommandParser(module="telemetry.watcher", description=__doc__)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--run-id", required=True)
    parser.add_argument("--attempt", type=int, required=True)
    parser.add_argument("--host", required=True)
    given = parser.parse_args(arguments)
    if not _HOST.fullmatch(given.host):
        parser.error(f"`--host` must be a host name, but is {given.host!r} instead")
    if not _RUN_ID.fullmatch(given.run_id):
        parser.error(f"`--run-id` must name a run's folder, but is {given.run_id!r} instead")
    if given.attempt < 1:
        parser.error(f"`--attempt` must be at least 1, but is {given.attempt} instead")
    if "\0" in str(given.results):
        parser.error(f"`--results` must be a folder, but is {str(given.results)!r} instead")
    run = RunPaths(results=given.results, run_id=given.run_id)
    attempt = run.attempt(given.attempt)
    if not attempt.folder.is_dir():
        complain(_WHO, f"{attempt.folder} must be an attempt's folder, but is not")
        return EXIT_VANISHED
    lock = claim(attempt, given.host)
    if lock is None:
        complain(_WHO, f"{attempt.folder} on {given.host} is watched by another process already")
        return EXIT_SECOND
    # 0.3 s before the first row, in which a watcher that follows another one is blind.
    spare_pandas()
    # One thread: what watches must not take part in what is watched.
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with lock:
        stop = StopSignal()
        try:
            assignment = _read_assignment(run, attempt, given.host)
        except (FileNotFoundError, ValueError) as error:
            complain(_WHO, str(error))
            return EXIT_BAD_RECORD
        try:
            # Before the sensors are opened: what they tell of the GPUs is what the run stands on.
            settings = GpuSettings(assignment, os.environ, functools.partial(complain, _WHO))
        except RuntimeError as error:
            complain(_WHO, str(error))
            return EXIT_UNSET
        with settings:
            return _watch(assignment, given, settings, stop)


def _watch(
    assignment: Assignment, given: argparse.Namespace, settings: GpuSettings, stop: StopSignal
) -> int:
    """Watch until the stop, the GPUs set; the exit code."""
    folder = assignment.attempt.folder
    told = _ByHand(assignment.host)
    try:
        with told.opening():
            source = open_source(assignment)
    except (RuntimeError, ValueError) as error:
        complain(_WHO, str(error))
        return EXIT_NO_SOURCE
    told.watching()
    try:
        Watcher(assignment, given.run_id, source, stop, settings).run()
    except FileNotFoundError as error:
        if folder.is_dir():
            raise
        complain(_WHO, f"{folder} vanished: {error}")
        return EXIT_VANISHED
    told.over(given.results)
    return 0


class _ByHand:
    """What somebody is told who starts a watcher at a terminal; an owner's is a quiet process.

    What it prints with is loaded here alone: a watcher is to be small.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._there = sys.stdin is not None and sys.stdin.isatty()

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Within it the sensors are looked for."""
        if not self._there:
            yield
            return
        from telemetry.waiting import waiting  # noqa: PLC0415

        with waiting("looking for the sensors"):
            yield

    def watching(self) -> None:
        """Say that it begins, and how it ends."""
        if self._there:
            from telemetry.output import Output  # noqa: PLC0415

            Output().say(f"watching {self._host} until the end of its input (Ctrl-D)")

    def over(self, results: Path) -> None:
        """Name what comes next."""
        if self._there:
            from telemetry.output import Output  # noqa: PLC0415

            Output().next(typed("telemetry.merge", results))


def _read_assignment(run: RunPaths, attempt: AttemptPaths, host: str) -> Assignment:
    """What the attempt's files tell this watcher to do.

    Raises:
        FileNotFoundError: one of them is not there.
        ValueError: one of them is not what it must be; the message names it.
    """
    before = PreviousWatcher.find(attempt, host)
    clock = HostClock.set_now()
    if before is not None:
        offset_us = before.record.get("clock_offset_us")
        if not isinstance(offset_us, int):
            raise ValueError(
                f"`clock_offset_us` of {attempt.host(host)} must be a whole number, but is "
                f"{offset_us!r} instead"
            )
        clock = HostClock(offset_us=offset_us)
    return Assignment(
        attempt=attempt,
        spec=RunSpec.read(run.spec),
        launch=LaunchConfig.read(attempt.launch),
        host=host,
        clock=clock,
        before=before,
    )


def _run() -> int:
    code = main()
    # All is on disk: an interpreter takes half a second to leave, on a busy node more than its
    # owner waits, and what tells it to end then would be taken for a death.
    for number in HEEDED:
        signal.signal(number, signal.SIG_IGN)
    return code


if __name__ == "__main__":
    sys.exit(_run())
