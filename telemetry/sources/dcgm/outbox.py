"""Outbox: readings and remarks on their way from the thread that drains to the watcher."""

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from telemetry.sources.base import Description, Reading
from telemetry.sources.dcgm.decoder import DcgmDecoder
from telemetry.sources.dcgm.request import GONE, WatchRequest
from telemetry.sources.dcgm.session import DcgmSession
from telemetry.sources.dcgm.values import Raw

_MIG: Final = "MIG is on: the sensors are the whole board's, not its instances'"


class Outbox:
    """What was read and what is missing; either thread puts, the watcher's takes."""

    def __init__(self, request: WatchRequest) -> None:
        assignment, before = request.assignment, request.assignment.before
        self._request = request
        self._clock = assignment.clock
        self._remarks = assignment.remarks
        self._decoder = DcgmDecoder(request.fields, self._remarks, before.last if before else None)
        # Appending to and popping from a deque is atomic.
        self._queue: deque[Reading] = deque()
        self.description: Description | None = None

    def now_us(self) -> int:
        """Now, on the host's steady clock."""
        return self._clock.now_us()

    def since_us(self, now_us: int) -> int:
        """From when on values are new: of now, or of where an earlier watcher stopped."""
        return self._decoder.since_us(now_us)

    def note(self, t_us: int, what: str, **details: Any) -> None:
        """Leave a remark for the watcher's log."""
        self._remarks.note(t_us, what, **details)

    def put(self, values: Iterable[tuple[int, str, Raw]]) -> None:
        """What a drain brought."""
        self._queue.extend(self._decoder.readings(values))

    def put_nulls(self, t_us: int, reason: str) -> None:
        """A null row for everything that is watched."""
        assert self.description is not None
        uuids = [str(gpu["uuid"]) for gpu in self.description.gpus]
        names = list(self.description.periods_us)
        self._queue.extend(self._decoder.nulls(t_us, uuids, names, reason))

    def put_refusals(self, session: DcgmSession) -> None:
        """Null rows of what this session cannot read at all."""
        now_us = self.now_us()
        found = {str(gpu["uuid"]): bool(gpu["mig"]) for gpu in session.gpus}
        for uuid in self._request.uuids or found:
            if uuid in found and not found[uuid]:
                refused = session.refused
            else:
                reason = _MIG if uuid in found else GONE
                refused = {field.name: reason for field in self._request.fields}
            for name, reason in refused.items():
                self._queue.extend(self._decoder.nulls(now_us, [uuid], [name], reason))

    def take(self) -> list[Reading]:
        """All readings since the last call, by time."""
        taken = []
        while self._queue:
            taken.append(self._queue.popleft())
        taken.sort(key=lambda reading: reading.t_us)
        return taken
