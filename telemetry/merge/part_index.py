"""Part index: what a part holds, found before its rows are read.

A Parquet part's chunks are its row groups, found by its footer alone. The stream of a dead writer
is looked through once, batch by batch, and cut into stretches as long as a row group. So a merge
holds few rows of a part at a time whichever form it has.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from telemetry.merge.alignment import Clocks
from telemetry.merge.chunks import SORT_KEYS, UNREADABLE, Chunk
from telemetry.record.parquet_file import open_parquet
from telemetry.record.schema import schema_of
from telemetry.shards.reader import StreamReader
from telemetry.shards.writer import ROW_GROUP_ROWS, Part, shard_metadata


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a part holds, found without keeping its rows."""

    part: Part
    """The file that was looked through."""
    rows: int
    """Rows of all its chunks."""
    chunks: tuple[Chunk, ...]
    """Its rows as stretches that are read one by one, in the file's order."""
    metadata: dict[str, Any] | None
    """The writer's metadata; None when it cannot be read."""
    damage: str | None
    """What is lost and why; None when nothing is."""

    def without(self, chunk: Chunk, damage: str) -> "Survey":
        """The same part with one chunk found unreadable."""
        known = self.damage.split("; ") if self.damage else []
        # The pieces of one chunk are damaged alike.
        told = known if damage in known else [*known, damage]
        return replace(self, rows=self.rows - chunk.rows, damage="; ".join(told))


def survey_part(kind: str, part: Part, clocks: Clocks) -> Survey:
    """What `part` of table `kind` holds; damage is named, never raised."""
    try:
        if part.closed:
            return _survey_parquet(kind, part, clocks)
        return _survey_stream(kind, part, clocks)
    except UNREADABLE as error:
        # Arrow's messages name the file by its path on this machine; the manifest has its own.
        damage = str(error).replace(str(part.path), part.path.name)
        return Survey(part=part, rows=0, chunks=(), metadata=None, damage=damage)


def _survey_parquet(kind: str, part: Part, clocks: Clocks) -> Survey:
    with open_parquet(part.path) as source:
        schema, footer = source.schema, source.footer
        metadata = _metadata(kind, schema)
        known = _require_schema(kind, schema)
        column = schema.get_field_index(SORT_KEYS[kind][0])
        chunks = []
        for index in range(footer.num_row_groups):
            group = footer.row_group(index)
            statistics = group.column(column).statistics
            if group.num_rows == 0:
                continue
            if statistics is None or not statistics.has_min_max:
                raise ValueError(f"row group {index} must have statistics, but has none")
            first_key = int(statistics.min)
            hosts = _hosts_of_group(schema, group)
            chunks.append(
                Chunk(
                    kind=kind,
                    schema=known,
                    part=part,
                    index=index,
                    rows=group.num_rows,
                    first_key=first_key,
                    last_key=int(statistics.max),
                    hosts=hosts,
                    earliest=_earliest(schema, first_key, hosts, clocks),
                )
            )
    return Survey(
        part=part, rows=footer.num_rows, chunks=tuple(chunks), metadata=metadata, damage=None
    )


def _survey_stream(kind: str, part: Part, clocks: Clocks) -> Survey:
    with StreamReader(part.path) as reader:
        metadata = _metadata(kind, reader.schema)
        known = _require_schema(kind, reader.schema)
        chunks = []
        for index, stretch in enumerate(_stretches(reader)):
            batches = [batch for _, batch in stretch]
            table = pa.Table.from_batches(batches, schema=reader.schema)
            key = table[SORT_KEYS[kind][0]]
            first_key = pc.min(key).as_py()
            hosts = None
            if "host" in table.column_names:
                hosts = tuple(pc.unique(table["host"]).to_pylist())
            chunks.append(
                Chunk(
                    kind=kind,
                    schema=known,
                    part=part,
                    index=index,
                    rows=table.num_rows,
                    first_key=first_key,
                    last_key=pc.max(key).as_py(),
                    hosts=hosts,
                    earliest=_earliest(reader.schema, first_key, hosts, clocks),
                    start_byte=stretch[0][0],
                    batches=len(batches),
                )
            )
    rows = sum(chunk.rows for chunk in chunks)
    return Survey(
        part=part, rows=rows, chunks=tuple(chunks), metadata=metadata, damage=reader.damage
    )


def _stretches(reader: StreamReader) -> Iterator[list[tuple[int, pa.RecordBatch]]]:
    """The stream's batches with where they start, about a row group's worth at a time."""
    stretch: list[tuple[int, pa.RecordBatch]] = []
    rows = 0
    for start_byte, batch in reader.batches():
        stretch.append((start_byte, batch))
        rows += batch.num_rows
        if rows >= ROW_GROUP_ROWS:
            yield stretch
            stretch, rows = [], 0
    if rows:
        yield stretch


def _hosts_of_group(schema: pa.Schema, group: pq.RowGroupMetaData) -> tuple[str, ...] | None:
    """The one host of a row group; None when there may be several, or none is named."""
    column = schema.get_field_index("host")
    if column < 0:
        return None
    statistics = group.column(column).statistics
    if statistics is None or not statistics.has_min_max or statistics.min != statistics.max:
        return None
    return (statistics.min,)


def _earliest(
    schema: pa.Schema, first_key: int, hosts: tuple[str, ...] | None, clocks: Clocks
) -> int:
    """The least first key on the reference host's clock; what has no host has no clock."""
    if "host" not in schema.names:
        return first_key
    return clocks.earliest_us(first_key, hosts)


def _metadata(kind: str, schema: pa.Schema) -> dict[str, Any]:
    """What a part's writer says of itself, with what the merge of samples goes by."""
    metadata = shard_metadata(schema)
    if kind == "samples":
        host, periods_us = metadata.get("host"), metadata.get("periods_us")
        if not isinstance(host, str):
            raise ValueError(f"`host` must be a name, but is {host!r} instead")
        if not isinstance(periods_us, dict) or not all(
            isinstance(period_us, int) for period_us in periods_us.values()
        ):
            raise ValueError(f"`periods_us` must be whole numbers, but is {periods_us!r} instead")
    return metadata


def _require_schema(kind: str, schema: pa.Schema) -> pa.Schema:
    """The table's schema that a part has, today's or an older one."""
    known = schema_of(kind, schema)
    if known is None:
        raise ValueError(f"columns must be those of `{kind}`, but are {schema.names} instead")
    return known
