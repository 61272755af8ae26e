"""Table: rows of numbers made from sealed runs, written as CSV and Parquet."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.energy.run_energy import RunEnergy
from analysis.performance.run_performance import Performance
from analysis.runs.sealed_runs import Loaded, NotCounted, Run
from analysis.runs.unreadable import UNREADABLE, shortened
from analysis.tables.column import Column
from analysis.tables.columns import RUNS
from analysis.tables.contrast import engine_rows, format_rows, sharding_rows
from analysis.tables.contrast_columns import ENGINES, FORMATS, SHARDING
from analysis.tables.gpu_columns import GPUS, PHASES, SENSORS
from analysis.tables.group_columns import COMPARISON, GROUPS, NOT_COUNTED
from analysis.tables.groups import engine_order, format_order, group_rows, model_order
from analysis.tables.performance_columns import CONDITIONS, PERFORMANCE
from analysis.tables.performance_rows import conditions_row, performance_row
from analysis.tables.published import compare
from analysis.tables.rows import Cell, Row, gpu_rows, phase_rows, pooled, run_row, sensor_rows
from telemetry.record.files import write_bytes

_ARROW: Final = {
    "number": pa.float64(),
    "share": pa.float64(),
    "count": pa.int64(),
    "flag": pa.bool_(),
    "text": pa.string(),
}


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under defined columns."""

    name: str
    """File name without its ending."""
    title: str
    """Heading of the table in the report."""
    columns: tuple[Column, ...]
    """What each column means, in the order of the file."""
    rows: tuple[Row, ...]
    """Values by column name; None or a missing name is an empty cell."""

    def to_csv(self) -> bytes:
        """The table as CSV (RFC 4180); null is an empty cell, numbers keep all digits."""
        sink = io.StringIO(newline="")
        writer = csv.writer(sink)
        writer.writerow([column.name for column in self.columns])
        for row in self.rows:
            writer.writerow([_csv_cell(row.get(column.name)) for column in self.columns])
        return sink.getvalue().encode()

    def to_arrow(self) -> pa.Table:
        """The table as Arrow, each column's unit and meaning in its metadata."""
        fields = [
            pa.field(
                column.name,
                _ARROW[column.type],
                metadata={"unit": column.unit, "meaning": column.meaning},
            )
            for column in self.columns
        ]
        columns = {
            column.name: [row.get(column.name) for row in self.rows] for column in self.columns
        }
        return pa.Table.from_pydict(columns, schema=pa.schema(fields))


@dataclass(frozen=True, kw_only=True)
class Tables:
    """All tables of a results folder."""

    runs: Table
    """One row a sealed run."""
    groups: Table
    """One row a grid point, over its repeats."""
    engines: Table
    """Grid points that differ in the engine alone."""
    sharding: Table
    """Grid points that differ in the number of GPUs, and in the engine."""
    formats: Table
    """Grid points that differ in the format of numbers and weights."""
    performance: Table
    """One row a sealed run: how fast, and how near to what its GPUs allow."""
    conditions: Table
    """One row a sealed run: what it was measured under."""
    phases: Table
    """One row a rank and phase, and one a GPU that was left idle."""
    gpus: Table
    """One row a GPU that a run was given, at work or idle."""
    sensors: Table
    """One row a kind of GPU, driver and reading."""
    comparison: Table
    """One row a number of the paper that runs of ours have the conditions of."""
    not_counted: Table
    """One row an attempt that was not sealed, or a run that could not be read."""
    notes: tuple[tuple[str, str], ...]
    """(run, sentence) of what a reader of its energies has to know."""

    def all(self) -> tuple[Table, ...]:
        """Every table, in the report's order."""
        return (
            *(self.groups, self.engines, self.sharding, self.formats),
            *(self.runs, self.performance, self.conditions),
            *(self.phases, self.gpus, self.sensors),
            *(self.comparison, self.not_counted),
        )


def report_folder(results: Path) -> Path:
    """Where analysis writes: tables, figures, the page and the audit."""
    return results / "report"


