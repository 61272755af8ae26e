"""Write: tables as CSV and Parquet, with what their columns mean."""

import io
from pathlib import Path

import pyarrow.parquet as pq

from analysis.tables.file_metadata import with_pandas_attrs
from analysis.tables.table import Tables
from analysis.workbook.dictionary import DICTIONARY, dictionary
from telemetry.record.files import write_bytes


def write_tables(tables: Tables, folder: Path) -> list[Path]:
    """Write every table as `<name>.csv` and `<name>.parquet`, and what their columns mean.

    Equal tables give equal bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in tables.all():
        path = folder / f"{table.name}.csv"
        write_bytes(path, table.to_csv())
        sink = io.BytesIO()
        pq.write_table(with_pandas_attrs(table.to_arrow()), sink, compression="zstd")
        write_bytes(path.with_suffix(".parquet"), sink.getvalue())
        written += [path, path.with_suffix(".parquet")]
    path = folder / DICTIONARY
    write_bytes(path, dictionary(tables))
    return [*written, path]
