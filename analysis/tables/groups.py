"""Groups: runs that differ in nothing but `repeat`, as one row with its intervals."""

import json
from collections.abc import Sequence
from typing import Any, Final

from analysis.runs.sealed_runs import Run
from analysis.statistics.intervals import interval_95, width_of_mean
from analysis.tables.columns import POINT
from analysis.tables.group_columns import GROUP_METRICS
from analysis.tables.rows import Row
from telemetry.record.spec import DTYPES

# Metrics that are energy times something exact, so that energy's relative uncertainty is theirs.
_LIKE_ENERGY: Final = ("energy_j", "energy_per_token_j", "energy_per_response_j", "power_w")
ENGINES: Final = ("reference", "fast")
"""Engines in the order of every table: the one that others are held against first."""
QUANTIZATIONS: Final = ("none", "int8", "int4")
"""Quantizations in the order of every table: the more bits first."""
# Made-up models have no number of parameters in their names; the smaller stands first.
_MADE_UP: Final = ("nano", "micro")


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
        **{column.name: first[column.name] for column in POINT},
        "simulated": any(bool(row["simulated"]) for _, row in members),
        "n": len(members),
        "idle_gpus": max(int(row["idle_gpus"] or 0) for _, row in members),
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
        sensor = _sensor_width([member for _, member in members], name)
        interval = interval_95(known, sensor)
        if name == GROUP_METRICS[0]:
            row[f"{name}_sensor"] = sensor
            row[f"{name}_gain"] = _gain([member for _, member in members])
        row[f"{name}_mean"] = interval.mean
        row[f"{name}_low"] = interval.low
        row[f"{name}_high"] = interval.high
        row["interval_reason"] = row["interval_reason"] or interval.reason
    return row


def _sensor_width(rows: Sequence[Row], name: str) -> float | None:
    """Expanded uncertainty of a metric's mean by the sensors alone; None when it has none."""
    if name not in _LIKE_ENERGY:
        return None
    widths = []
    for row in rows:
        value, energy_j, width_j = (row[key] for key in (name, "energy_j", "energy_uncertainty_j"))
        if value is None or width_j is None or not energy_j:
            return None
        widths.append(abs(float(value) / float(energy_j)) * float(width_j))
    return width_of_mean(widths)


def _gain(rows: Sequence[Row]) -> float | None:
    """The most that the boards' gain may come to in a repeat's energy per token."""
    gains = [
        float(row["energy_gain_uncertainty_j"]) / float(row["generated_tokens"])
        for row in rows
        if row["energy_gain_uncertainty_j"] is not None and row["generated_tokens"]
    ]
    return max(gains, default=None)


def model_order(model: str) -> tuple[float, str]:
    """Sorts models by size: those made up for CPUs, then by billions of parameters."""
    if model in _MADE_UP:
        return float(_MADE_UP.index(model) - len(_MADE_UP)), model
    size = model.removesuffix("b")
    return (float(size) if size.replace(".", "", 1).isdigit() else 0.0), model


def engine_order(engine: str) -> tuple[int, str]:
    """Sorts engines as every table has them."""
    return _place(engine, ENGINES)


def format_order(row: Row) -> tuple[Any, ...]:
    """Sorts grid points by their formats: the more bits first."""
    return *_place(row["quantization"], QUANTIZATIONS), *_place(row["dtype"], DTYPES)


def _place(name: object, known: Sequence[str]) -> tuple[int, str]:
    return (known.index(str(name)) if name in known else len(known)), str(name)


def _group_order(row: Row) -> tuple[Any, ...]:
    return (
        *model_order(str(row["model"])),
        row["dataset"],
        row["gpu"],
        row["gpus"],
        row["nodes"],
        row["batch_size"],
        row["max_gen_len"],
        row["power_cap_w"] or 0.0,
        *engine_order(str(row["engine"])),
        *format_order(row),
        row["runs"],
    )
