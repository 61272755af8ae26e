"""Writer: what one writer wrote. Rows are on disk when `write` returns and survive a kill -9.

The open part is an Arrow IPC stream, `part-00000.arrows`: a schema message, then one message per
batch, so whatever a dead writer left is readable up to its last whole batch. A full part becomes
`part-00000.parquet` in one rename. Where both exist the Parquet file is the part.
"""

import contextlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from telemetry.clock import US_PER_S, monotonic_us
from telemetry.record.json_text import parse_json
from telemetry.record.plain_file import list_folder
from telemetry.record.schema import METADATA_KEY, SCHEMA_VERSION
from telemetry.shards.chain import Binding, Chain
from telemetry.shards.reader import StreamReader

_PART: Final = re.compile(r"part-(\d{5})\.(arrows|parquet)")

# About 20 fields x 8 GPUs at 10 Hz fill a part in 10 minutes: 6 files per node and hour.
PART_ROWS: Final = 1_000_000
# A part is closed at least this often, so that a lost file system costs no more.
PART_SECONDS: Final = 600.0
# A row group of this many rows keeps a time-range read and a windowed merge cheap.
ROW_GROUP_ROWS: Final = 65_536


class ShardWriter:
    """The one writer of a shard folder.

    A full disk raises OSError from `write`; the part is cut back to its last whole batch, so the
    same rows can be written again once there is room.
    """

    def __init__(
        self,
        folder: Path,
        schema: pa.Schema,
        metadata: Mapping[str, Any],
        *,
        binding: Binding | None = None,
        part_rows: int = PART_ROWS,
        part_seconds: float = PART_SECONDS,
    ) -> None:
        """Begin behind the parts that are there.

        `binding` is what the chain of the parts' digests stands on; None keeps no chain.
        """
        self._folder = folder
        told = {"schema_version": SCHEMA_VERSION, **metadata}
        if binding is not None:
            # Every part says that there is a chain: one that is not there was taken away.
            told["chained"] = True
        self._schema = schema.with_metadata({METADATA_KEY: json.dumps(told)})
        self._part_rows = part_rows
        self._part_us = int(part_seconds * US_PER_S)
        # At its first list Arrow imports pandas, where there is one that `spare_pandas` has not
        # hidden: a quarter of a second of CPU that must not fall into the rest or the work in which
        # the first row is written.
        pa.array([])
        folder.mkdir(parents=True, exist_ok=True)
        self._number = max(_parts(folder), default=-1) + 1
        self._binding = binding
        self._chain = None if binding is None else Chain(folder, binding, self._schema)
        self._sink: int | None = None
        self._size_bytes = 0
        self._rows = 0
        self._opened_us = 0

    def write(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Append rows, given as equally long columns by name; they are on disk on return.

        Raises:
            OSError: the disk is full or gone; none of the rows was written.
            ValueError: a column is missing or holds what the schema does not allow.
        """
        batch = pa.RecordBatch.from_pydict(dict(columns), schema=self._schema)
        if batch.num_rows == 0:
            return
        for field, column in zip(self._schema, batch.columns, strict=True):
            if not field.nullable and column.null_count:
                raise ValueError(
                    f"`{field.name}` must have no null, but has {column.null_count} instead"
                )
        if self._sink is None:
            self._open()
        self._append(memoryview(batch.serialize()))
        self._rows += batch.num_rows
        if self._chain is not None:
            self._chain.add(batch, self._number)
        age_us = monotonic_us() - self._opened_us
        if self._rows >= self._part_rows or age_us >= self._part_us:
            # A disk too full for the Parquet file leaves the stream, which is a part as it stands.
            with contextlib.suppress(OSError):
                self._close_part()

    def close(self) -> None:
        """Turn the open part into its Parquet file and end the chain; further writes begin anew.

        Raises:
            OSError: the disk is full; the rows stay in the stream, which is a part as it stands.
        """
        try:
            self._close_part()
        finally:
            if self._chain is not None:
                self._chain.end()
                self._chain = None

    def _close_part(self) -> None:
        if self._sink is None:
            return
        sink, self._sink = self._sink, None
        number = self._number
        stream = self._folder / f"part-{number:05d}.arrows"
        self._number += 1
        try:
            os.fsync(sink)
        finally:
            os.close(sink)
        chain = self._chain
        if chain is None:
            seal_part(stream)
            return
        try:
            # The link comes before the name: no closed part is ever without.
            seal_part(stream, lambda whole, name: chain.close_part(number, whole, name))
        except OSError:
            with contextlib.suppress(OSError):
                chain.close_part(number, stream, stream.name)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> None:
        path = self._folder / f"part-{self._number:05d}.arrows"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._sink = os.open(path, flags, 0o666)
        self._size_bytes = 0
        self._rows = 0
        self._opened_us = monotonic_us()
        if self._chain is None and self._binding is not None:
            self._chain = Chain(self._folder, self._binding, self._schema)
        if self._chain is not None:
            self._chain.open_part()
        try:
            self._append(memoryview(self._schema.serialize()))
        except OSError:
            os.close(self._sink)
            self._sink = None
            path.unlink(missing_ok=True)
            raise

    def _append(self, data: memoryview) -> None:
        sink = self._sink
        assert sink is not None
        written = 0
        try:
            while written < len(data):
                written += os.write(sink, data[written:])
        except OSError:
            os.ftruncate(sink, self._size_bytes)
            os.lseek(sink, self._size_bytes, os.SEEK_SET)
            raise
        self._size_bytes += written


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file of a shard."""

    path: Path
    """A Parquet file, or the stream that becomes one when its writer closes it."""

    @property
    def number(self) -> int:
        """Its place among the writer's parts, counted from 0."""
        match = _PART.fullmatch(self.path.name)
        assert match is not None
        return int(match[1])

    @property
    def closed(self) -> bool:
        """True for a Parquet part, False for the stream of a writer that lives or died."""
        return self.path.suffix == ".parquet"


def list_parts(folder: Path) -> list[Part]:
    """The parts of a shard folder by number, each once."""
    return [Part(path=path) for _, path in sorted(_parts(folder).items())]


def seal_part(stream: Path, link: Callable[[Path, str], None] | None = None) -> Path:
    """Turn a part's stream into its Parquet file, keeping rows up to the last whole batch.

    `link` is given the whole file and the name that it gets next; None tells nobody.

    Raises:
        OSError: the disk is full; the stream is still there.
    """
    salvaged = read_stream(stream)
    target = stream.with_suffix(".parquet")
    temporary = stream.with_name(f".{stream.stem}.{os.getpid()}.tmp")
    try:
        pq.write_table(salvaged.table, temporary, compression="zstd", row_group_size=ROW_GROUP_ROWS)
        if link is not None:
            link(temporary, target.name)
        temporary.replace(target)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    stream.unlink()
    return target


@dataclass(frozen=True, kw_only=True)
class Salvage:
    """What a stream part held."""

    table: pa.Table
    """Its rows up to the last whole batch."""
    damage: str | None
    """Why bytes after the last whole batch could not be read; None when all could."""


def read_stream(path: Path) -> Salvage:
    """Read a stream part up to its last whole batch.

    Raises:
        ValueError: not even the schema message is whole; the file holds no row.
    """
    with StreamReader(path) as reader:
        batches = [batch for _, batch in reader.batches()]
        table = pa.Table.from_batches(batches, schema=reader.schema)
        return Salvage(table=table, damage=reader.damage)


def shard_metadata(schema: pa.Schema) -> dict[str, Any]:
    """The JSON object that a shard's writer left in its schema metadata.

    Raises:
        ValueError: there is none, or it is of another schema version.
    """
    raw = (schema.metadata or {}).get(METADATA_KEY)
    if raw is None:
        raise ValueError(f"schema metadata must hold `{METADATA_KEY.decode()}`, but does not")
    metadata = parse_json(raw, "schema metadata")
    if metadata.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(
            f"`schema_version` must be {SCHEMA_VERSION}, "
            f"but is {metadata.get('schema_version')!r} instead"
        )
    return metadata


def _parts(folder: Path) -> dict[int, Path]:
    found: dict[int, Path] = {}
    if not folder.is_dir():
        return found
    for child in list_folder(folder):
        match = _PART.fullmatch(child.name)
        if match is None:
            continue
        number = int(match[1])
        if number not in found or child.suffix == ".parquet":
            found[number] = child
    return found
