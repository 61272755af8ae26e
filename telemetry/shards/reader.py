"""Reader: the Arrow IPC file of an open part, readable up to its last whole batch."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa


class StreamReader:
    """Reads a stream part batch by batch, holding one at a time.

    Raises:
        ValueError: not even the schema message is whole; the file holds no row.
    """

    def __init__(self, path: Path) -> None:
        self._size_bytes = path.stat().st_size
        self._file = pa.OSFile(str(path))
        try:
            self._reader = pa.ipc.open_stream(self._file)
        except (pa.ArrowInvalid, OSError, EOFError) as error:
            self._file.close()
            raise ValueError(f"{path} must be an Arrow stream, but is not: {error}") from error
        self.damage: str | None = None
        """Why bytes after the last whole batch could not be read, once they were come to."""

    @property
    def schema(self) -> pa.Schema:
        """The stream's schema, the writer's metadata with it."""
        return self._reader.schema

    def batches(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Each whole batch and the byte at which it starts, in order."""
        start_byte = self._file.tell()
        while True:
            try:
                batch = self._reader.read_next_batch()
                batch.validate(full=True)
            except StopIteration:
                # The writer never ends a stream, so zeros that look like an end are damage too.
                if start_byte < self._size_bytes:
                    where = f"bytes from {start_byte} of {self._size_bytes} on"
                    self.damage = f"{where} are no batch"
                return
            except (pa.ArrowInvalid, OSError, EOFError) as error:
                where = f"bytes from {start_byte} of {self._size_bytes} on"
                self.damage = f"{where} are no whole batch: {error}"
                return
            yield start_byte, batch
            start_byte = self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def read_batches(path: Path, start_byte: int, count: int, schema: pa.Schema) -> pa.Table:
    """`count` batches of a stream part from `start_byte` on, where a batch starts.

    Raises:
        ValueError: there are no such batches any more.
        OSError: the file cannot be read.
    """
    with pa.OSFile(str(path)) as source:
        source.seek(start_byte)
        batches = []
        for _ in range(count):
            batch = pa.ipc.read_record_batch(pa.ipc.read_message(source), schema)
            batch.validate(full=True)
            batches.append(batch)
    return pa.Table.from_batches(batches, schema=schema)
