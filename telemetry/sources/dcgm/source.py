"""Source: what a DCGM engine samples of this job's GPUs, every sample with its own time.

A thread of its own talks to the engine, as a call may hang for a minute; the watcher goes on
meanwhile and writes down that it does.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from telemetry.clock import US_PER_MS, US_PER_S, monotonic_us
from telemetry.record.fields import Field
from telemetry.sources.base import Assignment, Description, Reading
from telemetry.sources.dcgm.bindings import DcgmBindings, find_bindings, load_bindings
from telemetry.sources.dcgm.decoder import DcgmDecoder
from telemetry.sources.dcgm.fields import dcgm_fields, watch_period_us
from telemetry.sources.dcgm.session import KEEP_S, DcgmSession
from telemetry.sources.dcgm.wall_window import OVERLAP_US

# A row must be on disk within two seconds of its reading: the watcher's own tick and flush take
# up to 0.6 s of them.
_DRAIN_S: Final = 1.0
# Between two tries to reach an engine that went away; systemd restarts one within seconds.
_RETRY_S: Final = 1.0
# How soon a thread that died at the start is noticed.
_POLL_S: Final = 0.1
# The first watch makes the engine read every field once: 3 ms a field and GPU, plus the connection.
_OPEN_S: Final = 20.0
# A drain of 8 GPUs x 20 fields takes 0.1 s; an engine that takes fifty times that hangs.
_HUNG_US: Final = 5 * US_PER_S
# Beyond the last period, what an answering engine needs for the last drain.
_LAST_DRAIN_S: Final = 3.0

_HUNG: Final = "nv-hostengine does not answer"
_LOST: Final = "the connection to nv-hostengine is lost"
_GONE: Final = "the engine does not know this GPU any more"
_MIG: Final = "MIG is on: the sensors are the whole board's, not its instances'"
_DEAD: Final = "the thread that reads DCGM died: see the watcher's log"
_SILENT: Final = "nv-hostengine answers, but gives no new readings"


class DcgmReadings:
    """The GPU readings of one engine; everything else of a node is another source's.

    Raises:
        DcgmMissingError: there are no bindings or no library.
        RuntimeError: there is no engine, it does not answer, or does not know a GPU.
    """

    def __init__(
        self,
        assignment: Assignment,
        uuids: Sequence[str] | None = None,
        *,
        embed: bool = True,
        sampled: bool = False,
    ) -> None:
        """Watch the GPUs `uuids`; None watches every GPU that the engine supports.

        `embed` allows an engine in this process where none runs; `sampled` says that the driver's
        own power samples are taken as well, and the engine's need not carry the energy.
        """
        launch = assignment.launch
        self._clock = assignment.clock
        self._remarks = assignment.remarks
        self._address = launch.dcgm_address
        self._uuids = uuids
        self._embed = embed
        self._sampled = sampled
        self._before = assignment.before
        self._period_us = launch.period_ms * US_PER_MS
        self._fields = dcgm_fields(launch.gpu_fields)
        self._decoder = DcgmDecoder(
            self._fields, self._remarks, self._before.last if self._before else None
        )
        self._bindings: DcgmBindings = load_bindings(find_bindings(launch.dcgm_bindings))
        self._queue: deque[Reading] = deque()
        self._last_us = self._news_us = self._clock.now_us()
        # When the engine was asked something that it has not answered yet.
        self._asked_us: int | None = None
        self._hung_since_us: int | None = None
        self._silent = self._dead = False
        self._opened = threading.Event()
        self._ending = threading.Event()
        self._last_drain = False
        self._failure: str | None = None
        self._description: Description | None = None
        # Nobody waits for it at the end: a call into a hung engine cannot be taken back.
        self._thread = threading.Thread(target=self._work, name="dcgm", daemon=True)
        self._thread.start()
        try:
            self._wait_until_open()
        except RuntimeError:
            # Should it open after all, it closes at once.
            self._ending.set()
            raise

    def describe(self) -> Description:
        """The GPUs as the engine knows them, what is watched and how often, what is refused."""
        assert self._description is not None
        return self._description

    def read(self) -> Sequence[Reading]:
        """What the last drains brought; null rows while the engine hangs."""
        self._look_for_hang()
        self._look_for_death()
        return self._take()

    def finish(self) -> Sequence[Reading]:
        """A last drain one period from now, so that values on their way arrive."""
        self._last_drain = True
        self._ending.set()
        period_s = max(map(self._watch_us, self._fields)) / US_PER_S
        self._thread.join(period_s + _LAST_DRAIN_S)
        if self._thread.is_alive():
            self._remarks.note(self._clock.now_us(), "dcgm_left_hanging", reason=_HUNG)
        return self._take()

    def close(self) -> None:
        """End the thread, which deletes what it made in the engine."""
        self._ending.set()
        self._thread.join(_LAST_DRAIN_S)

    def _wait_until_open(self) -> None:
        deadline_us = monotonic_us() + _OPEN_S * US_PER_S
        while not self._opened.wait(_POLL_S):
            if not self._thread.is_alive():
                raise RuntimeError("DCGM cannot be watched: its thread died, see the watcher's log")
            if monotonic_us() > deadline_us:
                raise RuntimeError(
                    f"the DCGM engine must answer within {_OPEN_S:g} s, but does not"
                )
        if self._failure is not None:
            raise RuntimeError(self._failure)

    def _watch_us(self, field: Field) -> int:
        return watch_period_us(field, self._period_us, sampled=self._sampled)

    def _take(self) -> list[Reading]:
        taken = []
        while self._queue:
            taken.append(self._queue.popleft())
        taken.sort(key=lambda reading: reading.t_us)
        return taken

    def _look_for_death(self) -> None:
        if not (self._dead or self._ending.is_set() or self._thread.is_alive()):
            self._dead = True
            now_us = self._clock.now_us()
            self._remarks.note(now_us, "dcgm_thread_died", reason=_DEAD)
            self._queue.extend(self._all_null(now_us, _DEAD))

    def _look_for_hang(self) -> None:
        now_us, asked_us = self._clock.now_us(), self._asked_us
        if self._hung_since_us is not None and asked_us != self._hung_since_us:
            silent_s = (now_us - self._hung_since_us) / US_PER_S
            self._remarks.note(now_us, "dcgm_hang_over", silent_s=silent_s)
            self._hung_since_us = None
        if self._hung_since_us is None and asked_us is not None and now_us - asked_us > _HUNG_US:
            self._hung_since_us = asked_us
            self._remarks.note(now_us, "dcgm_hangs", since_us=asked_us)
            self._queue.extend(self._all_null(now_us, _HUNG))

    # What follows runs in the thread alone.

    def _work(self) -> None:
        bindings = self._bindings
        try:
            session = self._open_first()
        except (bindings.error, RuntimeError) as error:
            self._failure = f"DCGM cannot be watched: {error}"
            self._opened.set()
            return
        self._description = self._describe(session)
        self._note_refusals(session)
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
            except self._bindings.error as error:
                self._lose(error)
                session.abandon()
                return
        session.close()

    def _open_first(self) -> DcgmSession:
        """What a watcher that died had not read yet may still lie in the engine's cache."""
        if self._before is None:
            return self._open(self._clock.now_us(), incomplete=False)
        now_us = self._clock.now_us()
        since_us = max(self._decoder.since_us(now_us), now_us - int(KEEP_S * US_PER_S))
        return self._open(since_us, incomplete=True)

    def _open(self, since_us: int, *, incomplete: bool) -> DcgmSession:
        self._asked_us = self._clock.now_us()
        try:
            return DcgmSession(
                self._bindings,
                address=self._address,
                uuids=self._uuids,
                fields=self._fields,
                period_us=self._period_us,
                clock=self._clock,
                since_us=since_us,
                sampled=self._sampled,
                embed=self._embed,
                incomplete=incomplete,
            )
        finally:
            self._asked_us = None

    def _drain(self, session: DcgmSession) -> None:
        self._asked_us = self._clock.now_us()
        try:
            values = session.drain()
        finally:
            self._asked_us = None
        self._queue.extend(self._decoder.readings(values))
        self._look_for_silence(values)

    def _look_for_silence(self, values: Sequence[tuple[int, str, Any]]) -> None:
        now_us = self._clock.now_us()
        if values:
            self._last_us = max(self._last_us, *(t_us for t_us, _, _ in values))
            if self._silent:
                self._remarks.note(now_us, "dcgm_speaks", since_us=self._news_us)
            self._silent, self._news_us = False, now_us
        elif not self._silent and now_us - self._news_us > max(_HUNG_US, 10 * self._period_us):
            self._silent = True
            self._remarks.note(now_us, "dcgm_silent", since_us=self._news_us)
            self._queue.extend(self._all_null(now_us, _SILENT))

    def _lose(self, error: Exception) -> int:
        """Write down that the engine is gone; when its last reading was."""
        now_us = self._clock.now_us()
        self._remarks.note(now_us, "dcgm_lost", last_reading_us=self._last_us, reason=str(error))
        self._queue.extend(self._all_null(now_us, _LOST))
        return self._last_us

    def _find_again(self, lost_us: int) -> DcgmSession | None:
        """A new session as soon as there is an engine; None when told to end before."""
        told = None
        while not self._ending.is_set():
            start_us = self._clock.now_us()
            try:
                session = self._open(start_us, incomplete=True)
            except (self._bindings.error, RuntimeError) as error:
                # The same failure again says nothing new.
                if str(error) != told:
                    told = str(error)
                    self._remarks.note(start_us, "dcgm_not_back", reason=told)
                self._ending.wait(_RETRY_S)
                continue
            self._remarks.note(
                self._clock.now_us(), "dcgm_back", gap_from_us=lost_us, gap_until_us=start_us
            )
            self._news_us = start_us
            self._note_refusals(session)
            return session
        return None

    def _note_refusals(self, session: DcgmSession) -> None:
        """Null rows of what this session cannot read at all."""
        now_us = self._clock.now_us()
        found = {str(gpu["uuid"]): bool(gpu["mig"]) for gpu in session.gpus}
        for uuid in self._uuids or found:
            if uuid in found and not found[uuid]:
                refused = session.refused
            else:
                reason = _MIG if uuid in found else _GONE
                refused = {field.name: reason for field in self._fields}
            for name, reason in refused.items():
                self._queue.extend(self._decoder.nulls(now_us, [uuid], [name], reason))

    def _all_null(self, t_us: int, reason: str) -> list[Reading]:
        description = self.describe()
        uuids = [str(gpu["uuid"]) for gpu in description.gpus]
        return self._decoder.nulls(t_us, uuids, list(description.periods_us), reason)

    def _describe(self, session: DcgmSession) -> Description:
        watched = [field for field in self._fields if field.name not in session.refused]
        gpus = list(session.gpus)
        if self._before is not None:
            there = {gpu["uuid"] for gpu in gpus}
            known = self._before.record.get("gpus", [])
            gpus += [{**gpu, "lost": _GONE} for gpu in known if gpu["uuid"] not in there]
        return Description(
            name="dcgm",
            simulated=False,
            gpus=gpus,
            periods_us={
                field.name: self._watch_us(field)
                for field in watched
                # It has a value only when an error happens.
                if field.name != "xid"
            },
            identity={
                **session.engine,
                "bindings": str(self._bindings.folder),
                "libdcgm": self._bindings.version,
                "drain_s": _DRAIN_S,
                "sampled": self._sampled,
                "overlap_us": OVERLAP_US,
                "gpus_chosen": "all of the engine" if self._uuids is None else "the job's, by UUID",
                "refused": dict(session.refused),
                "null_rows": "one when a reading is first missed, until its next value",
            },
        )
