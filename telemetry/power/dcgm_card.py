"""DCGM card: a GPU that is read by its driver and set by a host engine that runs as root."""

from collections.abc import Sequence
from typing import Final

from telemetry.power.book import Entry
from telemetry.power.card import SettableCard
from telemetry.power.record import GpuPower, Knob
from telemetry.sources.dcgm.config import DcgmConfig

_NO_LOCK: Final = "DCGM's configuration sets application clocks and no lock"


class DcgmCard:
    """Sets by an engine's configuration, one connection a call: whoever calls has its own."""

    def __init__(self, card: SettableCard, bindings: str | None, address: str | None) -> None:
        self._card = card
        self._engine = bindings, address
        self.uuid = card.uuid
        self.index = card.index
        self.read, self.in_force, self.sampled = card.read, card.in_force, card.sampled
        self.bounds, self.offered, self.default = card.bounds, card.offered, card.default
        self.profiles = card.profiles

    def set(self, quantity: str, value: float) -> str | None:
        """Set one quantity; why it was refused, None where it was not."""
        if not value.is_integer():
            return f"DCGM takes whole numbers, and {value:g} is none"
        if quantity == Knob.POWER_LIMIT:
            refusal = self._ask(power_w=int(value))
            stands, _ = self._card.read(Knob.POWER_LIMIT)
            if refusal is not None and stands is not None and stands.is_integer():
                # It keeps as its target what its driver refused, and would set it after a reset.
                self._ask(power_w=int(stands))
            return refusal
        if quantity != Knob.APPLICATION_SM_CLOCK:
            return _NO_LOCK
        kept, reason = self._card.read(Knob.APPLICATION_MEMORY_CLOCK)
        if kept is None:
            return reason
        return self._ask(sm_mhz=int(value), memory_mhz=int(kept))

    def unlock(self, quantity: str) -> str | None:
        """An engine cannot take its target out again."""
        del quantity
        return _NO_LOCK

    def _ask(self, **values: int) -> str | None:
        try:
            with DcgmConfig(*self._engine) as config:
                return config.set(self.uuid, **values)
        except RuntimeError as error:
            return str(error)


def by_entry(card: SettableCard, entry: Entry) -> SettableCard:
    """A card as it was set: what an engine has set is put back by it, so that its target is too."""
    if entry.dcgm_address is None:
        return card
    return DcgmCard(card, entry.dcgm_bindings, entry.dcgm_address)


def engine_address(bindings: str | None, address: str | None) -> tuple[str | None, str | None]:
    """Where an engine answers, or None and why none does."""
    try:
        with DcgmConfig(bindings, address) as config:
            return config.address, None
    except RuntimeError as error:
        return None, str(error)


def dcgm_may(gpus: Sequence[GpuPower]) -> bool:
    """True where an engine can give back all that it would set: each value of before is known."""
    asked = {name for gpu in gpus for name, one in gpu.settings.items() if one.asked is not None}
    needed = {Knob.POWER_LIMIT} & asked
    if Knob.SM_CLOCK in asked:
        needed |= {Knob.APPLICATION_SM_CLOCK, Knob.APPLICATION_MEMORY_CLOCK}
    known = all(gpu.settings[name].before.value is not None for gpu in gpus for name in needed)
    return known and Knob.MEMORY_CLOCK not in asked
