"""Column: what one number of a table means, how it is had, and how the page shows it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from analysis.energy.uncertain import Uncertain

Cell = str | int | float | bool | None
"""One value of a table; None is an empty cell."""
Row = dict[str, Cell]
"""One line of a table, by column name."""

UNIT_OF_ROW: Final = "as column unit says"
"""Unit of a column whose rows are each of another quantity."""

T = TypeVar("T")
U = TypeVar("U")
T_contra = TypeVar("T_contra", contravariant=True)


@dataclass(frozen=True, kw_only=True)
class Column(Generic[T_contra]):
    """One column of a table whose rows are each about a `T_contra`."""

    name: str
    """Header of the CSV and Parquet files; ends in the unit where there is one."""
    label: str
    """Header of the report's table."""
    unit: str
    """SI unit; empty for text, `1` for counts and ratios."""
    meaning: str
    """Definition with its formula."""
    value: Callable[[T_contra], Cell]
    """The cell of what a row is about."""
    type: str = "number"
    """`number`, `count`, `share`, `text` or `flag`."""
    shown: bool = True
    """False keeps it out of the page: it stands in the files alone."""
    shown_with: str | None = None
    """The page leaves the column out where that column is empty or 0 in every row."""
    plus_minus: str | None = None
    """Column that holds its expanded uncertainty (k = 2); the page writes both in one cell."""
    uncertainty: str | None = None
    """The same where the page leaves it out, as another column beside shows it already."""
    interval: tuple[str, str] | None = None
    """Columns that hold the two ends of its interval, and say which interval it is."""
    reason: str | None = None
    """Column that says why a number is missing."""
    setting: bool = False
    """What was asked for, no result: where no row differs, one line above the table says it."""
    follows: tuple[str, ...] = ()
    """Columns that decide it: it has none of its own where rows with equal ones agree in it."""


def arrow_metadata(column: Column[Any]) -> dict[str, str]:
    """What an Arrow field says of a column: the same keys for each, empty where it has none.

    `unit` and `meaning` are the column's. `uncertainty` is the column beside it that holds its
    expanded uncertainty, `low` and `high` those that hold its interval, `reason` the one that says
    why it is null.
    """
    low, high = column.interval or ("", "")
    return {
        "unit": column.unit,
        "meaning": column.meaning,
        "uncertainty": column.plus_minus or column.uncertainty or "",
        "low": low,
        "high": high,
        "reason": column.reason or "",
    }


