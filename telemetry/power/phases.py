"""Phases: switches of caps and clocks within a run: their delay, the rule, and each on record."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from telemetry.record.validation import require_number, require_whole

PHASES: Final = ("prefill", "decode")
"""What may have settings of its own."""
LEAST_FACTOR: Final = 20
"""How many times its setting's delay a phase must last: so at most 5 % of it stand under the other
phase's setting, which is what a GPU's sensors err by (arXiv 2312.02741)."""
_MOST: Final = 100_000.0


@dataclass(frozen=True, kw_only=True)
class Delay:
    """How long one quantity of one GPU took to change to one value, each time it was tried."""

    uuid: str
    """NVML's name of the board."""
    quantity: str
    """What was set, as `Knob` has it."""
    value: float | None
    """What it was set to, in the quantity's unit; None where it was let go."""
    read_us: tuple[int, ...] = ()
    """From asking until it was read back so, each time; empty where no driver tells."""
    answered_us: tuple[int, ...] = ()
    """From asking until the sampled clock or power was so, each time it could be seen."""
    unseen: int = 0
    """Times that nothing was to be seen: it was so before, or a cap did not bind."""
    silent: int = 0
    """Times that the clock or power did not answer while it was waited for."""

    def __post_init__(self) -> None:
        if self.value is not None:
            require_number("value", self.value, low=0.0, low_allowed=False, high=_MOST)
        for name in ("read_us", "answered_us"):
            for one in getattr(self, name):
                require_whole(name, one, 0)
        require_whole("unseen", self.unseen, 0)
        require_whole("silent", self.silent, 0)

    @property
    def most_us(self) -> int | None:
        """The longest that it took; None where nobody saw it act."""
        return max([*self.read_us, *self.answered_us], default=None)

    @property
    def unknown(self) -> bool:
        """True where nobody can say how long it takes: never seen to act, or at times not to."""
        return self.most_us is None or (not self.read_us and self.silent > 0)

    @property
    def in_words(self) -> str:
        """Its distribution, in one line."""
        told = [
            f"{what} {min(times) / 1e3:.1f}, {statistics.median(times) / 1e3:.1f}, "
            f"{max(times) / 1e3:.1f} ms of {len(times)}"
            for what, times in (("read back", self.read_us), ("answered", self.answered_us))
            if times
        ]
        return "; ".join([*told, f"{self.unseen} unseen", f"{self.silent} silent"])


@dataclass(frozen=True, kw_only=True)
class GpuSwitch:
    """One quantity of one GPU at one switch; times are on the host's clock of the run."""

    uuid: str
    """NVML's name of the board."""
    quantity: str
    """What was set, as `Knob` has it."""
    value: float | None
    """What it was set to; None where a lock was taken off."""
    set_us: int
    """When the call that set it had returned."""
    read_us: int | None
    """When it was read back so; None where no driver tells, or it was not so."""
    stands: float | None
    """What was read back last; None where no driver tells."""
    fault: str | None
    """Why it does not stand so; None where it does, or no driver tells."""

    def __post_init__(self) -> None:
        _require_text("uuid", self.uuid)
        _require_text("quantity", self.quantity)
        _require_value("value", self.value)
        _require_value("stands", self.stands)
        require_whole("set_us", self.set_us, 0)
        require_whole("read_us", self.read_us, 0, null_allowed=True)
        if self.fault is not None:
            _require_text("fault", self.fault)


@dataclass(frozen=True, kw_only=True)
class Switch:
    """One edge at which all GPUs of a node were asked to change."""

    phase: str
    """The phase that began."""
    batch: int
    """Of which batch."""
    asked_us: int
    """When its edge was, on the host's clock of the run."""
    gpus: tuple[GpuSwitch, ...]
    """What became of each quantity of each GPU."""

    def __post_init__(self) -> None:
        _require_phase(self.phase)
        # A switch of the delay's own measurement is of batch -1.
        require_whole("batch", self.batch, -1)
        require_whole("asked_us", self.asked_us, 0)

    @property
    def took_us(self) -> int | None:
        """From its edge until the last quantity was read back; None where no driver tells."""
        read = [one.read_us for one in self.gpus if one.read_us is not None]
        return None if not read else max(0, max(read) - self.asked_us)

    @property
    def fault(self) -> str | None:
        """The first that does not stand as the phase asks; None where all do."""
        return next((one.fault for one in self.gpus if one.fault is not None), None)


