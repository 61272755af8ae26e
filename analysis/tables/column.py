"""Column: what one number of a table means, and how the page shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Row = Mapping[str, str | int | float | bool | None]
"""One line of a table, by column name."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table."""

    name: str
    """Header of the CSV and Parquet files; ends in the unit where there is one."""
    label: str
    """Header of the report's table."""
    unit: str
    """SI unit; empty for text, `1` for counts and ratios."""
    meaning: str
    """Definition with its formula."""
    type: str = "number"
    """`number`, `count`, `share`, `text` or `flag`."""
    shown: bool = True
    """False keeps it out of the page: it stands in the files alone."""
    shown_with: str | None = None
    """The page leaves the column out where that column is empty or 0 in every row."""
    plus_minus: str | None = None
    """Column that holds its expanded uncertainty (k = 2); the page writes both in one cell."""
    reason: str | None = None
    """Column that says why a number is missing."""


def text(
    name: str, label: str, meaning: str, *, shown: bool = True, shown_with: str | None = None
) -> Column:
    """A column of words."""
    return Column(
        name=name,
        label=label,
        unit="",
        meaning=meaning,
        type="text",
        shown=shown,
        shown_with=shown_with,
    )


def count(
    name: str, label: str, meaning: str, *, shown: bool = True, shown_with: str | None = None
) -> Column:
    """A column of whole numbers."""
    return Column(
        name=name,
        label=label,
        unit="1",
        meaning=meaning,
        type="count",
        shown=shown,
        shown_with=shown_with,
    )


def number(name: str, label: str, unit: str, meaning: str, **more: Any) -> Column:
    """A column of numbers with a unit."""
    return Column(name=name, label=label, unit=unit, meaning=meaning, **more)


def width(of: str, meaning: str = "") -> Column:
    """The uncertainty of another column; the page shows it in that column's cell."""
    stem, _, unit = of.rpartition("_")
    name = f"{stem}_uncertainty_{unit}"
    said = meaning or f"Expanded uncertainty of {of} (k = 2, about 95 %) by the sensor's timing."
    return number(name, "±", unit.upper(), said, shown=False)


def share(name: str, label: str, meaning: str, **more: Any) -> Column:
    """A column of ratios that the page writes as per cent."""
    return Column(name=name, label=label, unit="1", meaning=meaning, type="share", **more)


# What is the same in one row says nothing.
_SEVERAL: Final = 2

RUN_ID: Final = text("run_id", "run", "Slug and digest of the run's spec.")
SIMULATED: Final = Column(
    name="simulated",
    label="simulated",
    unit="",
    meaning="True when the GPU is a stated power model driven by work on CPU: no measurement.",
    type="flag",
    shown_with="simulated",
)
REASON: Final = text("reason", "why not", "Why a number of this row is missing.")


def visible(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    """The columns that the page shows of these rows: the files always have all.

    Words that no row has and what is the same in every row take no column of their own.
    """
    same = {column.name for column in alike(columns, rows)}
    return [
        column
        for column in columns
        if _wanted(column, rows)
        and column.name not in same
        and (column.type != "text" or any(row.get(column.name) is not None for row in rows))
    ]


def alike(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    """Words and whole numbers that are the same in all of several rows; never the first column."""
    if len(rows) < _SEVERAL:
        return []
    first = rows[0]
    return [
        column
        for column in columns[1:]
        if _wanted(column, rows)
        and column.type in ("text", "count", "flag")
        and first.get(column.name) is not None
        and all(row.get(column.name) == first[column.name] for row in rows)
    ]


def _wanted(column: Column, rows: Sequence[Row]) -> bool:
    told = column.shown_with is None or any(row.get(column.shown_with) for row in rows)
    return column.shown and told
