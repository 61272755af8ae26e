"""Phase settings: what a node's watcher does when a rank asks it to switch between phases."""

import dataclasses
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from telemetry.power.node import NodeSettings
from telemetry.power.phase_channel import PhaseServer
from telemetry.power.phases import PHASES
from telemetry.power.record import Knob
from telemetry.power.switcher import Switcher
from telemetry.record.validation import require_whole


class PhaseSettings:
    """The node's end of the phase channel, from when its GPUs are set until they are given back.

    Args:
        node: the GPUs, set and remembered.
        asked: by phase what is to stand.
        folder: the attempt's, which names the channel.
        host: the node's name in the record.
        now_us: the host's clock of the run.
    """

    def __init__(
        self,
        node: NodeSettings,
        asked: Mapping[str, Mapping[Knob, float | None]],
        *,
        folder: Path,
        host: str,
        now_us: Callable[[], int],
    ) -> None:
        self._node = node
        self._ending = threading.Event()
        self._switcher = Switcher(node.cards, asked, now_us=now_us, stopped=self._ending.is_set)
        assert node.record is not None
        self._phases = node.record.phases or self._switcher.begin()
        node.note_phases(self._phases)
        self._server = PhaseServer(folder, host, self._do)

    def close(self) -> None:
        """Switch no more; returns when nothing is being set."""
        self._ending.set()
        self._server.close()

    def _do(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do one thing; what is wrong with it.

        Raises:
            RuntimeError, ValueError, KeyError: it cannot be done.
        """
        what = asked.get("do")
        if what == "measure":
            self._phases = dataclasses.replace(self._phases, delays=self._switcher.measure())
            self._node.note_phases(self._phases)
            return {"fault": None}
        if what == "decide":
            lengths = {phase: asked["phases_us"][phase] for phase in PHASES}
            for phase, length_us in lengths.items():
                require_whole(phase, length_us, 0)
            self._phases = self._phases.decided(lengths)
            self._node.note_phases(self._phases)
            return {"fault": None if self._phases.allowed else self._phases.rule}
        if what == "switch":
            return {"fault": self._switch(asked["phase"], asked["batch"], asked["asked_us"])}
        raise ValueError(f"`do` must be measure, decide or switch, but is {what!r} instead")

    def _switch(self, phase: object, batch: int, asked_us: int) -> str | None:
        if phase not in PHASES:
            raise ValueError(f"`phase` must be {' or '.join(PHASES)}, but is {phase!r} instead")
        require_whole("batch", batch, 0)
        require_whole("asked_us", asked_us, 0)
        if not self._phases.allowed:
            raise RuntimeError(f"nothing is switched: {self._phases.rule or 'no delay is known'}")
        done = self._switcher.switch(str(phase), batch, asked_us)
        self._phases = dataclasses.replace(self._phases, switches=(*self._phases.switches, done))
        self._node.note_phases(self._phases)
        return done.fault
