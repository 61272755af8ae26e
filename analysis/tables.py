"""Tables: rows of numbers made from sealed runs, written as CSV and Parquet."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.account import Account
from analysis.columns import COMPARISON, GROUP_METRICS, GROUPS, NOT_COUNTED, PHASES, RUNS, Column
from analysis.energy import US_PER_S, Amount
from analysis.gpu import COUNTER, INTEGRAL
from analysis.load import UNREADABLE, Loaded, NotCounted, Run, shortened
from analysis.published import compare
from analysis.statistics import interval_95
from telemetry.record import write_bytes
from telemetry.schema import Phase

Cell = str | int | float | bool | None
Row = dict[str, Cell]

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
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

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
    groups: Table
    phases: Table
    comparison: Table
    not_counted: Table

    def all(self) -> tuple[Table, ...]:
        """Every table, in the report's order."""
        return (self.groups, self.runs, self.phases, self.comparison, self.not_counted)


def report_folder(results: Path) -> Path:
    """Where analysis writes: tables, figures, the page and the audit."""
    return results / "report"


def build_tables(loaded: Loaded) -> Tables:
    """The tables of all sealed runs; a run whose record cannot be read is named, not dropped."""
    runs: list[Row] = []
    phases: list[Row] = []
    specs: list[tuple[Run, Row]] = []
    others = list(loaded.not_counted)
    for run in loaded.runs:
        try:
            account = Account(run)
            row = run_row(account)
            own_phases = phase_rows(account)
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
        phases.extend(own_phases)
        specs.append((run, row))
    groups = group_rows(specs)
    others.sort(key=lambda other: (other.run_id, other.attempt or 0))
    return Tables(
        runs=Table(name="runs", title="Runs", columns=RUNS, rows=tuple(runs)),
        groups=Table(name="groups", title="Grid points", columns=GROUPS, rows=tuple(groups)),
        phases=Table(name="phases", title="Phases", columns=PHASES, rows=tuple(phases)),
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


def run_row(account: Account) -> Row:
    """One run's row of `columns.RUNS`."""
    run = account.run
    spec = run.spec
    responses = run.responses
    answered = responses.num_rows
    tokens = int(pc.sum(responses["generated_tokens"]).as_py() or 0)
    words = int(pc.sum(responses["words"]).as_py() or 0)
    duration_s = account.duration_s
    energy, net = account.energy, account.net
    prefill, decode = (account.phase_energy(phase) for phase in (Phase.PREFILL, Phase.DECODE))
    decode_s = account.phase_seconds(Phase.DECODE)
    gap, zone, idle = account.gap, account.zone_energy, account.idle_power
    covered = list(account.coverage())
    return {
        "run_id": run.run_id,
        "model": spec.model,
        "dataset": spec.dataset,
        "gpu": spec.gpu,
        "gpus": spec.gpus,
        "nodes": spec.nodes,
        "batch_size": spec.batch_size,
        "max_gen_len": spec.max_gen_len,
        "power_cap_w": spec.power_cap_w,
        "repeat": spec.repeat,
        "simulated": run.simulated,
        "duration_s": duration_s,
        "energy_method": account.method_text,
        "energy_j": energy.value,
        "power_w": _ratio(energy.value, duration_s),
        "energy_per_token_j": _ratio(energy.value, tokens),
        "energy_per_response_j": _ratio(energy.value, answered),
        "tokens_per_s": tokens / duration_s,
        "words_per_s": words / duration_s,
        "responses_per_s": answered / duration_s,
        "responses": answered,
        "generated_tokens": tokens,
        "words": words,
        "prompt_tokens": int(pc.sum(responses["prompt_tokens"]).as_py() or 0),
        "prefill_s": account.phase_seconds(Phase.PREFILL),
        "decode_s": decode_s,
        "decode_tokens_per_s": _ratio(max(0, tokens - answered), decode_s),
        "prefill_energy_j": prefill.value,
        "decode_energy_j": decode.value,
        "idle_power_w": idle.value,
        "net_energy_j": net.value,
        "net_energy_per_token_j": _ratio(net.value, tokens),
        "counter_energy_j": account.energy_by(COUNTER).value,
        "integral_energy_j": account.energy_by(INTEGRAL).value,
        "integral_over_counter": gap.value,
        "zone_energy_j": zone.value,
        "coverage_worst": min((share for _, _, share, _, _ in covered), default=None),
        "largest_gap_s": max((gap_us / US_PER_S for *_, gap_us, _ in covered), default=None),
        "gpu_utilization": account.utilization.value,
        "attempt": run.attempt.number,
        "energy_reason": energy.reason,
        "phase_reason": _phase_reason(prefill, decode),
        "net_reason": net.reason,
        "gap_reason": gap.reason,
        "zone_reason": zone.reason,
    }


def phase_rows(account: Account) -> list[Row]:
    """One run's rows of `columns.PHASES`."""
    return [
        {
            "run_id": account.run.run_id,
            "rank": phase.rank,
            "host": phase.host,
            "gpu_uuid": phase.gpu_uuid,
            "phase": phase.phase,
            "simulated": account.run.simulated,
            "spans": phase.spans,
            "seconds": phase.seconds,
            "energy_j": phase.energy.value,
            "power_w": _ratio(phase.energy.value, phase.seconds),
            "net_energy_j": phase.net.value,
            "reason": phase.energy.reason or phase.net.reason,
        }
        for phase in account.phases
    ]


def group_rows(runs: Sequence[tuple[Run, Row]]) -> list[Row]:
    """Rows of `columns.GROUPS`: runs that differ in nothing but `repeat`, with 95 % intervals."""
    groups: dict[str, list[tuple[Run, Row]]] = {}
    for run, row in runs:
        point = {key: value for key, value in run.spec.to_mapping().items() if key != "repeat"}
        groups.setdefault(json.dumps(point, sort_keys=True), []).append((run, row))
    made = [_group_row(members) for _, members in sorted(groups.items())]
    made.sort(key=_group_order)
    return made


def _group_row(members: Sequence[tuple[Run, Row]]) -> Row:
    _, first = members[0]
    row: Row = {
        "model": first["model"],
        "dataset": first["dataset"],
        "gpu": first["gpu"],
        "gpus": first["gpus"],
        "nodes": first["nodes"],
        "batch_size": first["batch_size"],
        "max_gen_len": first["max_gen_len"],
        "power_cap_w": first["power_cap_w"],
        "simulated": any(bool(row["simulated"]) for _, row in members),
        "n": len(members),
        "runs": " ".join(run.run_id for run, _ in members),
        "interval_reason": None,
    }
    for name in GROUP_METRICS:
        values = [member[name] for _, member in members]
        known = [float(value) for value in values if value is not None]
        if len(known) < len(values) or not known:
            reason = f"{len(values) - len(known)} of {len(values)} repeats lack {name}"
            row["interval_reason"] = row["interval_reason"] or reason
            continue
        interval = interval_95(known)
        row[f"{name}_mean"] = interval.mean
        row[f"{name}_low"] = interval.low
        row[f"{name}_high"] = interval.high
        row["interval_reason"] = row["interval_reason"] or interval.reason
    return row


def _group_order(row: Row) -> tuple[Any, ...]:
    model = str(row["model"])
    size = model.removesuffix("b")
    return (
        float(size) if size.replace(".", "", 1).isdigit() else 0.0,
        model,
        row["dataset"],
        row["gpu"],
        row["gpus"],
        row["nodes"],
        row["batch_size"],
        row["max_gen_len"],
        row["power_cap_w"] or 0.0,
        row["runs"],
    )


def _phase_reason(prefill: Amount, decode: Amount) -> str | None:
    reasons = [
        f"{name}: {amount.reason}"
        for name, amount in (("prefill", prefill), ("decode", decode))
        if amount.reason is not None
    ]
    return "; ".join(reasons) or None


def _ratio(top: float | None, bottom: float) -> float | None:
    return None if top is None or bottom <= 0 else top / bottom


def _csv_cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)
