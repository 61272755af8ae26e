"""Scaling tables: the points of each family of GPUs, and the laws that they follow."""

from collections.abc import Iterator
from typing import Final

from analysis.findings.estimate import Ranged
from analysis.findings.point_columns import choice_columns, interval_columns
from analysis.findings.scaling import GpuFamily, Scaled, families
from analysis.tables.column import ColumnsOf
from analysis.tables.table import Results, TableKind

_POINT: Final = ColumnsOf[Scaled]()
_LAW: Final = ColumnsOf[GpuFamily]()
NO_RESIDUAL: Final = "two numbers of GPUs: the law goes through both"
"""Why a point has no residual."""


def _point_sentence(one: Scaled) -> str:
    name = one.of.work.names[one.of.point]
    if one.of is one.family.fewest:
        return f"{name} is what the others are held against."
    speedup, parallel, energy = one.speedup, one.parallel_efficiency, one.energy_efficiency
    assert speedup is not None
    assert parallel is not None
    assert energy is not None
    more_j = 1.0 / energy.value
    ends = " (no interval)"
    if energy.low is not None and energy.high is not None and energy.low > 0:
        ends = f" ({1.0 / energy.high:.2f} to {1.0 / energy.low:.2f})"
    return (
        f"{one.more_gpus:g} times the GPUs were {speedup.value:.2f} times as fast "
        f"({parallel.value:.0%} of in proportion) and took {more_j:.2f} times{ends} the energy a "
        f"token: {name}."
    )


def _residual_reason(one: Scaled) -> str | None:
    return NO_RESIDUAL if one.time_residual is None else None


_POINT_COLUMNS: Final = (
    *choice_columns(
        _POINT,
        lambda one: one.of.work,
        lambda one: one.of.point,
        lambda one: [one.family.fewest.point],
    ),
    *interval_columns(
        _POINT,
        "time_per_token_s",
        "s / token",
        "s",
        meaning="duration_s / generated_tokens: mean over the repeats.",
        value=lambda one: one.of.time,
    ),
    *interval_columns(
        _POINT,
        "energy_per_token_j",
        "J / token",
        "J",
        meaning="Energy per generated token: mean over the repeats.",
        value=lambda one: one.of.energy,
    ),
    *interval_columns(
        _POINT,
        "speedup",
        "speedup",
        "1",
        meaning="time_per_token_s on the fewest GPUs over its own.",
        value=lambda one: one.speedup,
        told=False,
    ),
    *interval_columns(
        _POINT,
        "parallel_efficiency_share",
        "parallel efficiency",
        "1",
        meaning="speedup over how many times the GPUs of the fewest.",
        value=lambda one: one.parallel_efficiency,
    ),
    *interval_columns(
        _POINT,
        "energy_efficiency_share",
        "energy efficiency",
        "1",
        meaning="energy_per_token_j on the fewest GPUs over its own.",
        value=lambda one: one.energy_efficiency,
    ),
    _POINT.share(
        "time_residual_share",
        "off the law, time",
        "time_per_token_s over that of its family's power law (table scaling_laws), less 1.",
        lambda one: one.time_residual,
        reason="reason",
    ),
    _POINT.share(
        "energy_residual_share",
        "off the law, energy",
        "energy_per_token_j over that of its family's power law, less 1.",
        lambda one: one.energy_residual,
        reason="reason",
    ),
    _POINT.text("sentence", "in words", "The finding as a sentence.", _point_sentence),
    _POINT.reason(_residual_reason),
)


def _points(results: Results) -> Iterator[Scaled]:
    for family in families(results):
        for one in family.points:
            yield Scaled(family=family, of=one)


SCALING: Final = TableKind(
    name="scaling",
    title="Scaling with GPUs",
    columns=_POINT_COLUMNS,
    of_results=_points,
    section="findings",
    heading="More GPUs for the same work",
    text="Time and energy a token against those on the fewest GPUs that ran, and how far each "
    "point is off the power law through all of them.",
)
"""One row a point of a family that differs in GPUs alone."""


def _serial(one: GpuFamily) -> Ranged | None:
    return one.serial_share if isinstance(one.serial_share, Ranged) else None


def _no_serial(one: GpuFamily) -> str | None:
    return one.serial_share if isinstance(one.serial_share, str) else None


def _law_sentence(one: GpuFamily) -> str:
    counts = " and ".join(map(str, sorted(set(one.counts))))
    time, energy = one.time_law.slope, one.energy_law.slope

    def ends(slope: Ranged) -> str:
        if slope.low is None or slope.high is None:
            return f"{slope.value:.2f} (no interval)"
        return f"{slope.value:.2f} ({slope.low:.2f} to {slope.high:.2f})"

    return (
        f"On {counts} GPUs time a token goes as GPUs to the power of {ends(time)}, where -1 is in "
        f"proportion, and energy to that of {ends(energy)}, where 0 is no loss."
    )


_LAW_COLUMNS: Final = (
    *choice_columns(
        _LAW,
        lambda one: one.work,
        lambda one: one.fewest.point,
        lambda one: [each.point for each in one.points],
    ),
    _LAW.text(
        "gpu_counts",
        "on GPUs",
        "The numbers of GPUs that ran; gpus is the fewest.",
        lambda one: " ".join(map(str, one.counts)),
    ),
    _LAW.count("points", "points", "Points of the family.", lambda one: len(one.points)),
    *interval_columns(
        _LAW,
        "time_exponent",
        "exponent of time",
        "1",
        meaning="Slope of the logarithm of time a token over that of GPUs: -1 is in proportion.",
        value=lambda one: one.time_law.slope,
    ),
    _LAW.number(
        "time_r_squared",
        "R2, time",
        "1",
        "Share of the scatter of the points' logarithms that the law explains.",
        lambda one: one.time_law.r_squared,
        reason="reason",
    ),
    *interval_columns(
        _LAW,
        "energy_exponent",
        "exponent of energy",
        "1",
        meaning="Slope of the logarithm of energy a token over that of GPUs: 0 is no loss.",
        value=lambda one: one.energy_law.slope,
    ),
    _LAW.number(
        "energy_r_squared",
        "R2, energy",
        "1",
        "The same of energy.",
        lambda one: one.energy_law.r_squared,
        reason="reason",
    ),
    *interval_columns(
        _LAW,
        "serial_share",
        "serial share",
        "1",
        meaning="Amdahl's: of the time on one GPU, what more GPUs do not shorten, by the line of "
        "time a token over 1 / GPUs.",
        value=_serial,
        missing=_no_serial,
    ),
    _LAW.text("sentence", "in words", "The finding as a sentence.", _law_sentence),
    _LAW.reason(_no_serial),
)

SCALING_LAWS: Final = TableKind(
    name="scaling_laws",
    title="Laws of scaling",
    columns=_LAW_COLUMNS,
    of_results=families,
    section="findings",
    heading="The laws they follow",
    text="A power law of time and of energy through each family, and Amdahl's share of time that "
    "more GPUs do not shorten. Two numbers of GPUs are always on the law.",
)
"""One row a family of points that differ in GPUs alone."""