class ColumnsOf(Generic[T]):
    """Makes the columns of one table: every one is told the same thing, a `T`."""

    def text(
        self, name: str, label: str, meaning: str, value: Callable[[T], Cell], **more: Any
    ) -> Column[T]:
        """A column of words."""
        return Column(
            name=name, label=label, unit="", meaning=meaning, value=value, type="text", **more
        )

    def count(
        self, name: str, label: str, meaning: str, value: Callable[[T], Cell], **more: Any
    ) -> Column[T]:
        """A column of whole numbers."""
        return Column(
            name=name, label=label, unit="1", meaning=meaning, value=value, type="count", **more
        )

    def flag(
        self, name: str, label: str, meaning: str, value: Callable[[T], Cell], **more: Any
    ) -> Column[T]:
        """A column of yes and no."""
        return Column(
            name=name, label=label, unit="", meaning=meaning, value=value, type="flag", **more
        )

    def number(
        self,
        name: str,
        label: str,
        unit: str,
        meaning: str,
        value: Callable[[T], Cell],
        **more: Any,
    ) -> Column[T]:
        """A column of numbers with a unit."""
        return Column(name=name, label=label, unit=unit, meaning=meaning, value=value, **more)

    def share(
        self, name: str, label: str, meaning: str, value: Callable[[T], Cell], **more: Any
    ) -> Column[T]:
        """A column of ratios that the page writes as per cent."""
        return Column(
            name=name, label=label, unit="1", meaning=meaning, value=value, type="share", **more
        )

    def uncertain(
        self,
        name: str,
        label: str,
        unit: str,
        meaning: str,
        amount: Callable[[T], Uncertain],
        *,
        width: str = "",
        told: bool = True,
        **more: Any,
    ) -> tuple[Column[T], Column[T]]:
        """A number and its uncertainty, side by side.

        Args:
            name: of the number, ending in its unit.
            label: header of the page.
            unit: of both.
            meaning: of the number.
            amount: both, of what a row is about.
            width: what the uncertainty means; empty: by the sensor's timing.
            told: whether the page writes both in one cell.
            more: what else `Column` has of the number.
        """
        stem, _, ending = name.rpartition("_")
        beside = f"{stem}_uncertainty_{ending}"
        said = (
            width or f"Expanded uncertainty of {name} (k = 2, about 95 %) by the sensor's timing."
        )
        return (
            self.number(
                name,
                label,
                unit,
                meaning,
                lambda one: amount(one).value,
                **{"plus_minus" if told else "uncertainty": beside, **more},
            ),
            self.number(beside, "±", unit, said, lambda one: amount(one).plus_minus, shown=False),
        )

    def why(self, name: str, label: str, meaning: str, value: Callable[[T], Cell]) -> Column[T]:
        """Why a number is missing: the page says so where one points at the number's dash."""
        return self.text(name, f"{label}: why not", meaning, value, shown=False)

    def run_id(self, value: Callable[[T], Cell]) -> Column[T]:
        """The run that a row is about."""
        return self.text("run_id", "run", "Slug and digest of the run's spec.", value)

    def simulated(self, value: Callable[[T], Cell]) -> Column[T]:
        """Whether a row is of a simulation."""
        return Column(
            name="simulated",
            label="simulated",
            unit="",
            meaning="True when the GPU is a stated power model driven by work on CPU: no "
            "measurement.",
            value=value,
            type="flag",
            shown_with="simulated",
        )

    def reason(self, value: Callable[[T], Cell]) -> Column[T]:
        """Why a number of a row is missing."""
        return self.text("reason", "why not", "Why a number of this row is missing.", value)

    def told(self, column: Column[U], part: Callable[[T], U]) -> Column[T]:
        """A column of something else, told that part of what a row is about."""
        told: Column[Any] = column
        return replace(told, value=lambda one: column.value(part(one)))

    def carried(self, column: Column[Any], row: Callable[[T], Row]) -> Column[T]:
        """A column of another table, its cell taken from a row of that table."""
        return replace(column, value=lambda one: row(one)[column.name])


# What is the same in one row says nothing.
_SEVERAL: Final = 2


def visible(columns: Sequence[Column[Any]], rows: Sequence[Row]) -> list[Column[Any]]:
    """The columns that the page shows of these rows: the files always have all.

    Words and settings that no row has, what is the same in every row, and what another column says
    already take no column of their own.
    """
    same = {column.name for column in alike(columns, rows)}
    return [
        column
        for column in columns
        if _wanted(column, rows)
        and column.name not in same
        and not _follows(column, rows)
        and (
            not (column.setting or column.type == "text")
            or any(row.get(column.name) is not None for row in rows)
        )
    ]


def alike(columns: Sequence[Column[Any]], rows: Sequence[Row]) -> list[Column[Any]]:
    """What is the same in all of several rows, if no result; never the first column.

    Of a single row it is the settings.
    """
    several = len(rows) >= _SEVERAL
    return [
        column
        for column in columns[1:]
        if _wanted(column, rows)
        and (column.setting or (several and column.type in ("text", "count", "flag")))
        and len({row.get(column.name) for row in rows}) == 1
        and rows[0].get(column.name) is not None
    ]


def differing(columns: Sequence[Column[Any]], rows: Sequence[Row]) -> list[Column[Any]]:
    """The columns in which these rows are not all the same and that no other of them decides."""
    return [
        column
        for column in columns
        if len({row.get(column.name) for row in rows}) > 1 and not _follows(column, rows)
    ]


def _follows(column: Column[Any], rows: Sequence[Row]) -> bool:
    """Whether rows that agree in what decides the column agree in it too."""
    if not column.follows or len(rows) < _SEVERAL:
        return False
    deciding = {tuple(row.get(name) for name in column.follows) for row in rows}
    with_own = {tuple(row.get(name) for name in (*column.follows, column.name)) for row in rows}
    return len(deciding) == len(with_own) > 1


def _wanted(column: Column[Any], rows: Sequence[Row]) -> bool:
    told = column.shown_with is None or any(row.get(column.shown_with) for row in rows)
    return column.shown and told
