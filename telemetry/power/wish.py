"""Wish: which caps and clocks an attempt wants of its GPUs; all that whoever is root is told.

Whole numbers alone: milliwatts, as NVML counts, and megahertz. It lies in the attempt's folder as
wish.json, written before submission; an attempt that wants nothing has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from telemetry.record.files import read_json
from telemetry.record.spec import RunSpec
from telemetry.record.validation import require_whole

VERSION: Final = 1
"""Of the file's form; a reader refuses any other."""
_MW_PER_W: Final = 1000
# Boards of 2026 take 1,400 W at most; ten times that is no card's.
MOST_CAP_MW: Final = 14_000_000
# Memory of an RTX 5090 goes to 14,001 MHz.
MOST_CLOCK_MHZ: Final = 20_000


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What each GPU of an attempt is to be set to; None leaves it as it is."""

    power_cap_mw: int | None = None
    """Power limit in milliwatts."""
    sm_clock_mhz: int | None = None
    """Lock of the SM clock, least and most alike."""
    memory_clock_mhz: int | None = None
    """Lock of the memory clock, least and most alike."""

    def __post_init__(self) -> None:
        require_whole("power_cap_mw", self.power_cap_mw, 1, most=MOST_CAP_MW, null_allowed=True)
        for name in ("sm_clock_mhz", "memory_clock_mhz"):
            value = getattr(self, name)
            require_whole(name, value, 1, most=MOST_CLOCK_MHZ, null_allowed=True)

    @classmethod
    def of(cls, spec: RunSpec, phase: str | None = None) -> Self:
        """What a spec asks for; in a `phase`, prefill or decode, by its own fields first."""
        cap_w, clock_mhz = spec.power_cap_w, spec.sm_clock_mhz
        if phase is not None:
            cap_w = getattr(spec, f"{phase}_power_cap_w") or cap_w
            clock_mhz = getattr(spec, f"{phase}_sm_clock_mhz") or clock_mhz
        return cls(
            power_cap_mw=None if cap_w is None else round(cap_w * _MW_PER_W),
            sm_clock_mhz=clock_mhz,
            memory_clock_mhz=spec.memory_clock_mhz,
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """What `path` (a wish.json) holds.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it holds a key too many or too few, or a value that is not allowed.
        """
        content = read_json(path)
        keys = {"version", *cls.__dataclass_fields__}
        if set(content) != keys or content["version"] != VERSION:
            raise ValueError(
                f"{path} must hold {', '.join(sorted(keys))} of version {VERSION}, but holds "
                f"{', '.join(sorted(content))} of version {content.get('version')!r} instead"
            )
        return cls(**{name: content[name] for name in cls.__dataclass_fields__})

    def to_mapping(self) -> Mapping[str, Any]:
        """The JSON form."""
        return {
            "version": VERSION,
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
        }

    @property
    def power_cap_w(self) -> float | None:
        """The power limit in watts."""
        return None if self.power_cap_mw is None else self.power_cap_mw / _MW_PER_W

    @property
    def wants_nothing(self) -> bool:
        """True where every GPU stays as it is."""
        return self == type(self)()
