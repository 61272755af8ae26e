"""Quantities: a sealed run's numbers, from the tables that analysis makes, each with unit and ±."""

from collections.abc import Iterator
from typing import Final

from analysis.crate.entities import Entities, Entity
from analysis.tables.column import Column, Row
from analysis.tables.table import Table, Tables

_OF_RUN: Final = (
    *("energy_j", "energy_gain_uncertainty_j", "power_w", "energy_per_token_j"),
    *("energy_per_response_j", "charged_energy_j", "charged_energy_per_token_j"),
    *("prefill_energy_j", "decode_energy_j", "net_energy_j", "idle_power_w"),
    *("polled_counter_energy_j", "power_integral_energy_j", "rank_counter_energy_j"),
    *("node_energy_j", "zone_energy_j", "duration_s", "tokens_per_s", "generated_tokens"),
)
_OF_GPU: Final = ("energy_j",)
_METHOD: Final = "energy_method"


def of_run(entities: Entities, tables: Tables, run_id: str) -> list[Entity]:
    """What a run took: energies, powers, durations and counts of its row in the table of runs."""
    row = next((row for row in tables.runs.rows if row["run_id"] == run_id), None)
    if row is None:
        return []
    return list(_quantities(entities, tables.runs, row, _OF_RUN, of=run_id))


def of_gpus(
    entities: Entities, tables: Tables, run_id: str, gpus: dict[str, Entity]
) -> Iterator[Entity]:
    """The energy of each of a run's GPUs; `gpus` are their entities by UUID."""
    for row in tables.gpus.rows:
        uuid = str(row["gpu_uuid"])
        if row["run_id"] == run_id:
            of = f"{run_id} {row['host']} {uuid}"
            for entity in _quantities(entities, tables.gpus, row, _OF_GPU, of=of):
                entities.set(entity, about=gpus.get(uuid))
                yield entity


def _quantities(
    entities: Entities, table: Table, row: Row, names: tuple[str, ...], *, of: str
) -> Iterator[Entity]:
    columns = {column.name: column for column in table.columns}
    for name in names:
        column = columns[name]
        beside = column.plus_minus or column.uncertainty
        spread = None
        if beside is not None and row.get(name) is not None:
            spread = entities.value(
                f"{beside}",
                row.get(beside),
                of=of,
                unit=_unit(columns[beside]),
                reason="no reading bounds it",
                propertyID=beside,
                description=columns[beside].meaning,
            )
        simulated = "SIMULATED, no measurement: " if row.get("simulated") else ""
        yield entities.value(
            f"{simulated}{column.name}",
            row.get(name),
            of=of,
            unit=_unit(column),
            reason=_reason(row, column),
            propertyID=name,
            description=column.meaning,
            measurementTechnique=row.get(_METHOD) if name == "energy_j" else None,
            valueReference=spread,
        )


def _unit(column: Column[object]) -> str:
    stem = column.name.replace("_uncertainty", "")
    for whole in ("token", "response"):
        if stem.endswith(f"_per_{whole}_j"):
            return f"{column.unit} / {whole}"
    return "" if column.unit in ("", "1") else column.unit


def _reason(row: Row, column: Column[object]) -> str | None:
    why = row.get(column.reason) if column.reason else None
    return None if why is None else str(why)
