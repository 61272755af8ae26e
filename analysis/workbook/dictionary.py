"""Dictionary: what each column of each table means, as a table for whoever reads the CSV files."""

import csv
import io
from typing import Final

from analysis.tables.column import arrow_metadata
from analysis.tables.table import Tables

DICTIONARY: Final = "columns.csv"
"""Its file, beside those of the tables."""
_KEYS: Final = ("unit", "uncertainty", "low", "high", "reason", "meaning")


def dictionary(tables: Tables) -> bytes:
    """One row a column: its table, name and type, and what its Arrow field says of it, as CSV."""
    sink = io.StringIO(newline="")
    writer = csv.writer(sink)
    writer.writerow(["table", "column", "type", *_KEYS])
    for table in tables.all():
        for column in table.columns:
            told = arrow_metadata(column)
            writer.writerow([table.name, column.name, column.type, *(told[key] for key in _KEYS)])
    return sink.getvalue().encode()
