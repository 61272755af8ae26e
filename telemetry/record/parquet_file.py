"""Parquet file: a table that anybody may have written, decoded a row group at a time within limits.

What the footer says is held to the limits before a page is looked at, what the pages' own headers
say before one is unpacked, and what texts weigh before they stand in every row that has them.
"""

import os
import struct
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from telemetry.record.limits import (
    COLUMNS,
    FILE_BYTES,
    FOOTER_BYTES,
    FOOTER_ENTRIES,
    GROUP_BYTES,
    GROUP_ROWS,
    GROUP_VALUES,
    TABLE_BYTES,
    Limit,
    require_rows,
)
from telemetry.record.parquet_pages import ColumnPages, ReadAt, unpacked_bytes
from telemetry.record.plain_file import plain_file

Source: TypeAlias = "Path | pa.Buffer"
"""A file by its path, or its bytes."""

# Its length in four bytes, then PAR1: a Parquet file's last bytes.
_TAIL: Final = struct.Struct("<I4s")
_MAGIC: Final = b"PAR1"
# The widest number of a column; a text is counted by its own bytes beside.
_VALUE_BYTES: Final = 8


class BoundedParquet:
    """One open file; `open_parquet` makes it.

    Args:
        source: the file as Arrow reads it.
        read_at: its bytes from an offset on.
        size: its bytes.
        where: its name, as a message is to have it.
        words: columns of texts that are wanted as codes of a dictionary.

    Raises:
        ValueError: it is no Parquet file, or beyond a limit.
    """

    def __init__(
        self, source: Any, *, read_at: ReadAt, size: int, where: str, words: Sequence[str]
    ) -> None:
        self._read_at = read_at
        self._where = where
        self._size = size
        self._words = frozenset(words)
        _require_footer(read_at, size, where)
        most: dict[str, Any] = {
            "thrift_string_size_limit": FOOTER_BYTES.most,
            "thrift_container_size_limit": FOOTER_ENTRIES.most,
        }
        first = pq.ParquetFile(source, **most)
        self.footer: pq.FileMetaData = first.metadata
        """Row groups, their rows and statistics."""
        COLUMNS.require(self.footer.num_columns, where)
        require_rows(self.footer.num_rows, size, where)
        self.schema: pa.Schema = first.schema_arrow
        """Columns, with what the writer said of them; texts are texts, not codes."""
        for field in self.schema:
            if not _is_bounded(field.type):
                raise ValueError(
                    f"`{field.name}` of {where} must be of numbers, texts or lists of numbers, "
                    f"but is of {field.type} instead"
                )
        # A dictionary is as large as its page, the texts of all rows are as large as they like.
        self._coded = [field.name for field in self.schema if _is_text(field.type)]
        self._file = pq.ParquetFile(
            source, metadata=first.metadata, read_dictionary=self._coded, **most
        )

    @property
    def num_rows(self) -> int:
        """How many rows it has."""
        return int(self.footer.num_rows)

    def group(
        self, index: int, columns: Sequence[str] | None = None, *, use_threads: bool = True
    ) -> pa.Table:
        """One row group, all columns or some; those of `words` as codes.

        Raises:
            ValueError: it is not what the footer says, or beyond a limit.
            OSError: it cannot be read.
        """
        group = self.footer.row_group(index)
        where = f"row group {index} of {self._where}"
        GROUP_ROWS.require(group.num_rows, where)
        if group.num_rows == 0:
            # Its columns have no page of data, and no place where one begins.
            return self._empty(columns)
        self._require_pages(group, where, columns)
        table = self._file.read_row_group(index, columns=columns, use_threads=use_threads)
        table.validate(full=True)
        if table.num_rows != group.num_rows:
            raise ValueError(
                f"{where} must have {group.num_rows} rows, but has {table.num_rows} instead"
            )
        return self._spelt(table, where)

    def groups(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Every row group, one at a time; raises what `group` does."""
        for index in range(self.footer.num_row_groups):
            yield self.group(index, columns)

    def read(
        self,
        columns: Sequence[str] | None = None,
        keep: Callable[[pa.Table], pa.Array] | None = None,
    ) -> pa.Table:
        """All rows, or those for which `keep` is true; raises what `group` does.

        Codes are of one dictionary for all rows.
        """
        found = []
        held = 0
        for table in self.groups(columns):
            kept = table if keep is None else table.filter(keep(table))
            held += kept.nbytes
            TABLE_BYTES.require(held, self._where)
            found.append(kept)
        if not found:
            return self._empty(columns)
        return pa.concat_tables(found).unify_dictionaries()

    def _empty(self, columns: Sequence[str] | None) -> pa.Table:
        wanted = self.schema.names if columns is None else columns
        fields = [self.schema.field(name) for name in wanted]
        schema = pa.schema(
            [
                field.with_type(pa.dictionary(pa.int32(), field.type))
                if field.name in self._words and _is_text(field.type)
                else field
                for field in fields
            ],
            metadata=self.schema.metadata,
        )
        return schema.empty_table()

    def _require_pages(
        self, group: pq.RowGroupMetaData, where: str, columns: Sequence[str] | None
    ) -> None:
        total = decoded = 0
        for number in range(group.num_columns):
            column = group.column(number)
            if columns is not None and column.path_in_schema.partition(".")[0] not in columns:
                continue
            chunk = self._chunk(column, where)
            total += unpacked_bytes(chunk, self._read_at)
            decoded += _VALUE_BYTES * chunk.values
        GROUP_BYTES.require(max(total, decoded), where)

    def _chunk(self, column: pq.ColumnChunkMetaData, where: str) -> ColumnPages:
        start, values = column.data_page_offset, column.num_values
        before = column.dictionary_page_offset
        if before is not None and 0 < before < start:
            start = before
        name = f"{column.path_in_schema} in {where}"
        GROUP_VALUES.require(values, name)
        length = column.total_compressed_size
        if min(start, length, values) < 0 or start + length > self._size:
            raise ValueError(
                f"{name} must lie in the file's {self._size} bytes, "
                f"but is of bytes {start} to {start + length} instead"
            )
        return ColumnPages(name=name, start=start, length=length, values=values)

    def _spelt(self, table: pa.Table, where: str) -> pa.Table:
        """The texts that are not wanted as codes, written out."""
        names = [name for name in self._coded if name not in self._words]
        return spelt(table, names, self.schema, GROUP_BYTES, f"the texts of {where}")


@contextmanager
def open_parquet(
    source: Source, *, words: Sequence[str] = (), named: str = "the table"
) -> Iterator[BoundedParquet]:
    """A Parquet file, its footer within limits; `words` are texts that are wanted as codes.

    `named` is what a message calls bytes that were read already; a file has its own name.

    Raises:
        ValueError: it is no plain file, no Parquet file, or beyond a limit; the message names it.
        OSError: it cannot be read.
    """
    if isinstance(source, pa.Buffer):
        held = memoryview(source)
        yield BoundedParquet(
            pa.BufferReader(source),
            read_at=lambda place, count: bytes(held[place : place + count]),
            size=len(held),
            where=named,
            words=words,
        )
        return
    with plain_file(source) as number, os.fdopen(os.dup(number), "rb") as stream:
        size = os.fstat(number).st_size
        FILE_BYTES.require(size, str(source))
        yield BoundedParquet(
            stream,
            read_at=lambda place, count: os.pread(number, count, place),
            size=size,
            where=source.name,
            words=words,
        )


def read_parquet(
    source: Source,
    columns: Sequence[str] | None = None,
    *,
    words: Sequence[str] = (),
    keep: Callable[[pa.Table], pa.Array] | None = None,
) -> pa.Table:
    """All rows of a file, or those for which `keep` is true; raises what `open_parquet` does."""
    with open_parquet(source, words=words) as parquet:
        return parquet.read(columns, keep)


def parquet_schema(source: Source) -> pa.Schema:
    """The columns of a file, with what its writer said; raises what `open_parquet` does."""
    with open_parquet(source) as parquet:
        return parquet.schema


def spelt(
    table: pa.Table, names: Collection[str], schema: pa.Schema, most: Limit, where: str
) -> pa.Table:
    """The table with the texts of some columns, which are held as codes, in every row.

    Raises:
        BeyondLimitError: they would weigh more than `most`.
    """
    weight = 0
    for index, name in enumerate(table.column_names):
        if name not in names or not pa.types.is_dictionary(table.schema.field(index).type):
            continue
        column = table.column(index)
        for chunk in column.chunks:
            weight += _text_bytes(chunk)
            most.require(weight, where)
        field = schema.field(name)
        table = table.set_column(index, field, column.cast(field.type))
    return table


def _require_footer(read_at: ReadAt, size: int, where: str) -> None:
    tail = read_at(max(0, size - _TAIL.size), _TAIL.size)
    length, magic = _TAIL.unpack(tail) if len(tail) == _TAIL.size else (0, b"")
    if magic != _MAGIC or length + _TAIL.size > size:
        raise ValueError(f"{where} must be a Parquet file, but does not end as one")
    FOOTER_BYTES.require(length, where)


def _is_text(kind: pa.DataType) -> bool:
    return kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())


def _is_bounded(kind: pa.DataType) -> bool:
    """Whether values of a type weigh what `_VALUE_BYTES` says, or are weighed as texts."""
    if pa.types.is_list(kind):
        kind = kind.value_type
        return bool(pa.types.is_primitive(kind))
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_primitive(kind) or pa.types.is_null(kind) or _is_text(kind))


def _text_bytes(chunk: pa.DictionaryArray) -> int:
    """What the texts of a column weigh where each row has its own."""
    if not len(chunk.dictionary):
        return 0
    weights = pc.binary_length(chunk.dictionary)
    longest = pc.max(weights).as_py() or 0
    if longest * len(chunk) <= GROUP_BYTES.most // COLUMNS.most:
        return int(longest * len(chunk))
    return int(pc.sum(weights.cast(pa.int64()).take(chunk.indices)).as_py() or 0)
