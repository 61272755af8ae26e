"""Outside meters: the table with one row a run, meter and part of the run that it saw."""

from dataclasses import dataclass
from typing import Final

from analysis.meter.witness import MeteredPart, MeterWitness, witnesses_of
from analysis.tables.column import ColumnsOf
from analysis.tables.labels import label_columns
from analysis.tables.measured import Measured
from analysis.tables.table import TableKind
from telemetry.clock import US_PER_S


@dataclass(frozen=True, kw_only=True)
class _Metered:
    of: Measured
    """The run."""
    witness: MeterWitness
    """The meter beside it."""
    part: MeteredPart
    """The window or a phase."""

    @property
    def covered(self) -> str:
        extra = self.witness.uncovered
        count = len(self.witness.covered)
        text = f"{count} GPU{'' if count == 1 else 's'} of the run"
        return f"{text}, and {', '.join(extra)}, which are not the run's" if extra else text

    @property
    def difference(self) -> str:
        if self.witness.equal:
            return "none: both are of the same GPUs"
        if self.witness.uncovered:
            return "the meter's reading holds what is not the run's"
        return (
            "the meter's reading holds processors, memory, fans and power supplies, ours GPUs alone"
        )


_OF: Final = ColumnsOf[_Metered]()

_COLUMNS: Final = (
    _OF.run_id(lambda one: one.of.run_id),
    _OF.text(
        "meter", "meter", "Name of the meter's log.", lambda one: one.witness.meter.statement.name
    ),
    _OF.text(
        "part",
        "part",
        "`window`, the measured window, or a phase of the batches in it.",
        lambda one: one.part.name,
    ),
    _OF.text(
        "boundary",
        "boundary",
        "What flows through the meter: `gpu` the covered GPUs alone, `node` whole nodes, `rack` a "
        "rack, `share` more, of which its user states the share.",
        lambda one: one.witness.meter.statement.boundary.value,
    ),
    _OF.text("covered", "covers", "What of the run it covers.", lambda one: one.covered),
    _OF.simulated(lambda one: one.of.simulated),
    *label_columns(_OF, lambda one: one.of),
    *_OF.uncertain(
        "meter_energy_j",
        "meter",
        "J",
        "Energy by the meter in this part, calibrated as its user states, of the covered share.",
        lambda one: one.part.meter,
        width="Expanded uncertainty of meter_energy_j (k = 2, about 95 %) by the meter's timing, "
        "its stated accuracy and the clock's uncertainty.",
        reason="reason",
    ),
    *_OF.uncertain(
        "record_energy_j",
        "record",
        "J",
        "Energy of the covered GPUs in the same part by the run's method.",
        lambda one: one.part.ours,
        reason="reason",
    ),
    _OF.number(
        "record_over_meter",
        "record over meter",
        "1",
        "record_energy_j / meter_energy_j: the gain that the meter implies, where both are of the "
        "same GPUs.",
        lambda one: None if one.part.apart.value is None else 1.0 + one.part.apart.value,
        plus_minus="record_over_meter_uncertainty",
        reason="reason",
    ),
    _OF.number(
        "record_over_meter_uncertainty",
        "±",
        "1",
        "Expanded uncertainty of record_over_meter (k = 2, about 95 %) by that of both energies.",
        lambda one: one.part.apart.plus_minus,
        shown=False,
    ),
    _OF.text(
        "boundary_difference",
        "difference",
        "What one side holds that the other has not.",
        lambda one: one.difference,
    ),
    _OF.text(
        "meter_reading",
        "by its",
        "Which of the meter's readings the window's energy is from: its running total `energy`, "
        "else the integral of its `power`.",
        lambda one: one.witness.reading,
    ),
    _OF.number(
        "clock_offset_s",
        "clock ahead",
        "s",
        "How far the meter's clock is ahead of the record's, as stated, or as the power that both "
        "saw tells; it is applied where it is more than its uncertainty.",
        lambda one: None if one.witness.fit.reason else one.witness.fit.offset_us / US_PER_S,
        plus_minus="clock_offset_uncertainty_s",
        reason="reason",
    ),
    _OF.number(
        "clock_offset_uncertainty_s",
        "±",
        "s",
        "Expanded uncertainty of clock_offset_s (k = 2).",
        lambda one: None if one.witness.fit.reason else one.witness.fit.plus_minus_us / US_PER_S,
        shown=False,
    ),
    _OF.text(
        "clock_offset_by",
        "clock by",
        "How that offset is known.",
        lambda one: one.witness.fit.how,
    ),
    _OF.number(
        "clock_correlation",
        "correlation",
        "1",
        "Of both powers at that offset; empty where it was stated.",
        lambda one: one.witness.fit.correlation,
        shown=False,
    ),
    _OF.share(
        "meter_accuracy_share",
        "accuracy",
        "Expanded uncertainty (k = 2) of the meter's readings as its user states it; empty: not "
        "stated, and in no uncertainty here.",
        lambda one: one.witness.meter.statement.accuracy_share,
        shown=False,
    ),
    _OF.text(
        "meter_certificate",
        "certificate",
        "The meter's calibration, as its user states it.",
        lambda one: one.witness.meter.statement.certificate,
        shown=False,
    ),
    _OF.text(
        "source_sha256",
        "log",
        "SHA-256 of the log as it was imported.",
        lambda one: one.witness.meter.source_sha256,
        shown=False,
    ),
    _OF.reason(lambda one: one.part.meter.reason or one.part.ours.reason),
)


def _metered(one: Measured) -> list[_Metered]:
    return [
        _Metered(of=one, witness=witness, part=part)
        for witness in witnesses_of(one.run_energy)
        for part in witness.parts
    ]


OUTSIDE_METERS: Final = TableKind(
    name="outside_meters",
    title="Outside meters",
    columns=_COLUMNS,
    of_run=_metered,
    text="What meters that are no part of the record say of its runs, as their logs were imported.",
    label="Energy by outside meters and by the record",
)
"""One row a run, meter and part; none where no log was imported."""
