"""Packing: a chunk's table as sorted samples, words and remarks numbered within the chunk alone.

So chunks can be packed in any order and at once, and what a code means depends on none of that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from telemetry.merge.alignment import Clocks
from telemetry.merge.sample_arrays import PLAIN, NullReason, NullReasons, Samples
from telemetry.merge.series_keys import Codes, Integers, Key, SeriesKeys, ranks

# A table of this many flags is cheaper than sorting a chunk's rows; 4 MB.
_MOST_FLAGS: Final = 1 << 22


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A chunk's rows, sorted."""

    rows: Samples
    """`code` is a place in `keys`, `remark` one in `remarks`."""
    keys: Sequence[Key]
    """Host, device and field of each code."""
    remarks: Sequence[NullReason]
    """Whether null, and the reason, of each number; empty when all are plain values."""

    def encoded(self, series_keys: SeriesKeys, remarks: NullReasons) -> Samples:
        """The rows by the codes and remarks of a whole table."""
        rows = self.rows
        remark = None
        if rows.remark is not None:
            remark = remarks.encode(self.remarks)[rows.remark]
        code = series_keys.encode(self.keys)[rows.code]
        return Samples(t_us=rows.t_us, code=code, value=rows.value, remark=remark)


def pack(table: pa.Table, clocks: Clocks) -> Packed:
    """The table's rows by time, host, device and field, on the reference host's clock."""
    words = [_words(table[name]) for name in ("host", "device", "field")]
    different, places = _different([(codes, len(said)) for codes, said in words])
    hosts, devices, names = (said for _, said in words)
    at_host, at = np.divmod(different, max(len(devices) * len(names), 1))
    at_device, at_name = np.divmod(at, max(len(names), 1))
    keys: list[Key] = [
        (hosts[host], devices[device], names[name])
        for host, device, name in zip(
            at_host.tolist(), at_device.tolist(), at_name.tolist(), strict=True
        )
    ]
    remark, remarks = _remarks(table)
    rows = Samples(
        t_us=_to_reference(_flat(table["t_us"]).to_numpy(), *words[0], clocks),
        code=places,
        value=_values(table),
        remark=remark,
    )
    return Packed(rows=rows.sorted(ranks(keys)), keys=keys, remarks=remarks)


def _flat(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    if column.num_chunks == 0:
        return pa.array([], column.type)
    flat = column.combine_chunks()
    return pa.concat_arrays(flat.chunks) if isinstance(flat, pa.ChunkedArray) else flat


def _words(column: pa.ChunkedArray) -> tuple[Codes, list[str]]:
    array = _flat(column)
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    return array.indices.to_numpy(), array.dictionary.to_pylist()


def _different(columns: Sequence[tuple[Codes, int]]) -> tuple[Integers, Codes]:
    """The different rows of columns of codes as one number each, and for each row its place."""
    size = 1
    numbers: npt.NDArray[np.signedinteger] = np.zeros(1, dtype=np.int32)
    for codes, count in columns:
        size *= max(count, 1)
        if size > np.iinfo(np.int32).max:
            numbers = numbers.astype(np.int64)
        numbers = numbers * max(count, 1) + codes if size > 1 else codes
    if size > _MOST_FLAGS:
        found, places = np.unique(numbers, return_inverse=True)
        return found.astype(np.int64), places.astype(np.int32)
    seen = np.zeros(size, dtype=bool)
    seen[numbers] = True
    found = np.flatnonzero(seen)
    place = np.zeros(size, dtype=np.int32)
    place[found] = np.arange(len(found), dtype=np.int32)
    return found, place[numbers]


def _to_reference(t_us: Integers, host: Codes, hosts: Sequence[str], clocks: Clocks) -> Integers:
    if len(hosts) == 1:
        return clocks.to_reference(hosts[0], t_us)
    moved = t_us.copy()
    for place, name in enumerate(hosts):
        mine = host == place
        moved[mine] = clocks.to_reference(name, t_us[mine])
    return moved


def _values(table: pa.Table) -> npt.NDArray[np.float64]:
    column = _flat(table["value"])
    if column.null_count:
        column = pc.fill_null(column, float("nan"))
    value: npt.NDArray[np.float64] = column.to_numpy()
    return value


def _remarks(table: pa.Table) -> tuple[Codes | None, list[NullReason]]:
    """The place of each row's remark and the remarks; None when all are plain values."""
    value, reason = _flat(table["value"]), _flat(table["reason"])
    if value.null_count == 0 and reason.null_count == len(reason):
        return None, []
    rows = np.flatnonzero(pc.or_(pc.is_null(value), pc.is_valid(reason)).to_numpy(False))
    some = pa.array(rows)
    said = zip(pc.is_null(value.take(some)).to_pylist(), reason.take(some).to_pylist(), strict=True)
    places: dict[NullReason, int] = {PLAIN: 0}
    remark = np.zeros(len(value), dtype=np.int32)
    remark[rows] = [places.setdefault(one, len(places)) for one in said]
    return remark, list(places)
