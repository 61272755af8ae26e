"""Card: one GPU as whoever sets it sees it, and what is read of it for the record."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from telemetry.clock import wall_us
from telemetry.power.book import SAME
from telemetry.power.record import NOT_ASKED, GpuPower, Knob, ReadValue, Setting


class SettableCard(Protocol):
    """One GPU and what of it can be set; `telemetry.sources.nvml.settings` has the real one."""

    uuid: str

    @property
    def index(self) -> int | None:
        """Its number on the node."""

    def read(self, quantity: str) -> tuple[float | None, str | None]:
        """What it is set to, or None and why that cannot be had."""

    def in_force(self, quantity: str) -> tuple[float | None, str | None]:
        """What is in force by now, which may come later than what was set."""

    def sampled(self, quantity: str) -> tuple[float | None, str | None]:
        """The clock or the power that a quantity acts on, as it is at this moment."""

    def bounds(self, quantity: str) -> tuple[tuple[float, float] | None, str | None]:
        """The least and the most that it takes."""

    def offered(self, quantity: str) -> tuple[Sequence[float], str | None]:
        """The clocks that it can be locked to."""

    def default(self, quantity: str) -> tuple[float | None, str | None]:
        """What it has when nobody asks for anything."""

    def set(self, quantity: str, value: float) -> str | None:
        """Set one quantity; why it was refused, None where it was not."""

    def unlock(self, quantity: str) -> str | None:
        """Take a clock lock off."""

    def profiles(self) -> tuple[Mapping[str, tuple[str, ...]] | None, str | None]:
        """Workload power profiles, or None and why there are none."""


def described(card: SettableCard, asked: Mapping[Knob, float]) -> GpuPower:
    """A GPU as it stands before anything is set, with what is asked of it."""
    profiles, reason = card.profiles()
    return GpuPower(
        uuid=card.uuid,
        index=card.index,
        settings={name: _setting(card, name, asked.get(name)) for name in Knob},
        profiles=None if profiles is None else profiles["offered"],
        profiles_asked=None if profiles is None else profiles["asked"],
        profiles_enforced=None if profiles is None else profiles["enforced"],
        profiles_reason=reason,
    )


def read_back(card: SettableCard, name: Knob) -> ReadValue:
    """What a quantity stands at now."""
    return _told(*card.read(name))


def same(one: float, other: float) -> bool:
    """True of two values that a card keeps as one."""
    return abs(one - other) <= SAME


def bounds_fault(card: SettableCard, name: Knob, asked: float) -> str | None:
    """Why a card cannot take a value; None when it can, or does not tell what it takes."""
    bounds, _ = card.bounds(name)
    if bounds is not None and not bounds[0] <= asked <= bounds[1]:
        return (
            f"`{name}` must be from {bounds[0]:g} to {bounds[1]:g} on {card.uuid}, "
            f"but is {asked:g} instead"
        )
    if name is Knob.POWER_LIMIT:
        return None
    offered, _ = card.offered(name)
    if offered and asked not in offered:
        below = max((one for one in offered if one < asked), default=min(offered))
        above = min((one for one in offered if one > asked), default=max(offered))
        return (
            f"`{name}` must be a clock that {card.uuid} offers, such as {below:g} or {above:g}, "
            f"but is {asked:g} instead"
        )
    return None


def _setting(card: SettableCard, name: Knob, asked: float | None) -> Setting:
    now_us = wall_us()
    bounds, reason = card.bounds(name)
    least, most = (None, None) if bounds is None else bounds
    return Setting(
        least=ReadValue(value=least, t_us=now_us, reason=reason),
        most=ReadValue(value=most, t_us=now_us, reason=reason),
        default=_told(*card.default(name)),
        before=_told(*card.read(name)),
        asked=asked,
        enforced=NOT_ASKED,
    )


def _told(value: float | None, reason: str | None) -> ReadValue:
    return ReadValue(value=value, t_us=wall_us(), reason=reason)
