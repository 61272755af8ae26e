"""Reader: the Arrow IPC file of an open part, readable up to its last whole batch.

A stream is read message by message: each has its size before it, and none of ours is compressed,
as an unpacked size would be its writer's word.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa

from telemetry.record.limits import FOOTER_BYTES, GROUP_ROWS, PAGE_BYTES, STREAM_BYTES
from telemetry.record.plain_file import plain_file
from telemetry.shards.flatbuffer import FlatTable

# Before a message: this mark, then the bytes of its metadata (Arrow, columnar format, "Encapsulated
# message format"). A message with an empty one ends a stream.
_CONTINUES: Final = b"\xff\xff\xff\xff"
_HEAD: Final = struct.Struct("<4si")
_END: Final = b"\0\0\0\0"
# Fields of flatbuffers' tables: Message.header and .bodyLength (Message.fbs), then
# RecordBatch.length and .compression.
_HEADER, _BODY = 2, 3
_LENGTH, _COMPRESSION = 0, 3


class StreamReader:
    """Reads a stream part batch by batch, holding one at a time.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is no plain file or beyond a limit, or not even the schema message is whole;
            the file holds no row.
    """

    def __init__(self, path: Path) -> None:
        self._stack = ExitStack()
        with ExitStack() as opening:
            number = opening.enter_context(plain_file(path))
            self._size_bytes = os.fstat(number).st_size
            STREAM_BYTES.require(self._size_bytes, str(path))
            self._file = opening.enter_context(os.fdopen(os.dup(number), "rb"))
            try:
                self.schema: pa.Schema = pa.ipc.read_schema(self._message(FOOTER_BYTES.most))
                """The stream's schema, the writer's metadata with it."""
            except (pa.ArrowException, OSError, EOFError, ValueError) as error:
                raise ValueError(f"{path} must be an Arrow stream, but is not: {error}") from error
            self._stack = opening.pop_all()
        self.damage: str | None = None
        """Why bytes after the last whole batch could not be read, once they were come to."""

    def batches(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Each whole batch and the byte at which it starts, in order."""
        while (start_byte := self._file.tell()) < self._size_bytes:
            where = f"bytes from {start_byte} of {self._size_bytes} on"
            # The writer never ends a stream, so zeros that look like an end are damage too.
            if self._file.read(len(_END)) == _END:
                self.damage = f"{where} are no batch"
                return
            self._file.seek(start_byte)
            try:
                batch = self._batch(self.schema)
            except (pa.ArrowException, OSError, EOFError, ValueError) as error:
                self.damage = f"{where} are no whole batch: {error}"
                return
            yield start_byte, batch

    def at(self, start_byte: int, count: int, schema: pa.Schema) -> pa.Table:
        """`count` batches from `start_byte` on, where a batch starts.

        Raises:
            ValueError: there are no such batches any more.
            OSError: the file cannot be read.
        """
        self._file.seek(start_byte)
        return pa.Table.from_batches([self._batch(schema) for _ in range(count)], schema=schema)

    def _batch(self, schema: pa.Schema) -> pa.RecordBatch:
        message = self._message(PAGE_BYTES.most)
        if message.type != "record batch":
            raise ValueError(f"a message must be a record batch, but is a {message.type} instead")
        _require_plain_batch(message)
        batch = pa.ipc.read_record_batch(message, schema)
        batch.validate(full=True)
        return batch

    def _message(self, most_bytes: int) -> Any:
        start = self._file.tell()
        head = self._file.read(_HEAD.size)
        mark, length = _HEAD.unpack(head) if len(head) == _HEAD.size else (b"", 0)
        if mark != _CONTINUES or not 0 < length <= FOOTER_BYTES.most:
            raise ValueError("no message begins there")
        metadata = self._file.read(length)
        body_bytes = _body_bytes(metadata)
        if body_bytes > min(most_bytes, self._size_bytes - self._file.tell()):
            raise ValueError(f"a message of {body_bytes} bytes does not end there")
        self._file.seek(start)
        return pa.ipc.read_message(self._file.read(_HEAD.size + length + body_bytes))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()


def read_batches(path: Path, start_byte: int, count: int, schema: pa.Schema) -> pa.Table:
    """`count` batches of a stream part from `start_byte` on, where a batch starts.

    Raises:
        ValueError: there are no such batches any more.
        OSError: the file cannot be read.
    """
    with StreamReader(path) as reader:
        return reader.at(start_byte, count, schema)


def _require_plain_batch(message: Any) -> None:
    """Refuse a batch whose columns are packed, or of more rows than are decoded at once."""
    table = FlatTable.root(message.metadata.to_pybytes())
    batch = table.table(_HEADER)
    if batch is None or batch.place_of(_COMPRESSION) is not None:
        raise ValueError("a batch must be written as it is, but is compressed")
    GROUP_ROWS.require(batch.whole(_LENGTH), "a batch")


def _body_bytes(metadata: bytes) -> int:
    body_bytes = FlatTable.root(metadata).whole(_BODY)
    if body_bytes < 0:
        raise ValueError(f"a message must have a body, but has {body_bytes} bytes of one")
    return body_bytes
