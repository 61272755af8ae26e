"""Table file: a merged table on its way to disk, in place only when it is whole.

Row groups are full however rows come, so that merging again gives the same bytes, and one other
thread encodes and compresses them.
"""

import contextlib
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from telemetry.merge.sample_arrays import CODED, NullReason, Samples
from telemetry.merge.series_keys import Alphabet
from telemetry.shards.writer import ROW_GROUP_ROWS

# Row groups waiting for the writing thread: a block's worth, 5 MB.
_AHEAD: Final = 4


class TableFile:
    """Writes a table of a few rows a batch of prompts."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._file = _GroupFile(path, schema)
        self._schema = schema
        self._rest: pa.Table = schema.empty_table()

    def __enter__(self) -> Self:
        self._file.open()
        return self

    def write(self, block: pa.Table) -> None:
        """Append rows.

        Raises:
            OSError: the disk is full or gone, found at these rows or at those before.
        """
        rows = pa.concat_tables([self._rest, block.cast(self._schema)])
        whole = rows.num_rows - rows.num_rows % ROW_GROUP_ROWS
        for start in range(0, whole, ROW_GROUP_ROWS):
            self._file.add(rows.slice(start, ROW_GROUP_ROWS))
        self._rest = rows.slice(whole)

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None and self._rest.num_rows:
            self._file.add(self._rest)
        self._file.close(keep=kind is None)


class SamplesFile:
    """Writes the samples table from blocks of numbers."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        # The words' statistics would say in every row group that all of them are there. Stamps
        # that grow compress better as they are than as a dictionary.
        self._file = _GroupFile(
            path,
            CODED.with_metadata(schema.metadata),
            write_statistics=["t_us", "value", "reason"],
            use_dictionary=["host", "device", "field", "value"],
        )
        self._rest: list[Samples] = []
        self._rest_rows = 0
        self._said: tuple[Alphabet, Sequence[NullReason]] | None = None

    def __enter__(self) -> Self:
        self._file.open()
        return self

    def write(self, rows: Samples, alphabet: Alphabet, remarks: Sequence[NullReason]) -> None:
        """Append rows; `alphabet` and `remarks` are of all codes and remarks so far.

        Raises:
            OSError: the disk is full or gone, found at these rows or at those before.
        """
        self._said = (alphabet, remarks)
        start = 0
        while self._rest_rows + len(rows) - start >= ROW_GROUP_ROWS:
            stop = start + ROW_GROUP_ROWS - self._rest_rows
            self._put([*self._rest, rows.slice(start, stop)])
            self._rest, self._rest_rows, start = [], 0, stop
        if start < len(rows):
            self._rest.append(rows.slice(start, len(rows)))
            self._rest_rows += len(rows) - start

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None and self._rest:
            self._put(self._rest)
        self._file.close(keep=kind is None)

    def _put(self, pieces: list[Samples]) -> None:
        assert self._said is not None
        alphabet, remarks = self._said

        def make() -> pa.Table:
            rows = pieces[0] if len(pieces) == 1 else Samples.concatenate(pieces)
            return rows.to_table(alphabet, remarks)

        self._file.add_made(make)


class _GroupFile:
    """A Parquet file that gets a row group at a time from another thread."""

    def __init__(self, path: Path, schema: pa.Schema, **options: Any) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._schema = schema
        self._options = options
        self._coming: deque[Future[None]] = deque()

    def open(self) -> None:
        """Make the file and the thread."""
        # Without Arrow's own schema beside the metadata words are read as words, not as codes.
        self._writer = pq.ParquetWriter(
            self._temporary,
            self._schema.remove_metadata(),
            compression="zstd",
            store_schema=False,
            # Least and greatest time of every page too, beside those of every row group.
            write_page_index=True,
            **self._options,
        )
        self._writer.add_key_value_metadata(self._schema.metadata or {})
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")

    def add(self, group: pa.Table) -> None:
        """Append a row group."""
        self.add_made(lambda: group)

    def add_made(self, make: Callable[[], pa.Table]) -> None:
        """Append a row group that is made in the other thread."""
        if len(self._coming) >= _AHEAD:
            self._coming.popleft().result()
        self._coming.append(self._thread.submit(self._write, make))

    def close(self, *, keep: bool) -> None:
        """End the thread and the file, which takes its place only if it is to be kept."""
        try:
            if keep:
                while self._coming:
                    self._coming.popleft().result()
                self._writer.close()
                self._temporary.replace(self._path)
        finally:
            self._thread.shutdown(cancel_futures=True)
            # A file that is thrown away may be on the disk whose fullness is why.
            with contextlib.suppress(OSError):
                self._writer.close()
            self._temporary.unlink(missing_ok=True)

    def _write(self, make: Callable[[], pa.Table]) -> None:
        self._writer.write_table(make(), row_group_size=ROW_GROUP_ROWS)
