"""Merge samples: many shards in, one sorted sequence of blocks out, in bounded memory.

Chunks are read in the order of their first time. Whatever lies before the first time of the next
chunk is complete and can be given out; the rest waits, sorted, 20 bytes a row. Nothing is assumed
about the order of rows within a chunk or of chunks within a shard. What is held is the chunks that
overlap in time, which are about one of each shard however long the run was. Where the shards are so
many that these would not fit, chunks are split by time and read once for each piece.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import numpy as np

from telemetry.merge.alignment import Clocks
from telemetry.merge.chunks import UNREADABLE, Chunk, damage_of
from telemetry.merge.deduplicate import Deduplicated, take_once
from telemetry.merge.packing import Packed, pack
from telemetry.merge.sample_arrays import NullReasons, Samples
from telemetry.merge.series_keys import SeriesKeys
from telemetry.record.limits import SERIES

# Enough rows for sorting to cost more than the calls around it, few enough for a core's cache.
SAMPLES_BLOCK_ROWS: Final = 1 << 18
# Of each run every so many rows one says where the times lie: a block is that exact per shard.
_STRIDE_ROWS: Final = 1 << 9
# Rows read while others are sorted and written, 40 MB: a row group of each of 32 shards.
_AHEAD_ROWS: Final = 1 << 21
# Arrow and numpy let go of Python's lock, so that two threads do read twice as fast.
_READERS: Final = 2

# Rows that may wait, 160 MB: a row group of each of 128 shards.
HELD_ROWS: Final = 1 << 23

_NO_TIMES: Final = np.empty(0, dtype=np.int64)


class Window:
    """The merge of an attempt's samples; used once."""

    def __init__(
        self,
        clocks: Clocks,
        on_damage: Callable[[Chunk, str], None],
        *,
        block_rows: int = SAMPLES_BLOCK_ROWS,
    ) -> None:
        self.series_keys: Final = SeriesKeys()
        self.remarks: Final = NullReasons()
        self._clocks = clocks
        self._on_damage = on_damage
        self._block_rows = block_rows
        self._held: list[Samples] = []

    def merge(self, chunks: Iterable[Chunk]) -> Iterator[Deduplicated]:
        """All rows in blocks sorted by time, host, device and field, each reading once.

        A chunk that cannot be read is told to `on_damage` and left out.
        """
        ordered = sorted(chunks, key=lambda chunk: (chunk.earliest, chunk.part.path, chunk.index))
        limits = [*(chunk.earliest for chunk in ordered[1:]), None][: len(ordered)]
        fresh = 0
        with ExitStack() as stack:
            readers = stack.enter_context(ThreadPoolExecutor(_READERS, thread_name_prefix="read"))
            coming = stack.enter_context(closing(self._read_ahead(readers, ordered)))
            for chunk, limit_us, found in zip(ordered, limits, coming, strict=True):
                try:
                    packed = found.result()
                except UNREADABLE as error:
                    self._on_damage(chunk, damage_of(chunk, error))
                else:
                    self._held.append(packed.encoded(self.series_keys, self.remarks))
                    fresh += chunk.rows
                    SERIES.require(len(self.series_keys), "the samples")
                    SERIES.require(len(self.remarks), "the samples' reasons")
                if limit_us is None or fresh >= self._block_rows:
                    fresh = 0
                    yield from self._give_out(limit_us)

    def _read_ahead(
        self, readers: ThreadPoolExecutor, chunks: Sequence[Chunk]
    ) -> Generator[Future[Packed]]:
        """Every chunk's rows in turn, read by other threads as far ahead as memory is set aside."""
        coming: deque[Future[Packed]] = deque()
        rows = 0
        following = iter(chunks)
        try:
            for chunk in chunks:
                while rows < _AHEAD_ROWS and (later := next(following, None)) is not None:
                    coming.append(readers.submit(_read, later, self._clocks))
                    rows += later.rows
                yield coming.popleft()
                rows -= chunk.rows
        finally:
            for read in coming:
                read.cancel()

    def _give_out(self, limit_us: int | None) -> Iterator[Deduplicated]:
        """What lies before `limit_us`, None for all there is, about `block_rows` at a time."""
        complete: list[Samples] = []
        waiting: list[Samples] = []
        for run in self._held:
            stop = len(run) if limit_us is None else int(np.searchsorted(run.t_us, limit_us))
            if stop:
                complete.append(run.slice(0, stop))
            if stop < len(run):
                waiting.append(run.slice(stop, len(run)))
        self._held = waiting
        for edge_us in [*self._edges_us(complete), None]:
            block: list[Samples] = []
            rest: list[Samples] = []
            for run in complete:
                # Rows of one time stay together, as duplicates are told by their neighbours.
                stop = len(run) if edge_us is None else int(np.searchsorted(run.t_us, edge_us))
                if stop:
                    block.append(run.slice(0, stop))
                if stop < len(run):
                    rest.append(run.slice(stop, len(run)))
            complete = rest
            if block:
                yield self._sorted(block)

    def _edges_us(self, runs: list[Samples]) -> list[int]:
        """Times that cut the runs into blocks."""
        stride = max(1, min(_STRIDE_ROWS, self._block_rows))
        marks = np.sort(np.concatenate([_NO_TIMES, *(run.t_us[::stride] for run in runs)]))
        step = max(1, self._block_rows // stride)
        return [int(t_us) for t_us in np.unique(marks[step::step])]

    def _sorted(self, runs: list[Samples]) -> Deduplicated:
        rows = Samples.concatenate(runs)
        order, repeats = rows.order(self.series_keys.alphabet().ranks)
        return take_once(rows, order, repeats, self.remarks.listed())


def fit_in_memory(
    chunks: Sequence[Chunk], clocks: Clocks, *, held_rows: int = HELD_ROWS
) -> list[Chunk]:
    """The chunks, split where one of each shard together would be more than `held_rows`."""
    largest: dict[Path, int] = {}
    for chunk in chunks:
        shard = chunk.part.path.parent
        largest[shard] = max(largest.get(shard, 0), chunk.rows)
    pieces = -(-sum(largest.values()) // held_rows)
    if pieces <= 1:
        return list(chunks)
    return [piece for chunk in chunks for piece in chunk.split(pieces, clocks)]


def _read(chunk: Chunk, clocks: Clocks) -> Packed:
    packed = pack(chunk.read(), clocks)
    # Rows of hosts that the footer does not name could lie where all has been given out.
    first_us = int(packed.rows.t_us[0]) if len(packed.rows) else chunk.earliest
    if first_us < chunk.earliest:
        raise ValueError(f"`t_us` must be at least {chunk.earliest}, but is {first_us} instead")
    return packed
