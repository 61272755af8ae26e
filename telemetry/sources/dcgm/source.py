"""Source: what a DCGM engine samples of this job's GPUs, every sample with its own time.

A thread of its own talks to the engine, as a call may hang for a minute; the watcher goes on
meanwhile and writes down that it does.
"""

from collections.abc import Sequence
from typing import Final

from telemetry.sources.base import Assignment, Description, Reading
from telemetry.sources.dcgm.drain_thread import DrainThread
from telemetry.sources.dcgm.liveness import Liveness
from telemetry.sources.dcgm.outbox import Outbox
from telemetry.sources.dcgm.request import WatchRequest

_DEAD: Final = "the thread that reads DCGM died: see the watcher's log"


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
        request = WatchRequest(assignment, uuids, embed=embed, sampled=sampled)
        self._outbox = Outbox(request)
        self._liveness = Liveness(self._outbox, request.period_us)
        self._dead = False
        self._thread = DrainThread(request, self._outbox, self._liveness)
        self._thread.wait_until_open()

    def describe(self) -> Description:
        """The GPUs as the engine knows them, what is watched and how often, what is refused."""
        assert self._outbox.description is not None
        return self._outbox.description

    def read(self) -> Sequence[Reading]:
        """What the last drains brought; null rows while the engine hangs."""
        self._liveness.look_for_hang()
        if not self._dead and self._thread.died:
            self._dead = True
            now_us = self._outbox.now_us()
            self._outbox.note(now_us, "dcgm_thread_died", reason=_DEAD)
            self._outbox.put_nulls(now_us, _DEAD)
        return self._outbox.take()

    def finish(self) -> Sequence[Reading]:
        """A last drain one period from now, so that values on their way arrive."""
        self._thread.drain_last()
        return self._outbox.take()

    def close(self) -> None:
        """End the thread, which deletes what it made in the engine."""
        self._thread.end()
