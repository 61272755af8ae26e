"""Flatbuffer: fields of the tables that Arrow tells its messages in, before Arrow reads them."""

import struct
from dataclasses import dataclass
from typing import Final, Self

# Offsets, lengths of vtables, whole numbers (flatbuffers, "Internals").
_OFFSET: Final = struct.Struct("<I")
_BACK: Final = struct.Struct("<i")
_SLOT: Final = struct.Struct("<H")
_WHOLE: Final = struct.Struct("<q")
# A vtable begins with its own length and the table's.
_BEFORE_SLOTS: Final = 4


@dataclass(frozen=True, kw_only=True)
class FlatTable:
    """One table of a flatbuffer.

    Raises:
        ValueError: from each method, where the bytes hold no such thing.
    """

    data: bytes
    """The whole buffer."""
    place: int
    """Where the table begins in it."""

    @classmethod
    def root(cls, data: bytes) -> Self:
        """The table that a buffer begins with."""
        return cls(data=data, place=_read(_OFFSET, data, 0))

    def place_of(self, field: int) -> int | None:
        """Where a field stands, by its number in the schema; None where it is not there."""
        vtable = self.place - _read(_BACK, self.data, self.place)
        slot = _BEFORE_SLOTS + _SLOT.size * field
        if slot >= _read(_SLOT, self.data, vtable):
            return None
        offset = _read(_SLOT, self.data, vtable + slot)
        return self.place + offset if offset else None

    def table(self, field: int) -> Self | None:
        """The table that a field refers to; None where it is not there."""
        place = self.place_of(field)
        if place is None:
            return None
        return type(self)(data=self.data, place=place + _read(_OFFSET, self.data, place))

    def whole(self, field: int) -> int:
        """A whole number of 64 bits; 0 where it is not there, as flatbuffers have it."""
        place = self.place_of(field)
        return 0 if place is None else _read(_WHOLE, self.data, place)


def _read(what: struct.Struct, data: bytes, place: int) -> int:
    if not 0 <= place <= len(data) - what.size:
        raise ValueError(f"a message's metadata end before byte {place + what.size}")
    return int(what.unpack_from(data, place)[0])
