"""Sensors: the table with one row a kind of GPU, driver and reading."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analysis.energy.gpu_energy import Behaviour, Gpu
from analysis.tables.column import Cell, ColumnsOf, Row
from analysis.tables.labels import LABELS, label_columns, pooled_labels
from analysis.tables.measured import Measured
from analysis.tables.table import TableKind
from telemetry.clock import US_PER_S


@dataclass(frozen=True, kw_only=True)
class _Behaving:
    """GPUs of one run that behave alike."""

    of: Measured
    """The run that it is of."""
    gpu: Gpu
    """The first of them."""
    behaviour: Behaviour
    """How one reading of them behaves."""
    gpus: int
    """How many they are."""


_OF: Final = ColumnsOf[_Behaving]()

_COLUMNS: Final = (
    _OF.text(
        "product", "product", "Name of the GPU as the source has it.", lambda one: one.gpu.name
    ),
    _OF.text(
        "driver", "driver", "Driver version; empty: not on record.", lambda one: one.gpu.driver
    ),
    _OF.text(
        "architecture",
        "architecture",
        "Line of the table of sensors; `unknown`: in none.",
        lambda one: one.gpu.sensor.architecture,
    ),
    _OF.simulated(lambda one: one.of.simulated),
    *label_columns(_OF, lambda one: one.of),
    _OF.text("field", "reading", "Which reading.", lambda one: one.behaviour.field),
    _OF.count(
        "gpus",
        "GPUs",
        "GPUs of one run that behave so: the most of all runs.",
        lambda one: one.gpus,
    ),
    _OF.number(
        "tabulated_period_s",
        "period, table",
        "s",
        "Time between two new values by the table.",
        lambda one: one.behaviour.tabulated.update_us / US_PER_S,
    ),
    _OF.number(
        "measured_period_s",
        "period, measured",
        "s",
        "The same as the source measured it on these boards when it started; it stands before the "
        "table's, a shorter one as far as the record shows readings that often.",
        lambda one: (
            None if one.behaviour.measured_us is None else one.behaviour.measured_us / US_PER_S
        ),
        shown_with="measured_period_s",
    ),
    _OF.number(
        "sampling_s",
        "sampled every",
        "s",
        "Time between two readings in the record.",
        lambda one: one.behaviour.sampling_us / US_PER_S,
    ),
    _OF.number(
        "window_s",
        "averages over",
        "s",
        "Time that one value is the mean of, by the table.",
        lambda one: one.behaviour.tabulated.window_us / US_PER_S,
    ),
    _OF.number(
        "resolution_s",
        "resolution",
        "s",
        "The longest of period, sampling and averaging: spans shorter than two of it are not "
        "attributable.",
        lambda one: one.behaviour.resolution_us / US_PER_S,
    ),
    _OF.text(
        "source",
        "source",
        "Where the table's figures come from.",
        lambda one: one.gpu.sensor.source,
    ),
    _OF.text("runs", "runs", "The runs with such GPUs.", lambda one: one.of.run_id, shown=False),
)


def _alike(one: Measured) -> list[_Behaving]:
    found: dict[tuple[object, ...], list[tuple[Gpu, Behaviour]]] = {}
    for gpu in (*one.run_energy.gpus, *one.run_energy.idle_gpus):
        kind = (gpu.name, gpu.driver, gpu.sensor.architecture, gpu.sensor.source)
        for behaviour in gpu.behaviours:
            found.setdefault((*kind, behaviour), []).append((gpu, behaviour))
    return [
        _Behaving(of=one, gpu=members[0][0], behaviour=members[0][1], gpus=len(members))
        for members in found.values()
    ]


def _pooled(rows: Sequence[Row]) -> list[Row]:
    """GPUs of several runs that behave alike share one row."""
    apart = {"gpus", "runs", *(column.name for column in LABELS)}
    alike: dict[tuple[Cell, ...], list[Row]] = {}
    for row in rows:
        key = tuple(value for name, value in row.items() if name not in apart)
        alike.setdefault(key, []).append(row)
    return [
        {
            **members[0],
            **pooled_labels(members),
            "gpus": max(int(member["gpus"] or 0) for member in members),
            "runs": " ".join(str(member["runs"]) for member in members),
        }
        for members in alike.values()
    ]


SENSORS: Final = TableKind(
    name="sensors",
    title="Sensors",
    columns=_COLUMNS,
    of_run=_alike,
    pool=_pooled,
    section="gpus",
    text="How finely each reading tells times apart, which every ± and every “not attributable” "
    "rests on.",
)
"""One row a kind of GPU, driver and reading."""
