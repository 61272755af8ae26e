"""Merge sorted: all but samples in sorted blocks; they are a few rows a batch of prompts."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from telemetry.merge.alignment import Clocks
from telemetry.merge.chunks import SORT_KEYS, UNREADABLE, Chunk, damage_of
from telemetry.record.limits import TABLE_BYTES

# A response of 500 tokens is about 4 kB with its ids: at most 260 MB.
BLOCK_ROWS: Final = 1 << 16
# Half of what those weigh: rows of longer texts are given out sooner.
_BLOCK_BYTES: Final = 128 << 20

_STAMPS: Final = ("t_start_us", "t_end_us")


def merge_ordered(
    kind: str,
    chunks: Iterable[Chunk],
    clocks: Clocks,
    on_damage: Callable[[Chunk, str], None],
    *,
    block_rows: int = BLOCK_ROWS,
) -> Iterator[pa.Table]:
    """All rows of `chunks` in blocks, sorted by `SORT_KEYS` within and across blocks.

    Chunks are read in the order of their first key; rows before that of the next chunk are
    complete. A chunk that cannot be read is told to `on_damage` and left out.
    """
    keys = [(name, "ascending") for name in SORT_KEYS[kind]]
    ordered = sorted(chunks, key=lambda chunk: (chunk.earliest, chunk.part.path, chunk.index))
    held: list[pa.Table] = []
    fresh_rows = waiting_rows = 0
    for position, chunk in enumerate(ordered):
        try:
            table = _to_reference(chunk.read(), clocks)
        except UNREADABLE as error:
            on_damage(chunk, damage_of(chunk, error))
        else:
            held.append(table.cast(chunk.schema))
            fresh_rows += table.num_rows
            TABLE_BYTES.require(sum(one.nbytes for one in held), f"what waits of {kind}")
        last = position + 1 == len(ordered)
        # Twice what waits, so that rows are looked at a few times and not once per chunk.
        if not held or not (
            last
            or fresh_rows >= max(block_rows, waiting_rows)
            or sum(one.nbytes for one in held) >= _BLOCK_BYTES
        ):
            continue
        table = pa.concat_tables(held)
        if last:
            yield table.sort_by(keys)
            return
        complete = pc.less(table[keys[0][0]], ordered[position + 1].earliest)
        waiting = table.filter(pc.invert(complete))
        if waiting.num_rows < table.num_rows:
            yield table.filter(complete).sort_by(keys)
        held, fresh_rows, waiting_rows = [waiting], 0, waiting.num_rows


def _to_reference(table: pa.Table, clocks: Clocks) -> pa.Table:
    """The rows with every stamp on the reference host's clock; rows without a host as they are."""
    if "host" not in table.column_names:
        return table
    host = np.asarray(table["host"])
    for name in _STAMPS:
        stamps = table[name].to_numpy().copy()
        for one in pc.unique(table["host"]).to_pylist():
            mine = host == one
            stamps[mine] = clocks.to_reference(one, stamps[mine])
        index = table.schema.get_field_index(name)
        table = table.set_column(index, table.schema.field(name), pa.array(stamps))
    return table
