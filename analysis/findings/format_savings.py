"""Format savings: each quantized point against its unquantized twin: what is saved, and why."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from analysis.findings.estimate import Ranged
from analysis.findings.format_causes import FormatCauses
from analysis.findings.format_points import FormatPoint, points_by_curve
from analysis.findings.format_twins import CANNOT_TELL, DOES_NOT, SAVES, FormatTwins, format_twins
from analysis.findings.point_columns import choice_columns, interval_columns
from analysis.tables.column import Column, ColumnsOf
from analysis.tables.point import rounded_part
from analysis.tables.table import Results, TableKind


@dataclass(frozen=True, kw_only=True, eq=False)
class FormatSaving:
    """One quantized point, its twin, and why it saves or does not."""

    twins: FormatTwins
    """Both."""
    causes: FormatCauses
    """What both record of bytes, time and power."""

    @property
    def sentence(self) -> str:
        """The finding, for people."""
        row, found = self.twins.of.group, self.twins.energy_ratio
        bits = row["quantization"]
        rows = f"{row['batch_size']} row{'s' * (row['batch_size'] != 1)}"
        where = f"{row['model']} on {row['gpus']} x {self.twins.of.point.board}, {row['engine']}"
        simulated = ", simulated" if self.twins.of.point.simulated else ""
        what = f"{bits} {rounded_part(bits)} at {rows}, {where}{simulated}"
        if found is None:
            return f"{what}: {CANNOT_TELL}: {self.twins.reason}."
        ends = "" if found.low is None else f" ({found.low:.3g} to {found.high:.3g})"
        rate = self.twins.rate_ratio
        speed = "" if rate is None else f" at {rate.value:.3g} times its tokens/s"
        why = f": {self.twins.reason}" if self.twins.verdict == CANNOT_TELL else ""
        return (
            f"{what}: {found.value:.3g}{ends} times the joules a token of {row['dtype']}{speed}: "
            f"{self.twins.verdict}{why}."
        )


_OF: Final = ColumnsOf[FormatSaving]()


def _mean(one: FormatPoint | None, value: Callable[[FormatPoint], Ranged | None]) -> float | None:
    found = None if one is None else value(one)
    return None if found is None else found.value


def _beyond(
    name: str, label: str, whose: str, of: Callable[[FormatTwins], FormatPoint | None]
) -> Column[FormatSaving]:
    def value(one: FormatSaving) -> float | None:
        found = of(one.twins)
        return None if found is None else found.beyond_bound_s

    return _OF.number(
        name,
        label,
        "s",
        f"Seconds a token of {whose} less those of the roofline bound of its format, by the stated "
        "peaks.",
        value,
        shown=False,
        reason="bound_reason",
    )


_COLUMNS: Final = (
    *choice_columns(
        _OF,
        lambda one: one.twins.of.work,
        lambda one: one.twins.of.point,
        lambda one: [] if one.twins.base is None else [one.twins.base.point],
    ),
    _OF.number(
        "base_energy_per_token_j",
        "unquantized J / token",
        "J",
        "Energy per generated token of the unquantized twin: mean over its repeats.",
        lambda one: _mean(one.twins.base, lambda each: each.energy),
        reason="ratio_reason",
    ),
    _OF.number(
        "energy_per_token_j",
        "J / token",
        "J",
        "Energy per generated token: mean over the repeats.",
        lambda one: _mean(one.twins.of, lambda each: each.energy),
        reason="ratio_reason",
    ),
    *interval_columns(
        _OF,
        "energy_ratio",
        "J / token ratio",
        "1",
        meaning="energy_per_token_j / base_energy_per_token_j.",
        value=lambda one: one.twins.energy_ratio,
        missing=lambda one: one.twins.lacking,
    ),
    *interval_columns(
        _OF,
        "rate_ratio",
        "tokens/s ratio",
        "1",
        meaning="Tokens a second over the twin's, of the whole window.",
        value=lambda one: one.twins.rate_ratio,
        missing=lambda one: one.twins.rate_lacking,
    ),
    _OF.text(
        "verdict",
        "verdict",
        f"`{SAVES}`: the whole interval of energy_ratio lies below 1. `{DOES_NOT}`: it lies at 1 "
        f"or above. `{CANNOT_TELL}`: 1 is in it, or there is none.",
        lambda one: one.twins.verdict,
    ),
    _OF.number(
        "power_ratio",
        "W ratio",
        "1",
        "Mean power over the twin's.",
        lambda one: one.causes.power_ratio,
        reason="ratio_reason",
    ),
    _OF.share(
        "base_weight_bytes_share",
        "weights' bytes",
        "Weights' share of the bytes that the twin's window moves: what fewer bits can spare.",
        lambda one: one.causes.weight_share,
        reason="bytes_reason",
    ),
    _OF.number(
        "bound_ratio",
        "bound allows",
        "1",
        "Tokens a second of the roofline bound over those of the twin's, both by the stated peaks: "
        "what rate_ratio would be were both at their bounds.",
        lambda one: one.causes.bound_ratio,
        reason="bound_reason",
    ),
    _beyond("beyond_bound_per_token_s", "beyond bound", "the point", lambda twins: twins.of),
    _beyond(
        "base_beyond_bound_per_token_s", "unquantized beyond", "its twin", lambda twins: twins.base
    ),
    _OF.share(
        "widening_share",
        "widening",
        "(beyond_bound_per_token_s - base_beyond_bound_per_token_s) over the seconds a token "
        "takes: what the format costs beyond its bytes, in widening weights and in what its "
        "shorter steps hide no more; below 0 where it is nearer to its bound than its twin.",
        lambda one: one.causes.excess_share,
        reason="bound_reason",
    ),
    _OF.share(
        "cap_bound_share",
        "limit bound",
        "Share of the window's readings at which a power limit held a clock down.",
        lambda one: one.causes.cap_shares[1],
        reason="clocks_reason",
    ),
    _OF.share(
        "base_cap_bound_share",
        "unquantized limit bound",
        "The same of the twin.",
        lambda one: one.causes.cap_shares[0],
        reason="clocks_reason",
    ),
    _OF.text("why", "why", "What saves, and what does not.", lambda one: one.causes.why),
    _OF.text("sentence", "in words", "The finding as a sentence.", lambda one: one.sentence),
    _OF.text(
        "measured_apart",
        "measured apart",
        "Settings of the measurement in which both differ, twin / own; and what nobody can say is "
        "the same: a power limit that is not on record.",
        lambda one: one.twins.measured_apart,
    ),
    _OF.why("ratio_reason", "ratio", "Why it is missing.", lambda one: one.twins.lacking),
    _OF.why("bytes_reason", "bytes", "Why it is missing.", lambda one: one.causes.bytes_reason),
    _OF.why("bound_reason", "bound", "Why it is missing.", lambda one: one.causes.bound_reason),
    _OF.why("clocks_reason", "limit", "Why it is missing.", lambda one: one.causes.clocks_reason),
    _OF.text(
        "reason",
        "why not told",
        "Why nobody can tell whether it saves.",
        lambda one: one.twins.reason,
    ),
    _OF.text(
        "runs",
        "runs",
        "The runs of the point.",
        lambda one: one.twins.of.group["runs"],
        shown=False,
    ),
    _OF.text(
        "base_runs",
        "twin's runs",
        "Those of its twin.",
        lambda one: None if one.twins.base is None else one.twins.base.group["runs"],
        shown=False,
    ),
)


def format_savings(results: Results) -> Iterator[FormatSaving]:
    """Every quantized point, with its twin or the reason why it has none."""
    for twins in format_twins(points_by_curve(results)):
        yield FormatSaving(twins=twins, causes=FormatCauses(twins=twins))


FORMAT_SAVINGS: Final = TableKind(
    name="format_savings",
    title="What fewer bits of weight save",
    columns=_COLUMNS,
    of_results=format_savings,
    section="contrasts",
    heading="What fewer bits of weight save",
    text="Each quantized point beside the unquantized one that is the same but for that.",
)
"""One row a quantized grid point."""
