"""Table: a kind of table, and its rows once they are made."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as field_of
from typing import Any, Final, Generic, TypeVar

import pyarrow as pa

from analysis.energy.power_trace import PowerTrace
from analysis.runs.sealed_runs import NotCounted, Run
from analysis.tables.column import Cell, Column, Row, arrow_metadata
from analysis.tables.measured import Measured
from telemetry.record.schema import METADATA_KEY
from telemetry.terminal import printable

T = TypeVar("T")

# A spreadsheet cuts a longer cell (Microsoft, Excel specifications), other readers refuse it.
_MOST_CHARS: Final = 32_767
_FIRST_AND_LAST: Final = 2
# What a spreadsheet takes a cell's words for a formula by; tabs and returns are escaped already.
_FORMULAS: Final = ("=", "+", "-", "@")
_ARROW: Final = {
    "number": pa.float64(),
    "share": pa.float64(),
    "count": pa.int64(),
    "flag": pa.bool_(),
    "text": pa.string(),
}


@dataclass(frozen=True, kw_only=True)
class TableKind(Generic[T]):
    """What a table is: its columns, what its rows are about, and its place on the page.

    A row is about one `T`: each column's `value` is called with it.
    """

    name: str
    """File name without its ending."""
    title: str
    """Heading where the table stands by itself."""
    columns: tuple[Column[T], ...]
    """What each column means and how it is had, in the order of the file."""
    more_columns: Callable[[Sequence[T]], Sequence[Column[T]]] | None = None
    """Columns that depend on what was run, behind the others; None: there are none."""
    of_run: Callable[[Measured], Iterable[T]] | None = None
    """What one run's rows are about; None for a table of all runs together."""
    pool: Callable[[Sequence[Row]], Sequence[Row]] | None = None
    """What becomes of all runs' rows; None: they stand one below another."""
    of_results: Callable[["Results"], Iterable[T]] | None = None
    """What the rows are about, from all runs and the tables before; None for a table of runs."""
    section: str = ""
    """Id of the page's section that it stands in; empty: one of its own."""
    heading: str = ""
    """Heading within the section; empty: none."""
    text: str = ""
    """Sentence above the table; empty: none."""
    label: str = ""
    """What a screen reader calls the table; empty: its title."""
    page_rows_a_run: int | None = None
    """Rows of one run that the page carries at most, its files having all; None: all of them."""

    def __post_init__(self) -> None:
        if (self.of_run is None) == (self.of_results is None):
            raise ValueError(
                "`of_run` or `of_results` must be given, and not both, "
                f"but they are {self.of_run!r} and {self.of_results!r} instead"
            )
        # Its first and its last row are among those that are chosen.
        if self.page_rows_a_run is not None and self.page_rows_a_run < _FIRST_AND_LAST:
            raise ValueError(
                f"`page_rows_a_run` must be {_FIRST_AND_LAST} or more, "
                f"but is {self.page_rows_a_run} instead"
            )

    def rows(self, subjects: Iterable[T]) -> list[Row]:
        """A row for each subject, without the columns that depend on what was run."""
        return [
            {one.name: _cell(one.value(subject)) for one in self.columns} for subject in subjects
        ]

    def table(self, subjects: Iterable[T]) -> "Table":
        """The table of these subjects, with the columns that depend on them."""
        told = list(subjects)
        more = () if self.more_columns is None else tuple(self.more_columns(told))
        columns = (*self.columns, *more)
        rows = tuple({one.name: _cell(one.value(subject)) for one in columns} for subject in told)
        return Table(kind=self, columns=columns, rows=rows)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under defined columns."""

    kind: TableKind[Any]
    """What the table is, and where it stands on the page."""
    columns: tuple[Column[Any], ...]
    """What each column means, in the order of the file."""
    rows: tuple[Row, ...]
    """Values by column name; None or a missing name is an empty cell."""
    about: Mapping[str, Any] = field_of(default_factory=dict)
    """What a reader of the file has to know of the runs in it, as JSON; empty: nobody said."""

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(names) > len(set(names)):
            raise ValueError(f"`columns` of {self.name} must have each name once, but are {names}")
        for column in self.columns:
            for other in (
                *(column.shown_with, column.plus_minus, column.uncertainty, column.reason),
                *(column.interval or ()),
            ):
                if other is not None and other not in names:
                    raise ValueError(
                        f"`{column.name}` of {self.name} must name columns beside it, "
                        f"but names {other!r} instead"
                    )

    @property
    def name(self) -> str:
        """File name without its ending."""
        return self.kind.name

    def to_csv(self) -> bytes:
        """The table as CSV (RFC 4180); null is an empty cell, numbers keep all digits."""
        sink = io.StringIO(newline="")
        writer = csv.writer(sink)
        writer.writerow([column.name for column in self.columns])
        for row in self.rows:
            writer.writerow([_csv_cell(row.get(column.name)) for column in self.columns])
        return sink.getvalue().encode()

    def to_arrow(self) -> pa.Table:
        """The table as Arrow: what each column means and what it is about in its metadata."""
        fields = [
            pa.field(
                column.name,
                _ARROW[column.type],
                metadata=arrow_metadata(column),
            )
            for column in self.columns
        ]
        columns = {
            column.name: [row.get(column.name) for row in self.rows] for column in self.columns
        }
        return pa.Table.from_pydict(
            columns,
            schema=pa.schema(
                fields, metadata={METADATA_KEY: json.dumps(self.about, sort_keys=True)}
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Results:
    """What tables of all runs are made from."""

    runs: tuple[Run, ...]
    """Every run that counts, in the order of the tables."""
    not_counted: tuple[NotCounted, ...]
    """Every attempt that was not sealed, and every run that could not be read."""
    made: Mapping[str, Table]
    """Tables that are made already, by name: those of single runs, and those registered before."""

    def rows(self, kind: TableKind[Any]) -> tuple[Row, ...]:
        """The rows of a table that is made already."""
        return self.made[kind.name].rows


@dataclass(frozen=True, kw_only=True)
class Tables:
    """All tables of a results folder; `tables.runs` is the one that is named so."""

    by_name: Mapping[str, Table]
    """Every table, in the report's order."""
    notes: tuple[tuple[str, str], ...]
    """(run, sentence) of what a reader of its energies has to know."""
    others: tuple[NotCounted, ...] = ()
    """What is in no number but `not_counted`'s, as its rows are."""
    traces: Mapping[str, PowerTrace] = field_of(default_factory=dict)
    """Power over time of each run that counts, by its name."""

    def __getattr__(self, name: str) -> Table:
        # Asked for before `by_name` is there, as `copy` does, it would look for itself for ever.
        if name == "by_name" or name not in self.by_name:
            raise AttributeError(f"there is no table {name!r}")
        return self.by_name[name]

    def all(self) -> tuple[Table, ...]:
        """Every table, in the report's order."""
        return tuple(self.by_name.values())


def _cell(value: Cell) -> Cell:
    """Words of the record reach no file and no page but as they can be seen there."""
    return printable(value)[:_MOST_CHARS] if isinstance(value, str) else value


def _csv_cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    # A spreadsheet would compute what begins so (OWASP, CSV injection): it is words, and says so.
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULAS) else text
