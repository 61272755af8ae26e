"""Wish: which caps and clocks a run wants of its GPUs, and how its job's comment says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from telemetry.power.phases import PHASES
from telemetry.power.record import Knob
from telemetry.record.spec import RunSpec

COMMENT: Final = "joulegrid-power:"
"""What a Slurm job's comment begins with that wishes for a cap or a clock: docs/power_broker.md has
the grammar, and a center's prolog reads it as root."""
_WORDS: Final = {
    Knob.POWER_LIMIT: "cap_w",
    Knob.SM_CLOCK: "sm_mhz",
    Knob.MEMORY_CLOCK: "mem_mhz",
}


def switches(spec: RunSpec) -> bool:
    """True where a phase is to have a cap or a clock that the other has not."""
    return Wish.of(spec, PHASES[0]) != Wish.of(spec, PHASES[1])


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What each GPU of a run is to be set to; None leaves it as it is."""

    power_cap_w: float | None = None
    """Power limit."""
    sm_clock_mhz: int | None = None
    """Lock of the SM clock, least and most alike."""
    memory_clock_mhz: int | None = None
    """Lock of the memory clock, least and most alike."""

    @classmethod
    def of(cls, spec: RunSpec, phase: str | None = None) -> Self:
        """What a spec asks for; in a `phase`, prefill or decode, by its own fields first.

        Over the run it is what both phases ask for where they ask alike, else the run's own fields.
        """
        if phase is None and not switches(spec):
            return cls.of(spec, PHASES[0])
        cap_w, clock_mhz = spec.power_cap_w, spec.sm_clock_mhz
        if phase is not None:
            cap_w = getattr(spec, f"{phase}_power_cap_w") or cap_w
            clock_mhz = getattr(spec, f"{phase}_sm_clock_mhz") or clock_mhz
        return cls(
            power_cap_w=cap_w, sm_clock_mhz=clock_mhz, memory_clock_mhz=spec.memory_clock_mhz
        )

    @classmethod
    def over_phases(cls, spec: RunSpec) -> Self:
        """All that a spec asks for in one phase or over the run: the prefill's value comes first.

        What it sets is remembered before it is set, and refused before a model loads.
        """
        first, other = (cls.of(spec, phase) for phase in PHASES)
        return cls(
            power_cap_w=first.power_cap_w or other.power_cap_w,
            sm_clock_mhz=first.sm_clock_mhz or other.sm_clock_mhz,
            memory_clock_mhz=spec.memory_clock_mhz,
        )

    @property
    def by_quantity(self) -> Mapping[Knob, float]:
        """What is wanted, by quantity; what is left as it is has no entry."""
        asked = {
            Knob.POWER_LIMIT: self.power_cap_w,
            Knob.SM_CLOCK: self.sm_clock_mhz,
            Knob.MEMORY_CLOCK: self.memory_clock_mhz,
        }
        return {name: float(value) for name, value in asked.items() if value is not None}

    @property
    def wants_nothing(self) -> bool:
        """True where every GPU stays as it is."""
        return not self.by_quantity

    @property
    def comment(self) -> str | None:
        """The first word of the job's comment; None where nothing, or no whole number, is wished.

        A broker takes whole watts alone.
        """
        asked = self.by_quantity
        if not asked or not all(value.is_integer() for value in asked.values()):
            return None
        return COMMENT + ",".join(f"{_WORDS[name]}={value:.0f}" for name, value in asked.items())
