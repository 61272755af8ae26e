"""Phase switching: the ranks have their nodes' watchers change settings as phases begin.

The first rank of each node asks its watcher, at the edge that all ranks have come to, and goes on:
no phase waits for its settings, which act within the delay that was measured before. What came of
it is heard at the next edge, and by all ranks at the end of the batch.
"""

from collections.abc import Callable, Mapping

from telemetry.power.phase_channel import PhaseClient
from telemetry.power.phases import PHASES
from telemetry.record.schema import Phase
from workers.distributed.process_group import Mesh

_ELSEWHERE = "a GPU of another node could not be switched between phases: its power record says why"


class PhaseSwitching:
    """One rank's part in switching; without a `client` it goes along with the others."""

    def __init__(self, mesh: Mesh, client: PhaseClient | None) -> None:
        self._mesh = mesh
        self._client = client
        self._asked = False
        self._fault: str | None = None

    def prove(self, work: Callable[[], Mapping[str, int]]) -> None:
        """Have the delay measured while `work` loads the GPUs, and held against its phases.

        `work` does one batch and says how long each phase of it lasted, in microseconds.

        Raises:
            RuntimeError: the phases are too short, or the settings do not act.
        """
        if self._client is not None:
            self._client.measure()
        shortest: dict[str, int] = {}
        goes_on = True
        while goes_on:
            lasted_us = work()
            shortest = {
                phase: min(lasted_us[phase], shortest.get(phase, lasted_us[phase]))
                for phase in PHASES
            }
            ready = int(self._client is None or self._client.answered())
            # Nodes are ready one after the other, and the ranks without a client always.
            goes_on = not (self._mesh.agree(ready) and ready)
        fault = None
        if self._client is not None:
            fault = self._client.fault()
            if fault is None:
                self._client.decide(shortest)
                fault = self._client.fault()
        self._require(fault)

    def begin(self, phase: Phase, batch: int, edge_us: int) -> None:
        """A phase has begun at `edge_us`: its settings are asked for, and not waited for."""
        self._hear()
        if self._client is not None and self._fault is None:
            self._client.switch(phase.value, batch, edge_us)
            self._asked = True

    def end_batch(self) -> None:
        """Hear what came of the last switch, and whether who made it is there still.

        Raises:
            RuntimeError: a switch of this batch failed, or a watcher died in it, on any node.
        """
        self._hear()
        if self._client is not None:
            self._fault = self._fault or self._client.ended()
        self._require(self._fault)

    def _hear(self) -> None:
        if self._client is not None and self._asked:
            self._asked = False
            self._fault = self._fault or self._client.fault()

    def _require(self, fault: str | None) -> None:
        alike = self._mesh.agree(int(fault is None))
        if fault is not None or not alike:
            raise RuntimeError(fault or _ELSEWHERE)