@dataclass(frozen=True, kw_only=True)
class NodePhases:
    """How a node's GPUs were switched between the phases of a run."""

    asked: Mapping[str, Mapping[str, float | None]]
    """By phase and quantity what is set; None takes a lock off."""
    delays: tuple[Delay, ...] = ()
    """What was measured under the warm-up's load, before the measurement."""
    phases_us: Mapping[str, int] | None = None
    """By phase the shortest that was seen in the warm-up; None before that."""
    rule: str | None = None
    """Whether the phases are long enough, and why, in one line; None before it was decided."""
    allowed: bool = False
    """True where they are."""
    switches: tuple[Switch, ...] = ()
    """Every edge of the measurement, in order."""

    def __post_init__(self) -> None:
        for phase, values in self.asked.items():
            _require_phase(phase)
            for name, value in values.items():
                _require_value(name, value)
        for phase, length_us in (self.phases_us or {}).items():
            _require_phase(phase)
            require_whole(phase, length_us, 0)
        if not isinstance(self.allowed, bool):
            raise ValueError(f"`allowed` must be true or false, but is {self.allowed!r} instead")

    @property
    def delay_us(self) -> int | None:
        """The longest delay of all; None where one of them is not known."""
        if any(one.unknown for one in self.delays):
            return None
        return max([one.most_us for one in self.delays if one.most_us is not None], default=None)

    def decided(self, phases_us: Mapping[str, int]) -> Self:
        """The same, with whether phases of these lengths may be switched."""
        unknown = next((one for one in self.delays if one.unknown), None)
        delay_us = self.delay_us
        shortest = min(phases_us, key=lambda name: phases_us[name])
        allowed = False
        if unknown is not None:
            rule = (
                f"no setting may be switched whose delay is not known: `{unknown.quantity}` of "
                f"{unknown.uuid}, set to {_words(unknown.value)}: {unknown.in_words}"
            )
        elif delay_us is None:
            rule = "no setting may be switched whose delay was not measured"
        else:
            allowed = phases_us[shortest] >= LEAST_FACTOR * delay_us
            rule = (
                f"a phase must last {LEAST_FACTOR} times its settings' delay of "
                f"{delay_us / 1e3:.1f} ms, and the shortest {shortest} lasted "
                f"{phases_us[shortest] / 1e3:.1f} ms"
            )
        return dataclasses.replace(self, phases_us=dict(phases_us), rule=rule, allowed=allowed)

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "delays": [dict(vars(one)) for one in self.delays],
            "switches": [
                {**vars(one), "gpus": [dict(vars(gpu)) for gpu in one.gpus]}
                for one in self.switches
            ],
        }

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Self:
        """From its JSON form.

        Raises:
            TypeError, KeyError, ValueError: it is not whole.
        """
        values = dict(content)
        values["delays"] = tuple(_delay(one) for one in values["delays"])
        values["switches"] = tuple(_switch(one) for one in values["switches"])
        return cls(**values)


def _require_phase(phase: object) -> None:
    if phase not in PHASES:
        raise ValueError(f"`phase` must be {' or '.join(PHASES)}, but is {phase!r} instead")


def _require_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ValueError(f"`{name}` must be a text, but is {value!r} instead")


def _require_value(name: str, value: object) -> None:
    """Check a quantity's value; None is a lock that is taken off, or a reading that is not told."""
    if value is not None:
        require_number(name, value, low=0.0, low_allowed=True, high=_MOST)


def _words(value: float | None) -> str:
    return "no lock" if value is None else f"{value:g}"


def _delay(content: Mapping[str, Any]) -> Delay:
    times: dict[str, Sequence[int]] = {
        name: tuple(content[name]) for name in ("read_us", "answered_us")
    }
    return Delay(**{**content, **times})


def _switch(content: Mapping[str, Any]) -> Switch:
    return Switch(**{**content, "gpus": tuple(GpuSwitch(**gpu) for gpu in content["gpus"])})
