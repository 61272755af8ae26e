"""Drain thread: talks to the engine, finds it again when it is lost, and lets go of it.

A call may hang for a minute: nobody but this thread waits for one.
"""

import threading
import time
from typing import Final

from telemetry.clock import US_PER_S, monotonic_us
from telemetry.sources.dcgm.liveness import HUNG, Liveness
from telemetry.sources.dcgm.outbox import Outbox
from telemetry.sources.dcgm.request import WatchRequest
from telemetry.sources.dcgm.session import DcgmSession

# A row must be on disk within two seconds of its reading: the watcher's own tick and flush take
# up to 0.6 s of them.
_DRAIN_S: Final = 1.0
# Between two tries to reach an engine that went away; systemd restarts one within seconds.
_RETRY_S: Final = 1.0
# How soon a thread that died at the start is noticed.
_POLL_S: Final = 0.1
# The first watch makes the engine read every field once: 3 ms a field and GPU, plus the connection.
_OPEN_S: Final = 20.0
# Beyond the last period, what an answering engine needs for the last drain.
_LAST_DRAIN_S: Final = 3.0

_LOST: Final = "the connection to nv-hostengine is lost"


class DrainThread:
    """Runs from construction until `end`; what it reads lies in the outbox."""

    def __init__(self, request: WatchRequest, outbox: Outbox, liveness: Liveness) -> None:
        self._request = request
        self._outbox = outbox
        self._liveness = liveness
        self._opened = threading.Event()
        self._ending = threading.Event()
        self._last_drain = False
        self._failure: str | None = None
        # Nobody waits for it at the end: a call into a hung engine cannot be taken back.
        self._thread = threading.Thread(target=self._work, name="dcgm", daemon=True)
        self._thread.start()

    @property
    def died(self) -> bool:
        """True when it ended without being told to."""
        return not (self._ending.is_set() or self._thread.is_alive())

    def wait_until_open(self) -> None:
        """Wait for the first drain.

        Raises:
            RuntimeError: there is no engine, it does not answer, or does not know a GPU.
        """
        try:
            deadline_us = monotonic_us() + _OPEN_S * US_PER_S
            while not self._opened.wait(_POLL_S):
                if not self._thread.is_alive():
                    raise RuntimeError(
                        "DCGM cannot be watched: its thread died, see the watcher's log"
                    )
                if monotonic_us() > deadline_us:
                    raise RuntimeError(
                        f"the DCGM engine must answer within {_OPEN_S:g} s, but does not"
                    )
            if self._failure is not None:
                raise RuntimeError(self._failure)
        except RuntimeError:
            # Should it open after all, it closes at once.
            self._ending.set()
            raise

    def drain_last(self) -> None:
        """End after a last drain, one period from now, so that values on their way arrive."""
        self._last_drain = True
        self._ending.set()
        period_s = max(map(self._request.watch_us, self._request.fields)) / US_PER_S
        self._thread.join(period_s + _LAST_DRAIN_S)
        if self._thread.is_alive():
            self._outbox.note(self._outbox.now_us(), "dcgm_left_hanging", reason=HUNG)

    def end(self) -> None:
        """End, deleting what was made in the engine."""
        self._ending.set()
        self._thread.join(_LAST_DRAIN_S)

    # What follows runs in the thread alone.

    def _work(self) -> None:
        bindings = self._request.bindings
        try:
            session = self._open_first()
        except (bindings.error, RuntimeError) as error:
            self._failure = f"DCGM cannot be watched: {error}"
            self._opened.set()
            return
        self._outbox.description = self._request.describe(session, _DRAIN_S)
        self._outbox.put_refusals(session)
        try:
            self._drain(session)
        except bindings.error as error:
            self._failure = f"DCGM cannot be read: {error}"
            self._opened.set()
            session.abandon()
            return
        self._opened.set()
        while not self._ending.wait(_DRAIN_S):
            try:
                self._drain(session)
            except bindings.error as error:
                lost_us = self._lose(error)
                session.abandon()
                found = self._find_again(lost_us)
                if found is None:
                    return
                session = found
        self._finish(session)

    def _finish(self, session: DcgmSession) -> None:
        if self._last_drain:
            time.sleep(session.slowest_period_us / US_PER_S)
            try:
                self._drain(session)
            except self._request.bindings.error as error:
                self._lose(error)
                session.abandon()
                return
        session.close()

    def _open_first(self) -> DcgmSession:
        """What a watcher that died had not read yet may still lie in the engine's cache."""
        now_us = self._outbox.now_us()
        if self._request.assignment.before is None:
            return self._open(now_us, incomplete=False)
        since_us = self._request.oldest_us(self._outbox.since_us(now_us), now_us)
        return self._open(since_us, incomplete=True)

    def _open(self, since_us: int, *, incomplete: bool) -> DcgmSession:
        with self._liveness.asking():
            return self._request.open(since_us, incomplete=incomplete)

    def _drain(self, session: DcgmSession) -> None:
        with self._liveness.asking():
            values = session.drain()
        self._outbox.put(values)
        self._liveness.hear(values)

    def _lose(self, error: Exception) -> int:
        """Write down that the engine is gone; when its last reading was."""
        now_us, last_us = self._outbox.now_us(), self._liveness.last_us
        self._outbox.note(now_us, "dcgm_lost", last_reading_us=last_us, reason=str(error))
        self._outbox.put_nulls(now_us, _LOST)
        return last_us

    def _find_again(self, lost_us: int) -> DcgmSession | None:
        """A new session as soon as there is an engine; None when told to end before."""
        told = None
        while not self._ending.is_set():
            start_us = self._outbox.now_us()
            try:
                session = self._open(start_us, incomplete=True)
            except (self._request.bindings.error, RuntimeError) as error:
                # The same failure again says nothing new.
                if str(error) != told:
                    told = str(error)
                    self._outbox.note(start_us, "dcgm_not_back", reason=told)
                self._ending.wait(_RETRY_S)
                continue
            self._outbox.note(
                self._outbox.now_us(), "dcgm_back", gap_from_us=lost_us, gap_until_us=start_us
            )
            self._liveness.start_anew(start_us)
            self._outbox.put_refusals(session)
            return session
        return None
