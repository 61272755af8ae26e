"""Marks: rows of the tables as marks of a chart, with their intervals, axes and labels."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from analysis.figures.chart import SIMULATED, Mark
from analysis.figures.labels import number_of
from analysis.tables.column import Column, Row, differing
from analysis.tables.point import POINT, POINT_BY_NAME
from analysis.tables.table import Tables

# Between two labels in a cell, as `analysis.runs.labels` writes them.
_BETWEEN: Final = ", "
BY_SENSOR: Final = "by the sensor, k = 2"
"""What an interval is that no repeat was made for."""


def labels_of(row: Row) -> tuple[str, ...]:
    """What the numbers of a row are not, in words."""
    told = [SIMULATED] if row.get("simulated") else []
    words = row.get("labels")
    return tuple(dict.fromkeys((*told, *(str(words).split(_BETWEEN) if words else ()))))


def axes_among(tables: Tables) -> tuple[Column[Any], ...]:
    """Settings of the grid that differ among its points: what a page can filter by."""
    return tuple(differing(POINT, tables.groups.rows))


def axes_of(row: Row, columns: Sequence[Column[Any]]) -> dict[str, str]:
    """The value of each of these settings that a row has, by the setting's label."""
    return {
        column.label: "none" if row[column.name] is None else str(row[column.name])
        for column in columns
        if column.name in row
    }


def metric_mark(row: Row, name: str, x: float, **more: Any) -> Mark:
    """The mean of a metric of a grid point: its 95 % interval, else the sensors' part alone."""
    mean = number_of(row[f"{name}_mean"])
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    width = row.get(f"{name}_sensor")
    interval = f"95 % over {row['n']} repeats"
    if low is None or high is None:
        low, high, interval = None, None, f"no interval: {row.get('interval_reason') or 'unknown'}"
        if width is not None:
            low, high = mean - number_of(width), mean + number_of(width)
            interval = BY_SENSOR
    return Mark(
        x=x,
        y=mean,
        low=None if low is None else min(mean, number_of(low)),
        high=None if high is None else max(mean, number_of(high)),
        interval=interval,
        labels=labels_of(row),
        **more,
    )


def half_width_mark(row: Row, name: str, beside: str, x: float, **more: Any) -> Mark:
    """A value of a table with its half width in the column `beside`; without one where empty."""
    value = number_of(row[name])
    width = row.get(beside)
    known = width is not None
    return Mark(
        x=x,
        y=value,
        low=value - number_of(width) if known else None,
        high=value + number_of(width) if known else None,
        interval=BY_SENSOR if known and row.get("n") in {None, 1} else _over(row) if known else "",
        labels=labels_of(row),
        **more,
    )


def _over(row: Row) -> str:
    return f"95 % over {row['n']} repeats"


def groups_by_point(tables: Tables) -> Mapping[tuple[Any, ...], Row]:
    """Grid points by their settings and their energy, which tells ways of measuring apart."""
    return {point_of(row, row["energy_per_token_j_mean"]): row for row in tables.groups.rows}


def point_of(row: Row, energy_per_token_j: object, **other: object) -> tuple[Any, ...]:
    """What finds the grid point of a row that has its settings, `other` in place of its own."""
    settings = {**row, **other}
    return (*(settings[name] for name in POINT_BY_NAME), energy_per_token_j)
