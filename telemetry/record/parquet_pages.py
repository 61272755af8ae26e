"""Parquet pages: what a column chunk's pages say of themselves, read before any is unpacked.

A footer is its writer's word. What is allocated and decoded goes by the header before each page
(parquet.thrift, PageHeader, in Thrift's compact protocol), so it is these that are held to the
limits: a page of 1 kB may promise two billion values or two gigabytes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from telemetry.record.limits import GROUP_VALUES, PAGE_BYTES

ReadAt = Callable[[int, int], bytes]
"""The bytes of a file from an offset on, so many at most."""

# What ours have is some 60 bytes; one with texts as statistics may have two of them.
_HEADER_BYTES: Final = 256
_MOST_HEADER_BYTES: Final = 1 << 20
# A list or a structure in a header; the deepest, statistics in a data page's, is the second.
_MOST_DEPTH: Final = 4
# Kinds of page and the field that tells of each (parquet.thrift, PageType and PageHeader).
_DATA, _INDEX, _DICTIONARY, _DATA_V2 = range(4)
_FIELD: Final = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}
# Fields of them that tell the encoding of their values.
_ENCODING: Final = {_DATA: 2, _DICTIONARY: 2, _DATA_V2: 4}
# PLAIN, PLAIN_DICTIONARY, RLE, RLE_DICTIONARY, BYTE_STREAM_SPLIT: none of these makes more of a
# page than its values and their own bytes; DELTA_BYTE_ARRAY repeats a prefix in each.
_ENCODINGS: Final = frozenset({0, 2, 3, 8, 9})
# Thrift's compact types.
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_INTEGERS: Final = frozenset({_I16, _I32, _I64})
_DOUBLE_BYTES: Final = 8
_VARINT_BITS: Final = 63


class PagesError(ValueError):
    """Pages that are none, or not those of the footer."""


class _ShortError(Exception):
    """The header goes on behind the bytes that were read."""


@dataclass(frozen=True, kw_only=True)
class ColumnPages:
    """The values of one column in one row group, as the footer has them."""

    name: str
    """The column."""
    start: int
    """Where its first page begins in the file."""
    length: int
    """Bytes of its pages, packed."""
    values: int
    """How many values there are, nulls with them."""


def unpacked_bytes(chunk: ColumnPages, read_at: ReadAt) -> int:
    """Bytes of all pages of a chunk, unpacked, as their own headers have it.

    Raises:
        BeyondLimitError: a page is too large or has too many values.
        PagesError: a header is none, or the pages are not those of the footer.
    """
    where = f"a page of {chunk.name}"
    total = values = 0
    for header in _headers(chunk, read_at):
        kind, unpacked = header.get(1), header[2]
        PAGE_BYTES.require(unpacked, where)
        total += unpacked
        if kind == _INDEX:
            continue
        own = header.get(_FIELD.get(kind, -1)) if isinstance(kind, int) else None
        if (
            not isinstance(kind, int)
            or not isinstance(own, dict)
            or not isinstance(own.get(1), int)
            or own[1] < 0
        ):
            raise PagesError(f"{where} must say how many values it has, but does not")
        GROUP_VALUES.require(own[1], where)
        if own.get(_ENCODING[kind]) not in _ENCODINGS:
            raise PagesError(
                f"{where} must be of encodings {sorted(_ENCODINGS)}, "
                f"but is of {own.get(_ENCODING[kind])!r} instead"
            )
        values += 0 if kind == _DICTIONARY else own[1]
    if values != chunk.values:
        raise PagesError(
            f"the pages of {chunk.name} must have the footer's {chunk.values} values, "
            f"but have {values} instead"
        )
    return total


def _headers(chunk: ColumnPages, read_at: ReadAt) -> Iterator[dict[int, Any]]:
    place, end = chunk.start, chunk.start + chunk.length
    while place < end:
        header, length = _header(place, end, read_at)
        unpacked, packed = header.get(2), header.get(3)
        if not isinstance(unpacked, int) or not isinstance(packed, int):
            raise PagesError(f"a page of {chunk.name} must say its sizes, but does not")
        place += length + packed
        if unpacked < 0 or packed < 0 or place > end:
            raise PagesError(
                f"a page of {chunk.name} must lie in its chunk of {chunk.length} bytes, "
                f"but has {packed}, {unpacked} unpacked"
            )
        yield header


def _header(place: int, end: int, read_at: ReadAt) -> tuple[dict[int, Any], int]:
    """A page's header by field, and its length."""
    wanted = _HEADER_BYTES
    while True:
        data = read_at(place, min(wanted, end - place))
        try:
            reader = _Compact(data)
            return reader.structure(0), reader.place
        except _ShortError:
            if len(data) < wanted or wanted >= _MOST_HEADER_BYTES:
                raise PagesError(f"no whole page begins at byte {place}") from None
            wanted = _MOST_HEADER_BYTES


class _Compact:
    """Thrift's compact protocol, as much as a page's header needs."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def structure(self, depth: int) -> dict[int, Any]:
        """Fields by number; they stand once each, in order, as every writer has them."""
        if depth > _MOST_DEPTH:
            raise PagesError("a page's header is too deep")
        found: dict[int, Any] = {}
        field = 0
        while head := self._byte():
            step, kind = head >> 4, head & 0x0F
            number = field + step if step else self._integer()
            if number <= field:
                raise PagesError("a page's header has a field twice, or out of order")
            field = number
            found[field] = self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind == _BYTE:
            return self._byte()
        if kind in _INTEGERS:
            return self._integer()
        if kind == _STRUCT:
            return self.structure(depth + 1)
        if kind == _DOUBLE:
            self._skip(_DOUBLE_BYTES)
        elif kind == _BINARY:
            self._skip(self._varint())
        else:
            raise PagesError(f"a page's header holds Thrift's type {kind}, which none has")
        return None

    def _byte(self) -> int:
        if self.place >= len(self._data):
            raise _ShortError
        self.place += 1
        return self._data[self.place - 1]

    def _skip(self, count: int) -> None:
        self.place += count
        if self.place > len(self._data):
            raise _ShortError

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 -- the highest bit says that another byte follows
                return value
            shift += 7
            if shift > _VARINT_BITS:
                raise PagesError("a page's header holds a number without end")

    def _integer(self) -> int:
        zigzag = self._varint()
        return (zigzag >> 1) ^ -(zigzag & 1)
