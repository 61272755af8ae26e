"""Log: how the watching itself went; ClockGuard: steps of the wall clock."""

import contextlib
from typing import Any, Final

from telemetry.clock import HostClock
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths

# Slewing moves a clock by 0.05 % at most (adjtimex), 5 ms over a late tick of 10 s; ntpd steps
# from 128 ms on.
_STEP_US: Final = 50_000


class WatchLog:
    """A host's record of its watching, rewritten at each event, so that a kill -9 leaves it too.

    A watcher that follows a dead one continues its record.
    """

    def __init__(
        self, attempt: AttemptPaths, host: str, clock: HostClock, *, continued: bool = False
    ) -> None:
        self._attempt = attempt
        self._path = attempt.watchers / f"{host}.json"
        self._clock = clock
        self._unwritten = False
        self._in_trouble = False
        self._content: dict[str, Any] = {
            "host": host,
            "started_us": clock.now_us(),
            "ended_us": None,
            "end_reason": None,
            "ticks": 0,
            "ticks_missed": 0,
            "rows": 0,
            "clock_drift_us": None,
            "events": [],
        }
        if continued:
            # What cannot be read leaves a record that begins anew; the owner has one of its own.
            with contextlib.suppress(OSError, ValueError):
                self._content |= read_json(self._path)

    def begin(self) -> None:
        """The first readings are on disk: from now on there is a record of the watching."""
        self._write()

    def count_tick(self, *, missed: int) -> None:
        """A poll was made, and `missed` ones were due while it ran."""
        self._content["ticks"] += 1
        self._content["ticks_missed"] += missed
        if self._unwritten:
            self._write()

    def count_rows(self, rows: int) -> None:
        """That many rows are on disk; trouble with the disk is over."""
        self._content["rows"] += rows
        if self._in_trouble:
            self._in_trouble = False
            self.event("disk_recovered")

    def disk_trouble(self, reason: str) -> None:
        """Rows could not be written; stated once until they can be again."""
        if not self._in_trouble:
            self._in_trouble = True
            self.event("disk_trouble", reason=reason)

    def event(self, what: str, **details: Any) -> None:
        """Something to be told to whoever reads the samples; `t_us` of now unless given."""
        self._content["events"].append({"t_us": self._clock.now_us(), "what": what, **details})
        self._write()

    def end(self, reason: str, *, drift_us: int) -> None:
        """The watching is over; `drift_us` is how far the wall clock moved meanwhile."""
        self._content |= {
            "ended_us": self._clock.now_us(),
            "end_reason": reason,
            "clock_drift_us": drift_us,
        }
        self._write()

    def _write(self) -> None:
        # A full disk takes no log either: the next tick tries again.
        self._unwritten = True
        with contextlib.suppress(OSError):
            self._attempt.watchers.mkdir(exist_ok=True)
            write_json(self._path, self._content)
            self._unwritten = False


class ClockGuard:
    """Notices when the wall clock is set while the watcher runs."""

    def __init__(self, clock: HostClock) -> None:
        self._clock = clock
        self._last_us = self._clock.step_us()

    def new_step_us(self) -> int | None:
        """How far the wall clock has jumped since the last call; None when it has not."""
        now_us = self._clock.step_us()
        moved_us = now_us - self._last_us
        self._last_us = now_us
        return moved_us if abs(moved_us) >= _STEP_US else None
