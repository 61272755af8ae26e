"""Chunk: a stretch of a part that is read at once, with the first key it holds.

A Parquet part's chunks are its row groups, found by its footer alone and read one by one, so that
a merge holds few of them at a time. The stream of a dead writer is one chunk: it is at most a part
long.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from telemetry.schema import TABLES
from telemetry.shards import Part, read_stream, shard_metadata

SORT_KEYS: Final = {
    "samples": ("t_us", "host", "device", "field"),
    "spans": ("t_start_us", "t_end_us", "host", "rank", "batch", "phase"),
    "responses": ("batch", "row", "prompt"),
}
"""Columns by which each table is sorted, the first of them a whole number."""

UNREADABLE: Final = (pa.ArrowException, ValueError, OSError)
"""What Arrow raises on a file that is not what it should be."""

# Few values, repeated in every row: a dictionary keeps a chunk at 40 bytes a row.
_WORDS: Final = ("host", "device", "field")


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some neighbouring rows of one part."""

    kind: str
    part: Part
    index: int
    """Row group of a Parquet part; 0 for a stream."""
    rows: int
    first_key: int
    """Least value of the table's first sort key."""

    def read(self) -> pa.Table:
        """The rows, words dictionary-encoded.

        Raises:
            ValueError: the file does not hold what its footer promised.
            OSError: it cannot be read.
        """
        if self.part.closed:
            words = [name for name in _WORDS if self.kind == "samples"]
            with pq.ParquetFile(self.part.path, read_dictionary=words) as source:
                table = source.read_row_group(self.index)
            table.validate(full=True)
        else:
            table = read_stream(self.part.path).table
        key = SORT_KEYS[self.kind][0]
        if table.num_rows != self.rows or pc.min(table[key]).as_py() != self.first_key:
            raise ValueError(f"rows must be those of the footer, but are {table.num_rows} others")
        return _encode(table, self.kind)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a part holds, found without keeping its rows."""

    part: Part
    rows: int
    chunks: tuple[Chunk, ...]
    metadata: dict[str, Any] | None
    """The writer's metadata; None when it cannot be read."""
    damage: str | None
    """What is lost and why; None when nothing is."""

    def without(self, chunk: Chunk, damage: str) -> "Survey":
        """The same part with one chunk found unreadable."""
        return replace(self, rows=self.rows - chunk.rows, damage=damage)


def survey_part(kind: str, part: Part) -> Survey:
    """What `part` of table `kind` holds; damage is named, never raised."""
    try:
        if part.closed:
            return _survey_parquet(kind, part)
        return _survey_stream(kind, part)
    except UNREADABLE as error:
        # Arrow's messages name the file by its path on this machine; the manifest has its own.
        damage = str(error).replace(str(part.path), part.path.name)
        return Survey(part=part, rows=0, chunks=(), metadata=None, damage=damage)


def _survey_parquet(kind: str, part: Part) -> Survey:
    with pq.ParquetFile(part.path) as source:
        schema = source.schema_arrow
        metadata = shard_metadata(schema)
        _require_schema(kind, schema)
        footer = source.metadata
        column = schema.get_field_index(SORT_KEYS[kind][0])
        chunks = []
        for index in range(footer.num_row_groups):
            group = footer.row_group(index)
            statistics = group.column(column).statistics
            if group.num_rows == 0:
                continue
            if statistics is None or not statistics.has_min_max:
                raise ValueError(f"row group {index} must have statistics, but has none")
            chunks.append(
                Chunk(
                    kind=kind,
                    part=part,
                    index=index,
                    rows=group.num_rows,
                    first_key=int(statistics.min),
                )
            )
    return Survey(
        part=part, rows=footer.num_rows, chunks=tuple(chunks), metadata=metadata, damage=None
    )


def _survey_stream(kind: str, part: Part) -> Survey:
    salvage = read_stream(part.path)
    table = salvage.table
    metadata = shard_metadata(table.schema)
    _require_schema(kind, table.schema)
    chunks: tuple[Chunk, ...] = ()
    if rows := table.num_rows:
        first_key = pc.min(table[SORT_KEYS[kind][0]]).as_py()
        chunks = (Chunk(kind=kind, part=part, index=0, rows=rows, first_key=first_key),)
    return Survey(part=part, rows=rows, chunks=chunks, metadata=metadata, damage=salvage.damage)


def _require_schema(kind: str, schema: pa.Schema) -> None:
    if not schema.remove_metadata().equals(TABLES[kind]):
        raise ValueError(f"columns must be those of `{kind}`, but are {schema.names} instead")


def _encode(table: pa.Table, kind: str) -> pa.Table:
    """The rows under one schema whichever file they come from: words encoded, no metadata."""
    fields = []
    columns = []
    for field in TABLES[kind]:
        column = table[field.name]
        if kind == "samples" and field.name in _WORDS:
            if not pa.types.is_dictionary(column.type):
                column = column.dictionary_encode()
            fields.append(field.with_type(column.type))
        else:
            fields.append(field)
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))
