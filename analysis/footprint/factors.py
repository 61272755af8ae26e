"""Factors: what the user states of grid, price and building, each with its source and time.

None is built in: a factor that is nowhere stated is none, and what needs it is null.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, Final

from analysis.footprint.factors_file import NAME, read_mapping
from telemetry.nearest import one_of

NOT_STATED: Final = "no factor was stated"
"""Why there is no carbon, no cost and no embodied part."""
# ISO 4217.
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_YEAR_OR_MONTH: Final = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?")
# A reference with its address; more is no source but a text.
_MOST_CHARS: Final = 500


@dataclass(frozen=True, kw_only=True)
class StatedFactor:
    """One number that the user states."""

    name: str
    """Its key in the file, unit and all."""
    value: float
    """In the unit of its name."""
    unit: str
    """The unit in words, with the currency of a price."""
    source: str
    """Where the user has it from."""
    when: str
    """The day it was taken, or the period that it holds for."""

    @property
    def text(self) -> str:
        """The number with its unit."""
        return f"{self.value:g}" if self.unit == "1" else f"{self.value:g} {self.unit}"

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


@dataclass(frozen=True, kw_only=True)
class FactorKind:
    """What a factor of that name may be."""

    unit: str
    """Its unit in words; a price's begins with the currency."""
    least: float
    """The least that it can be."""
    most: float
    """More is a slip of the unit."""
    more: tuple[str, ...] = ()
    """Keys that it must have beside."""

    @property
    def words(self) -> str:
        """The unit as a sentence has it: a ratio's 1 is a number to nobody's eye."""
        return "a ratio" if self.unit == "1" else self.unit.strip()


KINDS: Final[Mapping[str, FactorKind]] = {
    # Lignite's plants emit some 1200 g/kWh (IPCC AR5 WG3, annex III); more is kg, or per MWh.
    "grid_intensity_g_per_kwh": FactorKind(unit="g CO2e / kWh", least=0.0, most=3000.0),
    # In any currency's main unit but the smallest; no kilowatt-hour costs more.
    "price_per_kwh": FactorKind(unit="/ kWh", least=0.0, most=100_000.0, more=("currency",)),
    # ISO/IEC 30134-2: all of the building's energy over that of its computers.
    "pue": FactorKind(unit="1", least=1.0, most=10.0),
    # A server of a tonne over four years, by its GPUs, is some 10 g an hour.
    "embodied_g_per_gpu_hour": FactorKind(unit="g CO2e / GPU hour", least=0.0, most=10_000.0),
}
"""The factors that there are, and their bounds."""
_WORDS: Final = ("value", "source", "date", "period")


@dataclass(frozen=True, kw_only=True)
class Factors:
    """All that was stated; None is what was not."""

    grid_intensity_g_per_kwh: StatedFactor | None = None
    """Emissions of the electricity."""
    price_per_kwh: StatedFactor | None = None
    """Its price."""
    pue: StatedFactor | None = None
    """The building's energy over its computers'; None: the GPUs' own joules alone."""
    embodied_g_per_gpu_hour: StatedFactor | None = None
    """Emissions of making the hardware, a GPU and hour of use."""

    @classmethod
    def read(cls, path: Path) -> "Factors":
        """The factors of a file.

        Raises:
            ValueError: in one line, which field, what it must be and what it is.
        """
        content = read_mapping(path)
        if not content:
            raise ValueError(
                f"`{NAME}` must state at least one of {', '.join(KINDS)}, but is empty"
            )
        for name in content:
            if name not in KINDS:
                raise ValueError(one_of("factor", KINDS, name, things="factors"))
        return cls(**{name: _factor(name, content[name]) for name in content})

    @property
    def stated(self) -> tuple[StatedFactor, ...]:
        """Those that there are, in the order of the file's keys."""
        found = (getattr(self, name) for name in KINDS)
        return tuple(one for one in found if one is not None)


def _factor(name: str, content: Any) -> StatedFactor:
    kind = KINDS[name]
    if not isinstance(content, dict):
        raise ValueError(
            f"`{name}` must be keys ({', '.join((*_WORDS[:2], *kind.more))}, date or period), "
            f"but is {_short(content)} instead"
        )
    known = (*_WORDS, *kind.more)
    for key in content:
        if key not in known:
            raise ValueError(one_of(f"key of {name}", known, key, things="keys"))
    value = content.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not _in(value, kind):
        raise ValueError(
            f"`{name}.value` must be a number from {kind.least:g} to {kind.most:g} "
            f"({kind.words}), but is {_short(value)} instead"
        )
    unit = kind.unit
    if "currency" in kind.more:
        currency = content.get("currency")
        if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
            raise ValueError(
                f"`{name}.currency` must be three capitals (ISO 4217) such as EUR, "
                f"but is {_short(currency)} instead"
            )
        unit = f"{currency} {unit}"
    return StatedFactor(
        name=name,
        value=float(value),
        unit=unit,
        source=_source(name, content.get("source")),
        when=when_of(content, name),
    )


def _in(value: float, kind: FactorKind) -> bool:
    return math.isfinite(value) and kind.least <= value <= kind.most


def _source(name: str, given: Any) -> str:
    good = isinstance(given, str) and given.strip() and given.isprintable()
    if not good or len(given) > _MOST_CHARS:
        raise ValueError(
            f"`{name}.source` must say in at most {_MOST_CHARS} characters where the number is "
            f"from, but is {_short(given)} instead"
        )
    return str(given.strip())


def when_of(content: Mapping[str, Any], where: str = "") -> str:
    """The one `date` or `period` that `content` states; `where` names what it is of.

    Raises:
        ValueError: in one line, which field, what it must be and what it is.
    """
    given = [key for key in ("date", "period") if key in content]
    if len(given) != 1:
        what = f"`{where}`" if where else "the file"
        raise ValueError(
            f"{what} must have a date or a period, but has {' and '.join(given) or 'neither'}"
        )
    (key,) = given
    name = f"{where}.{key}" if where else key
    # YAML's 2024 is a number, and a year all the same.
    value = content[key]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = number and math.isfinite(value) and value == int(value)
    text = f"{int(value):04d}" if whole else value
    if key == "date":
        if not isinstance(text, str) or not _is_day(text):
            raise ValueError(
                f"`{name}` must be a day such as 2026-11-27, but is {_short(value)} instead"
            )
        return text
    parts = text.split("/") if isinstance(text, str) else []
    good = len(parts) in (1, 2) and all(map(_is_time, parts)) and parts == sorted(parts)
    if not good or (len(parts) == 1 and _is_day(parts[0])):
        raise ValueError(
            f"`{name}` must be a year (2025), a month (2025-06) or two days "
            f"(2025-01-01/2025-06-30), but is {_short(value)} instead"
        )
    return str(text)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_time(text: str) -> bool:
    return bool(_YEAR_OR_MONTH.fullmatch(text)) or _is_day(text)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"  # noqa: PLR2004 - what tells which it was
