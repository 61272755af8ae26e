"""Frame: rows for people's own tools, with what each column means."""

import importlib
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from analysis.tables.file_metadata import field_metadata, pandas_attrs, table_metadata
from telemetry.nearest import one_of, told_count

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


@dataclass(frozen=True, kw_only=True)
class FrameColumn:
    """What one column of a frame is."""

    name: str
    """Its name in every form of the frame."""
    type: str
    """Its Arrow type."""
    unit: str
    """SI unit; empty for text and flags, `1` for counts and ratios."""
    meaning: str
    """Definition, with its formula where it has one."""
    uncertainty: str | None
    """Column that holds its expanded uncertainty (k = 2); None: it has none."""
    interval: tuple[str, str] | None
    """Columns that hold the ends of its interval, and say which it is; None: it has none."""
    reason: str | None
    """Column that says why it is null; None: it has none."""

    @property
    def line(self) -> str:
        """The column in one line: name, unit, what stands beside it, meaning."""
        beside = f" ± {self.uncertainty}" if self.uncertainty else ""
        unit = f" [{self.unit}]" if self.unit else ""
        return f"{self.name}{unit}{beside}: {self.meaning}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """A table or a trace: Arrow within, pandas and polars where they are installed."""

    name: str
    """Which table it is."""
    content: pa.Table
    """The rows, as `to_arrow` gives them."""

    def to_arrow(self) -> pa.Table:
        """The rows as Arrow: unit, meaning, uncertainty and reason in each field's metadata.

        The table's own metadata have `metadata` as JSON under `joulegrid`. Parquet keeps both.
        """
        return self.content

    def to_pandas(self) -> "pd.DataFrame":
        """The rows as a pandas DataFrame; `.attrs` has `metadata`, and `columns` by name.

        Whole numbers and flags are pandas' nullable `Int64`, `Int32` and `boolean`, so that a null
        makes no real number of them.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        pandas: Any = _library("pandas")
        types = {
            pa.int64(): pandas.Int64Dtype(),
            pa.int32(): pandas.Int32Dtype(),
            pa.bool_(): pandas.BooleanDtype(),
        }
        bare = self.content.replace_schema_metadata(None)
        frame: pd.DataFrame = bare.to_pandas(types_mapper=types.get)
        frame.attrs = pandas_attrs(self.content.schema)
        return frame

    def to_polars(self) -> "pl.DataFrame":
        """The rows as a polars DataFrame, which has no place for what a column means.

        `columns` and `describe` of this frame keep saying it.

        Raises:
            ModuleNotFoundError: polars is not installed.
        """
        polars: Any = _library("polars")
        frame: pl.DataFrame = polars.from_arrow(self.content)
        return frame

    @property
    def metadata(self) -> dict[str, Any]:
        """What the rows are of: schema and project version, labels and seals of the runs."""
        return table_metadata(self.content.schema)

    @property
    def columns(self) -> tuple[FrameColumn, ...]:
        """Every column, in order, with unit and meaning."""
        return tuple(_column(field, field_metadata(field)) for field in self.content.schema)

    def column(self, name: str) -> FrameColumn:
        """What one column is.

        Raises:
            ValueError: there is none of that name.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise ValueError(
            one_of(
                "name",
                self.content.column_names,
                name,
                things=f"columns of {self.name}",
                ask="describe()",
            )
        )

    def describe(self, width: int = 80) -> str:
        """Every column: name, unit, ± and meaning, in lines of `width` characters."""
        return "\n".join(
            textwrap.fill(
                column.line,
                width,
                subsequent_indent="    ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            for column in self.columns
        )

    def __len__(self) -> int:
        return int(self.content.num_rows)

    def __repr__(self) -> str:
        columns = told_count(self.content.num_columns, "column")
        return f"<{self.name}: {told_count(len(self), 'row')}, {columns}>"


def _column(field: pa.Field, told: dict[str, str]) -> FrameColumn:
    low, high = told.get("low", ""), told.get("high", "")
    return FrameColumn(
        name=field.name,
        type=str(field.type),
        unit=told.get("unit", ""),
        meaning=told.get("meaning", ""),
        uncertainty=told.get("uncertainty") or None,
        interval=(low, high) if low and high else None,
        reason=told.get("reason") or None,
    )


def _library(name: str) -> object:
    """A library that this project does not need itself."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != name:
            raise
        raise ModuleNotFoundError(
            f"the package {name} must be installed, but is not; pip install {name} brings it",
            name=name,
        ) from None
