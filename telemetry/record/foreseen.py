"""Foreseen: what an attempt was expected to take before it was queued, with intervals.

It is written into the attempt's folder before the job is submitted, so that the seal covers it and
nobody can foresee a run after it has ended.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from telemetry.record.files import read_json
from telemetry.record.validation import require_number

LEVEL: Final = 0.9
"""Share of runs that an interval is to hold: its ends are the 5th and the 95th per cent."""
_AMOUNTS: Final = ("time_s", "energy_j", "window_s", "window_energy_j")


class Basis(StrEnum):
    """What an expectation rests on, the nearest that there was."""

    SAME = "same model"
    """Sealed runs of this model, engine and quantization on this board."""
    BOARD = "same board"
    """Sealed runs of other models, engines or quantizations on this board, by the roofline."""
    DATASHEET = "datasheet"
    """The board's peaks and limits, and constants of this project alone."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One expected amount with its central interval of `LEVEL`."""

    value: float
    """The amount that is as likely exceeded as not."""
    low: float
    """Below it lies half of what is outside the interval."""
    high: float
    """Above it lies the other half."""

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            require_number(name, getattr(self, name), low=0.0, low_allowed=True, high=math.inf)
        if not self.low <= self.value <= self.high:
            raise ValueError(
                f"`value` must lie in its interval, but is {self.value} in {self.low} to "
                f"{self.high} instead"
            )

    def holds(self, measured: float) -> bool:
        """Whether what was measured lies in the interval."""
        return self.low <= measured <= self.high


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """What one attempt was expected to take. Simulated boards' energy is simulated too."""

    time_s: Expected
    """The whole job: from the start of rank 0's process to its recorded end, without the queue."""
    energy_j: Expected | None
    """GPUs that a rank works on, from the first rank's STARTUP to the last one's SHUTDOWN; None
    where no GPU takes part."""
    window_s: Expected
    """The measured window: first prefill's start to last decode's end."""
    window_energy_j: Expected | None
    """The same GPUs in the window; None where no GPU takes part."""
    basis: Basis
    """What it rests on."""
    told: str
    """The same for people, such as `from 4 sealed runs of 7b fast on h200`."""
    runs: tuple[str, ...]
    """Names of the sealed runs that it was learned from, the nearest first; none for DATASHEET."""
    simulated: bool
    """True: the joules are those of a stated power model, learned from such runs alone."""

    def __post_init__(self) -> None:
        if (self.energy_j is None) != (self.window_energy_j is None):
            raise ValueError(
                "`energy_j` and `window_energy_j` must be known both or neither, but are "
                f"{self.energy_j!r} and {self.window_energy_j!r} instead"
            )
        if (self.basis is Basis.DATASHEET) != (not self.runs):
            raise ValueError(
                f"`runs` must name runs unless `basis` is {Basis.DATASHEET}, but are "
                f"{list(self.runs)} with {self.basis} instead"
            )

    def gpu_hours(self, gpus: int) -> Expected:
        """What the job holds of `gpus` GPUs, in hours."""
        return scaled(self.time_s, gpus / 3600.0)

    @classmethod
    def read(cls, path: Path) -> Self:
        """What `path` (a foreseen.json) holds.

        Raises:
            ValueError: a key is unknown or missing, or a value is not allowed.
        """
        return cls.from_mapping(read_json(path))

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Self:
        """The JSON form read back.

        Raises:
            ValueError: a key is unknown or missing, or a value is not allowed.
        """
        values = {name: value for name, value in content.items() if name != "level"}
        if content.get("level") != LEVEL:
            raise ValueError(f"`level` must be {LEVEL}, but is {content.get('level')!r} instead")
        try:
            for name in _AMOUNTS:
                if values[name] is not None:
                    values[name] = Expected(**values[name])
            values["basis"] = Basis(values["basis"])
            values["runs"] = tuple(map(str, values["runs"]))
            return cls(**values)
        except (TypeError, KeyError) as error:
            told = str(error).removeprefix(f"{cls.__name__}.__init__() ")
            raise ValueError(f"`foreseen` must be whole, but is not: {told}") from error

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        return {**dataclasses.asdict(self), "basis": self.basis.value, "level": LEVEL}


def scaled(expected: Expected, factor: float) -> Expected:
    """The same in another unit, or of so many."""
    return Expected(
        value=expected.value * factor, low=expected.low * factor, high=expected.high * factor
    )
