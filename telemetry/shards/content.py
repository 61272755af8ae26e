"""Content: one digest of rows, whatever file, batches or release of Arrow they are told by."""

import hashlib
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# A null is no value: it is told here and adds nothing but a zero to what is hashed of values.
_THERE: Final = b"\x01"
# A row group's rows: 5 MB of samples that wait until they are hashed.
_MOST_WAITING_ROWS: Final = 65_536


class ContentDigest:
    """SHA-256 of a table's rows so far, column by column.

    Of a column are hashed which values are there, how long each is where lengths differ, and the
    values themselves, little-endian. Rows that come in other batches give the same digest.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._columns = {field.name: _Column(field.type) for field in schema}
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self.rows = 0
        """Rows so far."""

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the rows of a batch."""
        # A hundred small batches take as long as one of all their rows takes ten times.
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self.rows += batch.num_rows
        if self._waiting_rows >= _MOST_WAITING_ROWS:
            self._settle()

    def hexdigest(self) -> str:
        """The digest of the rows so far, 64 hex digits; more may be added afterwards."""
        self._settle()
        whole = hashlib.sha256(f"{self.rows}\n".encode())
        for name, column in self._columns.items():
            whole.update(f"{name}\n".encode())
            whole.update(column.digest())
        return whole.hexdigest()

    def _settle(self) -> None:
        if not self._waiting:
            return
        table = pa.Table.from_batches(self._waiting).combine_chunks()
        self._waiting, self._waiting_rows = [], 0
        for name, column in self._columns.items():
            for chunk in table.column(name).chunks:
                column.add(chunk)


class _Column:
    """The digest of one column."""

    def __init__(self, kind: pa.DataType) -> None:
        self._type = kind
        self._there = hashlib.sha256()
        self._lengths = hashlib.sha256()
        self._values = hashlib.sha256()
        self._inner = _Column(kind.value_type) if pa.types.is_list(kind) else None

    def add(self, array: pa.Array) -> None:
        # An empty array may have no buffers.
        if not len(array):
            return
        if array.type != self._type:
            array = array.cast(self._type)
        if array.null_count:
            self._there.update(array.is_valid().to_numpy(zero_copy_only=False).tobytes())
        else:
            self._there.update(_THERE * len(array))
        if self._inner is not None:
            self._lengths.update(_plain(pc.list_value_length(array)).tobytes())
            self._inner.add(array.flatten())
        elif pa.types.is_string(self._type):
            text = pc.fill_null(array, "") if array.null_count else array
            offsets = np.frombuffer(text.buffers()[1], dtype="<i4")
            offsets = offsets[text.offset : text.offset + len(text) + 1]
            self._lengths.update(np.diff(offsets).tobytes())
            data = text.buffers()[2]
            if data is not None:
                self._values.update(memoryview(data)[offsets[0] : offsets[-1]])
        else:
            self._values.update(_plain(array).tobytes())

    def digest(self) -> bytes:
        inner = b"" if self._inner is None else self._inner.digest()
        hashes = self._there, self._lengths, self._values
        return hashlib.sha256(b"".join(one.digest() for one in hashes) + inner).digest()


def _plain(array: pa.Array) -> "np.ndarray[Any, Any]":
    """Numbers with zeros for nulls."""
    if array.null_count:
        array = pc.fill_null(array, False if pa.types.is_boolean(array.type) else 0)
    return np.asarray(array.to_numpy(zero_copy_only=False))
