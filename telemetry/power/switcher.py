"""Switcher: the set cards of a node go from one phase's settings to the other's, timed and read."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from telemetry.clock import US_PER_S
from telemetry.power.card import SettableCard, same
from telemetry.power.in_force import IN_FORCE_S, LOOK_S, wait_in_force
from telemetry.power.phases import PHASES, Delay, GpuSwitch, NodePhases, Switch
from telemetry.power.record import Knob

# Each direction is tried so often: the longest of five is what a run's edges are held against.
_TRIES: Final = 5
# A clock or a power that has not answered by then does not.
_WAIT_US: Final = round(IN_FORCE_S * US_PER_S)
# Clocks come in steps of 15 MHz; by the recorded runs a board holds its limit to 1 % over a second.
_CLOCK_MHZ: Final = 15.0
_POWER_SHARE: Final = 0.02

Values = Mapping[Knob, float | None]


@dataclass(kw_only=True)
class _Tried:
    """What was seen of one quantity of one card on its way to one value."""

    read_us: list[int] = field(default_factory=list)
    """From asking until it was read back."""
    answered_us: list[int] = field(default_factory=list)
    """From asking until it was seen to act."""
    unseen: int = 0
    """Times that there was nothing to see."""
    silent: int = 0
    """Times that it was not seen to act."""


class Switcher:
    """Changes cards that were set and remembered before, and nothing else.

    Args:
        cards: this job's GPUs of the node.
        asked: by phase what is to stand; None takes a lock off.
        now_us: the host's clock of the run.
        stopped: true where the watcher is to end.
    """

    def __init__(
        self,
        cards: Sequence[SettableCard],
        asked: Mapping[str, Values],
        *,
        now_us: Callable[[], int],
        stopped: Callable[[], bool],
    ) -> None:
        self._cards = tuple(cards)
        self._asked = asked
        self._now_us = now_us
        self._stopped = stopped
        # What does not differ between phases is set once and left.
        first, other = (asked[phase] for phase in PHASES)
        self._changing = tuple(name for name in first if first[name] != other[name])

    def begin(self) -> NodePhases:
        """What is on record before anything was switched."""
        return NodePhases(
            asked={
                phase: {str(name): value for name, value in values.items()}
                for phase, values in self._asked.items()
            }
        )

    def switch(self, phase: str, batch: int, asked_us: int) -> Switch:
        """Have all cards stand as a phase asks, read back."""
        until_s = time.monotonic() + IN_FORCE_S
        found = []
        for card in self._cards:
            for name in self._changing:
                value = self._asked[phase][name]
                stands = card.read(name)[0]
                if (refusal := self._foreign(name, stands)) is None:
                    stands = None
                    refusal = card.unlock(name) if value is None else card.set(name, value)
                found.append(
                    GpuSwitch(
                        uuid=card.uuid,
                        quantity=str(name),
                        value=value,
                        set_us=self._now_us(),
                        read_us=None,
                        stands=stands,
                        fault=None if refusal is None else f"{card.uuid}: `{name}`: {refusal}",
                    )
                )
        by_uuid = {card.uuid: card for card in self._cards}
        read = tuple(self._read_back(by_uuid[one.uuid], one, until_s) for one in found)
        return Switch(phase=phase, batch=batch, asked_us=asked_us, gpus=read)

    def measure(self, tries: int = _TRIES) -> tuple[Delay, ...]:
        """Go from phase to phase under whatever load there is, and time each change.

        Raises:
            RuntimeError: a card does not change, or the watcher is to end.
        """
        seen: dict[tuple[str, Knob, str], _Tried] = {}
        # A way begins where the other ends: the first change alone may have nothing to show.
        for _ in range(tries):
            for phase in reversed(PHASES):
                self._try(phase, seen)
            # A lock that a clock did not answer to once is of no known delay, whatever follows.
            if any(one.silent and not one.read_us for one in seen.values()):
                break
        return tuple(
            Delay(
                uuid=uuid,
                quantity=str(name),
                value=self._asked[phase][name],
                read_us=tuple(one.read_us),
                answered_us=tuple(one.answered_us),
                unseen=one.unseen,
                silent=one.silent,
            )
            for (uuid, name, phase), one in seen.items()
        )

    def _foreign(self, name: Knob, stands: float | None) -> str | None:
        """Why a value is nobody's of this run, and not to be written over; None where it is."""
        own = {values[name] for values in self._asked.values()}
        if stands is None or any(one is not None and same(stands, one) for one in own):
            return None
        return f"stands at {stands:g}, as no phase has it: it is somebody else's, and is left"

    def _try(self, phase: str, seen: dict[tuple[str, Knob, str], _Tried]) -> None:
        other = next(one for one in PHASES if one != phase)
        waited: dict[tuple[str, Knob], tuple[SettableCard, _Tried]] = {}
        for card in self._cards:
            for name in self._changing:
                tried = seen.setdefault((card.uuid, name, phase), _Tried())
                now = card.sampled(name)[0]
                old, new = self._asked[other][name], self._asked[phase][name]
                if now is None or _is_so(name, now, old=old, new=new):
                    tried.unseen += 1
                else:
                    waited[card.uuid, name] = card, tried
        begun_us = self._now_us()
        done = self.switch(phase, -1, begun_us)
        if done.fault is not None:
            raise RuntimeError(done.fault)
        for one in done.gpus:
            if one.read_us is not None:
                seen[one.uuid, Knob(one.quantity), phase].read_us.append(one.read_us - begun_us)
        while waited and self._now_us() - begun_us < _WAIT_US:
            for key, (card, tried) in list(waited.items()):
                name = key[1]
                now = card.sampled(name)[0]
                old, new = self._asked[other][name], self._asked[phase][name]
                if now is not None and _is_so(name, now, old=old, new=new):
                    tried.answered_us.append(self._now_us() - begun_us)
                    del waited[key]
            self._pause()
        for _, tried in waited.values():
            tried.silent += 1

    def _read_back(self, card: SettableCard, one: GpuSwitch, until_s: float) -> GpuSwitch:
        """Wait until a value is in force, as far as a driver tells."""
        if one.fault is not None or one.value is None:
            return one
        seen = wait_in_force(card, one.quantity, one.value, until_s=until_s, pause=self._pause)
        if not seen.lacking:
            read_us = None if seen.value is None else self._now_us()
            return dataclasses.replace(one, read_us=read_us, stands=seen.value)
        told = f"reads {seen.value:g}" if seen.value is not None else f"is not told: {seen.reason}"
        fault = (
            f"`{one.quantity}` must be {one.value:g} on {one.uuid} within "
            f"{IN_FORCE_S:g} s of the switch, but {told} instead"
        )
        return dataclasses.replace(one, stands=seen.value, fault=fault)

    def _pause(self) -> None:
        if self._stopped():
            raise RuntimeError("the watcher is to end: its GPUs are given back")
        time.sleep(LOOK_S)


def _is_so(name: Knob, now: float, *, old: float | None, new: float | None) -> bool:
    """True where a sampled clock or power is one under the new setting and none under the old."""
    if name is not Knob.POWER_LIMIT:
        if new is not None:
            return abs(now - new) <= _CLOCK_MHZ
        return old is not None and abs(now - old) > _CLOCK_MHZ
    assert old is not None
    assert new is not None
    return now <= new * (1 + _POWER_SHARE) if new < old else now > old * (1 + _POWER_SHARE)
