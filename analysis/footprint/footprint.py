"""Footprint: carbon and cost of what was measured, by what the user states, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analysis.footprint.amount import J_PER_KWH, FootprintAmount
from analysis.footprint.factors import NOT_STATED, Factors
from analysis.footprint.subject import CAMPAIGN, FootprintOf
from analysis.runs.labels import Label
from telemetry.boards.sensor_timing import GAIN_SHARE

BOUNDARY: Final = (
    "GPUs: the boards that a rank worked on, from the first prefill to the last decode of the "
    "measured window; no processors, memory, network, storage, cooling or idle GPUs, and neither "
    "loading nor warm-up"
)
"""What the joules are of, where no PUE is stated."""
SIMULATED: Final = "SIMULATED: no measurement: a stated power model's joules are no emission"
"""What stands wherever a number is of simulated runs."""
_MARKS: Final = {
    Label.SIMULATED: SIMULATED,
    Label.RANDOM_WEIGHTS: "random weights: no trained model",
    Label.DIRTY_TREE: "code with changes that no commit holds",
    Label.PARTIAL: "partial record",
}


GAIN: Final = (
    f"in no interval: each board's own gain, which may be off by {GAIN_SHARE:.0%} in every number "
    "alike"
).replace("%", " %")
"""What the intervals leave out."""


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """One subject's carbon and cost."""

    subject: FootprintOf
    """Of what."""
    energy_kwh: FootprintAmount
    """Its energy, before any PUE."""
    carbon_g: FootprintAmount
    """Emissions of the electricity, in grams of CO2 equivalents."""
    carbon_per_token_g: FootprintAmount
    """The same of a generated token."""
    embodied_g: FootprintAmount
    """Share of the emissions of making the GPUs, by their hours."""
    cost: FootprintAmount
    """Price of the electricity, in the currency that was stated."""

    @property
    def marks(self) -> tuple[str, ...]:
        """What has to stand beside its numbers."""
        return tuple(_MARKS.get(one, one.word) for one in self.subject.labels)


@dataclass(frozen=True, kw_only=True)
class Footprints:
    """All of a results folder."""

    factors: Factors
    """What was stated."""
    of: tuple[Footprint, ...]
    """Of each run, each grid point and all of them."""
    not_counted: int
    """Attempts and runs whose energy is in no number."""

    @property
    def boundary(self) -> str:
        """What carbon and cost are of."""
        pue = self.factors.pue
        return BOUNDARY if pue is None else f"{BOUNDARY}; times the stated PUE of {pue.value:g}"

    @property
    def simulated(self) -> bool:
        """Whether any number is of a simulation."""
        return any(one.subject.simulated for one in self.of)

    @property
    def gain(self) -> bool:
        """Whether a board's gain is uncertain."""
        return any(one.subject.gain_j for one in self.of)

    @property
    def currency(self) -> str | None:
        """The price's; None without one."""
        price = self.factors.price_per_kwh
        return None if price is None else price.unit.partition(" ")[0]

    def of_kind(self, kind: str) -> tuple[Footprint, ...]:
        """Those of runs, of grid points or of the campaign."""
        return tuple(one for one in self.of if one.subject.kind == kind)


def footprints(
    subjects: Sequence[FootprintOf], factors: Factors, *, not_counted: int = 0
) -> Footprints:
    """Every subject's footprint.

    g CO2e = J / 3.6e6 x g/kWh, cost = J / 3.6e6 x price, each times the PUE where one is stated;
    factors count as exact, and the energy's interval is carried over.
    """
    return Footprints(
        factors=factors,
        of=tuple(_footprint(one, factors) for one in subjects),
        not_counted=not_counted,
    )


def _footprint(subject: FootprintOf, factors: Factors) -> Footprint:
    kwh = subject.energy_j.times(1 / J_PER_KWH)
    per_token_kwh = subject.energy_per_token_j.times(1 / J_PER_KWH)
    pue = 1.0 if factors.pue is None else factors.pue.value
    gpu_hours = FootprintAmount(value=_gpu_hours(subject))
    return Footprint(
        subject=subject,
        energy_kwh=kwh,
        carbon_g=_by(kwh.times(pue), factors, "grid_intensity_g_per_kwh"),
        carbon_per_token_g=_by(per_token_kwh.times(pue), factors, "grid_intensity_g_per_kwh"),
        embodied_g=_by(gpu_hours, factors, "embodied_g_per_gpu_hour"),
        cost=_by(kwh.times(pue), factors, "price_per_kwh"),
    )


def _gpu_hours(subject: FootprintOf) -> float:
    """Of a point, whose energy is a repeat's mean, a repeat's too."""
    return subject.gpu_hours / (len(subject.runs) if subject.kind == "point" else 1)


def _by(amount: FootprintAmount, factors: Factors, name: str) -> FootprintAmount:
    factor = next((one for one in factors.stated if one.name == name), None)
    if factor is not None:
        return amount.times(factor.value)
    # Beside others that are, the one that is not must be named.
    return FootprintAmount.none(f"{NOT_STATED}: {name}" if factors.stated else NOT_STATED)


def totals(found: Footprints) -> tuple[Footprint, ...]:
    """All measured runs, and all simulated ones: never in one sum."""
    return found.of_kind(CAMPAIGN)
