"""Record: how one node's GPUs were set: limits, before, asked, enforced, restored; each read back.

It lies in an attempt's folder as power/<host>.json, is sealed with it, and read within the limits
of `telemetry.record.limits`. What could not be read is null with its reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from telemetry.nearest import one_of
from telemetry.power.phases import NodePhases
from telemetry.record.files import read_json
from telemetry.record.validation import require_number, require_whole

VERSION: Final = 1
"""Of the record's form."""
# No quantity of a card is as much, in watts or in megahertz.
_MOST: Final = 100_000.0


class Way(StrEnum):
    """By whom a node's GPUs are set."""

    WATCHER = "watcher"
    """The watcher itself, by NVML or by a DCGM engine."""
    SLURM = "slurm"
    """Slurm's --gpu-freq; read back."""
    BROKER = "broker"
    """A center's root-owned part; read back."""
    SITE = "site"
    """It is so already: nothing is set; read back."""
    NONE = "none"
    """By nobody: a point that asks for something does not run."""


class Knob(StrEnum):
    """What of a GPU can be set."""

    POWER_LIMIT = "power_limit_w"
    """The power limit that is asked of the board, in watts."""
    SM_CLOCK = "sm_clock_mhz"
    """A lock of the SM clock, least and most alike."""
    MEMORY_CLOCK = "memory_clock_mhz"
    """A lock of the memory clock, least and most alike."""
    APPLICATION_SM_CLOCK = "application_sm_clock_mhz"
    """The SM clock of applications, as boards of before Volta are set."""
    APPLICATION_MEMORY_CLOCK = "application_memory_clock_mhz"
    """The memory clock of applications."""


@dataclass(frozen=True, kw_only=True)
class ReadValue:
    """One value as the card told it, or why it did not."""

    value: float | None = None
    """In the quantity's unit; None when it could not be had."""
    t_us: int | None = None
    """When it was read, wall clock; None when nobody asked."""
    reason: str | None = None
    """Why `value` is None; None when there is one."""

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError(
                "`reason` must be given where there is no value and only then, but are "
                f"{self.value!r} and {self.reason!r} instead"
            )
        if self.value is not None:
            require_number("value", self.value, low=0.0, low_allowed=True, high=_MOST)
        require_whole("t_us", self.t_us, 0, null_allowed=True)


NOT_ASKED: Final = ReadValue(reason="not asked for")
"""Of a quantity that is left as it is."""
NOT_YET: Final = ReadValue(reason="not restored yet")
"""While the run goes on, and for ever where nobody came to restore."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One quantity of one GPU, from what was there to what is there again."""

    least: ReadValue
    """The least that the card takes."""
    most: ReadValue
    """The most that the card takes."""
    default: ReadValue
    """What the card has when nobody asked for anything."""
    before: ReadValue
    """What was there: what is put back, never the default."""
    asked: float | None = None
    """What the run wants; None where it is left as it is."""
    set_us: int | None = None
    """When it was set, wall clock; None where it was not."""
    took_us: int | None = None
    """From the call that set it until it was read back as asked; None where it was not set."""
    enforced: ReadValue = NOT_ASKED
    """What was read back after it was set, before the model loaded."""
    refusal: str | None = None
    """What the card, Slurm or the broker said no with; None where nobody did."""
    restored: ReadValue = NOT_ASKED
    """What was read back after the old value was put back."""
    restored_by: str | None = None
    """Who put it back: `watcher`, `guard`, `restore`, `next run`, `boot`; None where nobody did."""
    left: str | None = None
    """Why it was left as it is: somebody else set it meanwhile, to what `restored` says; None where
    it was not left."""

    def __post_init__(self) -> None:
        if self.asked is not None:
            require_number("asked", self.asked, low=0.0, low_allowed=True, high=_MOST)
        for name in ("set_us", "took_us"):
            require_whole(name, getattr(self, name), 0, null_allowed=True)

    @property
    def holds(self) -> bool:
        """True where what was read back is what was asked, and where nothing was."""
        return self.asked is None or self.enforced.value == self.asked

    @property
    def is_left(self) -> bool:
        """True where it is said to be somebody else's, and stands as this run never had it."""
        own = {self.before.value, self.asked, self.enforced.value}
        return self.left is not None and self.restored.value not in {None, *own}


@dataclass(frozen=True, kw_only=True)
class GpuPower:
    """One GPU of the node."""

    uuid: str
    """NVML's name of the board."""
    index: int | None = None
    """Its number on the node as NVML counts; None where it does not tell."""
    settings: Mapping[Knob, Setting] = field(default_factory=dict)
    """By quantity; all of them, asked for or not."""
    profiles: tuple[str, ...] | None = None
    """Workload power profiles that the driver offers; None where `profiles_reason` says why."""
    profiles_asked: tuple[str, ...] | None = None
    """Profiles that somebody asked the driver for."""
    profiles_enforced: tuple[str, ...] | None = None
    """Profiles in force."""
    profiles_reason: str | None = None
    """Why there are none to tell of."""


