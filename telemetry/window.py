"""Windowed merge: many shards in, one sorted sequence of blocks out, in bounded memory.

Chunks are read in the order of their first key. Whatever lies before the first key of the next
chunk is complete and can be sorted and written; the rest waits. Nothing is assumed about the order
of rows within a chunk or of chunks within a shard. What is held is the chunks that overlap in time,
which are about one of each shard however long the run was.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from telemetry.chunks import SORT_KEYS, UNREADABLE, Chunk
from telemetry.shards import ROW_GROUP_ROWS

# Enough rows for sorting to cost more than the calls around it; 40 MB.
_BLOCK_ROWS: Final = 1 << 19

_Integers = npt.NDArray[np.int64]


def merge_chunks(
    kind: str,
    chunks: Iterable[Chunk],
    on_damage: Callable[[Chunk, str], None],
    *,
    block_rows: int = _BLOCK_ROWS,
) -> Iterator[pa.Table]:
    """All rows of `chunks` in blocks, sorted by `SORT_KEYS` within and across blocks.

    A chunk that cannot be read is told to `on_damage` and left out.
    """
    key = SORT_KEYS[kind][0]
    ordered = sorted(chunks, key=lambda chunk: (chunk.first_key, chunk.part.path, chunk.index))
    held: list[pa.Table] = []
    fresh_rows = waiting_rows = 0
    for position, chunk in enumerate(ordered):
        try:
            table = chunk.read()
        except UNREADABLE as error:
            path = chunk.part.path
            on_damage(chunk, f"row group {chunk.index}: {error}".replace(str(path), path.name))
        else:
            held.append(table)
            fresh_rows += table.num_rows
        last = position + 1 == len(ordered)
        # Twice what waits, so that rows are looked at a few times and not once per chunk.
        if not held or (not last and fresh_rows < max(block_rows, waiting_rows)):
            continue
        table = _concatenate(held)
        if last:
            yield from _sorted(table, kind)
            return
        complete = pc.less(table[key], ordered[position + 1].first_key)
        waiting = table.filter(pc.invert(complete))
        if waiting.num_rows < table.num_rows:
            yield from _sorted(table.filter(complete), kind)
        held, fresh_rows, waiting_rows = [waiting], 0, waiting.num_rows


def drop_duplicates(block: pa.Table) -> tuple[pa.Table, int, int]:
    """A sorted block of samples with one row per time, host, device and field.

    Of several rows a value stands before a null, the smaller value before the larger, the reason
    by alphabet: which one is kept does not depend on who was read first. Returns the block, the
    number of dropped rows, and how many of these said something else than the row kept.
    """
    if block.num_rows == 0:
        return block, 0, 0
    same = np.ones(block.num_rows, dtype=bool)
    same[0] = False
    for name in SORT_KEYS["samples"]:
        column = _integers(block[name])
        same[1:] &= column[1:] == column[:-1]
    duplicates = int(same.sum())
    if duplicates == 0:
        return block, 0, 0
    group = np.cumsum(~same)
    extended = block.append_column("group", pa.array(group))
    order = pc.sort_indices(
        extended,
        sort_keys=[("group", "ascending"), ("value", "ascending"), ("reason", "ascending")],
    )
    ordered = extended.take(order)
    kept = ordered.filter(pa.array(~same))
    kept_of_row = pa.array(group - 1)
    differs = np.zeros(block.num_rows, dtype=bool)
    for name in ("value", "reason"):
        mine, theirs = ordered[name], kept[name].take(kept_of_row)
        equal = pc.fill_null(pc.equal(mine, theirs), False)
        both_null = pc.and_(pc.is_null(mine), pc.is_null(theirs))
        differs |= ~np.asarray(pc.or_(equal, both_null))
    return kept.drop_columns(["group"]), duplicates, int(differs.sum())


def _concatenate(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def _sorted(table: pa.Table, kind: str) -> Iterator[pa.Table]:
    """The rows in order, a row group's worth at a time; rows of one first key stay together."""
    if table.num_rows == 0:
        return
    order = _order(table, kind)
    # Taking from a batch touches the rows taken; from a table it first joins all its chunks.
    (batch,) = table.combine_chunks().to_batches()
    keys = table[SORT_KEYS[kind][0]].to_numpy()
    start = 0
    while start < len(order):
        stop = min(start + ROW_GROUP_ROWS, len(order))
        # Duplicates are told by their neighbours, so that none may be cut off from the others.
        while stop < len(order) and keys[order[stop]] == keys[order[stop - 1]]:
            stop += 1
        yield pa.Table.from_batches([batch.take(pa.array(order[start:stop]))])
        start = stop


def _order(table: pa.Table, kind: str) -> _Integers:
    """Positions of the rows in the order of the table's sort keys."""
    names = SORT_KEYS[kind]
    if kind != "samples":
        keys = [(name, "ascending") for name in names]
        return np.asarray(pc.sort_indices(table, sort_keys=keys), dtype=np.int64)
    # One whole number per row instead of four columns: neighbours come mostly sorted already,
    # which numpy's stable sort takes in one pass.
    codes = np.zeros(table.num_rows, dtype=np.int64)
    values = 1
    for name in names[1:]:
        column, size = _alphabetical(table[name])
        codes = codes * size + column
        values *= size
    t_us = table[names[0]].to_numpy()
    start_us, end_us = int(t_us.min()), int(t_us.max())
    if (end_us - start_us + 1) * values < np.iinfo(np.int64).max:
        return np.argsort((t_us - start_us) * values + codes, kind="stable")
    return np.lexsort((codes, t_us))


def _alphabetical(column: pa.ChunkedArray) -> tuple[_Integers, int]:
    """For each row the rank of its word among the column's words, and how many there are."""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    order = pc.array_sort_indices(array.dictionary).to_numpy()
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return ranks[array.indices.to_numpy()], max(len(order), 1)


def _integers(column: pa.ChunkedArray) -> _Integers:
    """The column as whole numbers that are equal exactly where its values are."""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_dictionary(array.type):
        array = array.indices
    return np.asarray(array.to_numpy(), dtype=np.int64)
