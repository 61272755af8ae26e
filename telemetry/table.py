"""TableFile: a merged table on its way to disk."""

import os
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from telemetry.shards import ROW_GROUP_ROWS


class TableFile:
    """A table being written: in place only when whole, its row groups full however blocks come."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._schema = schema
        self._rest: pa.Table = schema.empty_table()

    def __enter__(self) -> Self:
        self._writer = pq.ParquetWriter(self._temporary, self._schema, compression="zstd")
        return self

    def write(self, block: pa.Table) -> None:
        """Append rows."""
        start = 0
        if self._rest.num_rows:
            start = min(ROW_GROUP_ROWS - self._rest.num_rows, block.num_rows)
            self._rest = pa.concat_tables([self._rest, self._plain(block.slice(0, start))])
            if self._rest.num_rows < ROW_GROUP_ROWS:
                return
            self._writer.write_table(self._rest, row_group_size=ROW_GROUP_ROWS)
        while block.num_rows - start >= ROW_GROUP_ROWS:
            group = self._plain(block.slice(start, ROW_GROUP_ROWS))
            self._writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
            start += ROW_GROUP_ROWS
        self._rest = self._plain(block.slice(start))

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None and self._rest.num_rows:
                self._writer.write_table(self._rest, row_group_size=ROW_GROUP_ROWS)
            self._writer.close()
            if kind is None:
                self._temporary.replace(self._path)
        finally:
            self._temporary.unlink(missing_ok=True)

    def _plain(self, rows: pa.Table) -> pa.Table:
        """The rows as the table's schema has them: words spelt out, metadata and all."""
        return rows.cast(self._schema)