@dataclass(frozen=True, kw_only=True)
class NodePower:
    """How the GPUs of one node were set for one attempt."""

    host: str
    """The node's name in the record."""
    asked_way: str
    """The launch's `power`."""
    way: Way
    """Who set them."""
    means: str | None
    """By which means, such as `NVML` or the broker's socket; None where nothing was set."""
    rule: str
    """Why this way, in one line."""
    not_taken: Mapping[str, str] = field(default_factory=dict)
    """Ways that were looked at first and why they were not taken, by name."""
    gpus: tuple[GpuPower, ...] = ()
    """This job's GPUs of the node."""
    fault: str | None = None
    """Why the point could not be measured as it was asked for; None where it could."""
    leftovers: tuple[str, ...] = ()
    """What an earlier run had left set on these GPUs, a line each, and what became of it."""
    ended_us: int | None = None
    """When the old values were put back, wall clock; None while they are not."""
    phases: NodePhases | None = None
    """How they were switched between phases; None where nothing was asked of a phase alone."""
    simulated: bool = False
    """True where no card was set: the GPUs are a stated model."""

    def __post_init__(self) -> None:
        require_whole("ended_us", self.ended_us, 0, null_allowed=True)

    @property
    def unrestored(self) -> tuple[str, ...]:
        """What was set and does not stand as before, one line each."""
        return tuple(
            f"{gpu.uuid}: `{name}` must be {_value(one.before)} again, but is "
            f"{_value(one.restored)} instead"
            for gpu in self.gpus
            for name, one in gpu.settings.items()
            if one.set_us is not None
            and not (one.is_left and one.restored.value not in self._phases_of(name))
            and (one.restored_by is None or one.restored.value != one.before.value)
        )

    @property
    def left(self) -> tuple[str, ...]:
        """What was set and is left as somebody else set it meanwhile, one line each."""
        return tuple(
            f"{gpu.uuid}: {one.left}"
            for gpu in self.gpus
            for name, one in gpu.settings.items()
            if one.is_left and one.restored.value not in self._phases_of(name)
        )

    def _phases_of(self, name: Knob) -> set[float | None]:
        """What phases ask of a quantity."""
        asked = {} if self.phases is None else self.phases.asked
        return {values.get(str(name)) for values in asked.values()}

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "version": VERSION,
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "gpus": [_gpu_mapping(gpu) for gpu in self.gpus],
            "not_taken": dict(self.not_taken),
            "leftovers": list(self.leftovers),
            "phases": None if self.phases is None else self.phases.to_mapping(),
        }

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Self:
        """A record from its JSON form.

        Raises:
            ValueError: it is of another version, a key is unknown or missing, or a value is not
                allowed.
        """
        values = dict(content)
        if (version := values.pop("version", None)) != VERSION:
            raise ValueError(f"`version` must be {VERSION}, but is {version!r} instead")
        try:
            values["gpus"] = tuple(_gpu(gpu) for gpu in values["gpus"])
            if values.get("phases") is not None:
                values["phases"] = NodePhases.from_mapping(values["phases"])
            values["leftovers"] = tuple(map(str, values["leftovers"]))
            if values["way"] not in list(Way):
                raise ValueError(one_of("way", list(Way), values["way"], things="ways"))
            values["way"] = Way(values["way"])
            return cls(**values)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"a power record must be whole, but is not: {error!r}") from error

    @classmethod
    def read(cls, path: Path) -> Self:
        """What `path` (a power/<host>.json) holds.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is not what it must be; the message names it.
        """
        try:
            return cls.from_mapping(read_json(path))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def requested(settings: Mapping[Knob, Setting]) -> dict[str, float]:
    """What an inventory's entry says of a GPU's settings."""
    keys = {
        Knob.POWER_LIMIT: "power_limit_requested_w",
        Knob.SM_CLOCK: "sm_clock_requested_mhz",
        Knob.APPLICATION_SM_CLOCK: "sm_clock_requested_mhz",
        Knob.MEMORY_CLOCK: "memory_clock_requested_mhz",
    }
    return {
        key: asked
        for name, key in keys.items()
        if (one := settings.get(name)) is not None and (asked := one.asked) is not None
    }


def _gpu_mapping(gpu: GpuPower) -> dict[str, Any]:
    return {
        **{name: getattr(gpu, name) for name in gpu.__dataclass_fields__},
        "settings": {str(name): _setting_mapping(one) for name, one in gpu.settings.items()},
    }


def _setting_mapping(one: Setting) -> dict[str, Any]:
    told = {name: getattr(one, name) for name in one.__dataclass_fields__}
    return {
        name: dict(vars(value)) if isinstance(value, ReadValue) else value
        for name, value in told.items()
    }


def _gpu(content: Mapping[str, Any]) -> GpuPower:
    values = dict(content)
    values["settings"] = {
        Knob(name): _setting(one) for name, one in dict(values["settings"]).items()
    }
    for name in ("profiles", "profiles_asked", "profiles_enforced"):
        if values.get(name) is not None:
            values[name] = tuple(map(str, values[name]))
    return GpuPower(**values)


def _setting(content: Mapping[str, Any]) -> Setting:
    values: dict[str, Any] = {
        name: ReadValue(**value) if isinstance(value, Mapping) else value
        for name, value in content.items()
    }
    return Setting(**values)


def _value(told: ReadValue) -> str:
    return f"{told.value:g}" if told.value is not None else f"null ({told.reason})"