def build_tables(loaded: Loaded) -> Tables:
    """The tables of all sealed runs; a run whose record cannot be read is named, not dropped."""
    runs: list[Row] = []
    performances: list[Row] = []
    conditions: list[Row] = []
    phases: list[Row] = []
    gpus: list[Row] = []
    sensors: list[Row] = []
    notes: list[tuple[str, str]] = []
    specs: list[tuple[Run, Row]] = []
    others = list(loaded.not_counted)
    for run in sorted(loaded.runs, key=run_order):
        try:
            run_energy = RunEnergy(run)
            row = run_row(run_energy)
            performance = Performance(run_energy)
            speed = performance_row(performance, row)
            condition = conditions_row(performance)
            own = [phase_rows(run_energy), gpu_rows(run_energy), sensor_rows(run_energy)]
            own_notes = [(run.run_id, note) for note in run_energy.notes]
        except UNREADABLE as error:
            others.append(
                NotCounted(
                    run_id=run.run_id,
                    attempt=run.attempt.number,
                    state="unreadable",
                    reason=shortened(error),
                )
            )
            continue
        runs.append(row)
        performances.append(speed)
        conditions.append(condition)
        for rows, more in zip((phases, gpus, sensors), own, strict=True):
            rows.extend(more)
        notes += own_notes
        specs.append((run, {**speed, **row}))
    groups = group_rows(specs)
    counted = {run.run_id: run for run, _ in specs}
    others.sort(key=lambda other: (other.run_id, other.attempt or 0))
    return Tables(
        runs=Table(name="runs", title="Runs", columns=RUNS, rows=tuple(runs)),
        groups=Table(name="groups", title="Grid points", columns=GROUPS, rows=tuple(groups)),
        engines=Table(
            name="engines",
            title="Engines",
            columns=ENGINES,
            rows=tuple(engine_rows(groups, counted)),
        ),
        sharding=Table(
            name="sharding",
            title="Sharding",
            columns=SHARDING,
            rows=tuple(sharding_rows(groups, counted)),
        ),
        formats=Table(
            name="formats",
            title="Formats",
            columns=FORMATS,
            rows=tuple(format_rows(groups, counted)),
        ),
        performance=Table(
            name="performance", title="Speed", columns=PERFORMANCE, rows=tuple(performances)
        ),
        conditions=Table(
            name="conditions", title="Conditions", columns=CONDITIONS, rows=tuple(conditions)
        ),
        phases=Table(name="phases", title="Phases", columns=PHASES, rows=tuple(phases)),
        gpus=Table(name="gpus", title="GPUs", columns=GPUS, rows=tuple(gpus)),
        sensors=Table(
            name="sensors", title="Sensors", columns=SENSORS, rows=tuple(pooled(sensors))
        ),
        notes=tuple(notes),
        comparison=Table(
            name="comparison",
            title="Against the paper",
            columns=COMPARISON,
            rows=tuple(compare(groups, [run.spec for run, _ in specs])),
        ),
        not_counted=Table(
            name="not_counted",
            title="Not counted",
            columns=NOT_COUNTED,
            rows=tuple(
                {
                    "run_id": other.run_id,
                    "attempt": other.attempt,
                    "state": other.state,
                    "reason": other.reason,
                }
                for other in others
            ),
        ),
    )


def write_tables(tables: Tables, folder: Path) -> list[Path]:
    """Write every table as `<name>.csv` and `<name>.parquet`; equal tables give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in tables.all():
        path = folder / f"{table.name}.csv"
        write_bytes(path, table.to_csv())
        sink = io.BytesIO()
        pq.write_table(table.to_arrow(), sink, compression="zstd")
        write_bytes(path.with_suffix(".parquet"), sink.getvalue())
        written += [path, path.with_suffix(".parquet")]
    return written


def run_order(run: Run) -> tuple[Any, ...]:
    """Sorts runs as every table has them: the smaller model first."""
    spec = run.spec
    work = (spec.dataset, spec.gpu, spec.gpus, spec.batch_size, spec.max_gen_len)
    formats = format_order({"quantization": spec.quantization, "dtype": spec.dtype})
    return (*model_order(spec.model), *work, *engine_order(spec.engine), *formats, run.run_id)


def _csv_cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)
