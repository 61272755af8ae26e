"""Chunks: a stretch of a part that is read at once, with the first key it holds."""

from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from telemetry.merge.alignment import Clocks
from telemetry.record.parquet_file import open_parquet
from telemetry.shards.reader import read_batches
from telemetry.shards.writer import Part

SORT_KEYS: Final = {
    "samples": ("t_us", "host", "device", "field"),
    "spans": ("t_start_us", "t_end_us", "host", "rank", "batch", "phase"),
    "responses": ("batch", "row", "prompt"),
    "steps": ("batch", "step"),
}
"""Columns by which each table is sorted, the first of them a whole number."""

UNREADABLE: Final = (pa.ArrowException, ValueError, OSError)
"""What Arrow raises on a file that is not what it should be."""

# Few values, repeated in every row: read as codes.
_WORDS: Final = ("host", "device", "field")


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some neighbouring rows of one part."""

    kind: str
    """The table, named in `telemetry.record.schema.TABLES`."""
    schema: pa.Schema
    """The table's, as old as the part is."""
    part: Part
    """The file that holds them."""
    index: int
    """Which row group of a Parquet part, or which stretch of a stream."""
    rows: int
    """How many there are; of a piece of a split chunk, its even share."""
    first_key: int
    """Least value of the table's first sort key, as the writer stamped it."""
    last_key: int
    """Greatest value of it."""
    hosts: tuple[str, ...] | None
    """Whose rows these are; None when that is not known before they are read."""
    earliest: int
    """No row's first sort key is less on the reference host's clock."""
    start_byte: int = 0
    """Where a stream's stretch starts."""
    batches: int = 0
    """Batches of a stream's stretch."""
    wanted: tuple[int, int] | None = None
    """Only rows from this first key on and before that one; None for all."""

    def split(self, pieces: int, clocks: Clocks) -> list["Chunk"]:
        """The same rows as chunks of equally long stretches of time, `rows` shared out evenly.

        Each is read from the whole: time spent for memory where very many shards overlap.
        """
        span = self.last_key + 1 - self.first_key
        edges = [self.first_key + span * index // pieces for index in range(pieces + 1)]
        return [
            replace(
                self,
                rows=self.rows * (index + 1) // pieces - self.rows * index // pieces,
                earliest=clocks.earliest_us(edges[index], self.hosts),
                wanted=(edges[index], edges[index + 1]),
            )
            for index in range(pieces)
        ]

    def read(self) -> pa.Table:
        """The rows as they were stamped; a Parquet part's words of samples dictionary-encoded.

        Raises:
            ValueError: the file does not hold what its footer promised.
            OSError: it cannot be read.
        """
        if self.part.closed:
            words = [name for name in _WORDS if self.kind == "samples"]
            with open_parquet(self.part.path, words=words) as source:
                # One thread: the merge has one for reading, one for sorting and one for writing.
                table = source.group(self.index, use_threads=False)
        else:
            table = read_batches(self.part.path, self.start_byte, self.batches, self.schema)
        for field in self.schema:
            if not field.nullable and (nulls := table[field.name].null_count):
                raise ValueError(f"`{field.name}` must have no null, but has {nulls} instead")
        key = table[SORT_KEYS[self.kind][0]]
        found = pc.min_max(key).as_py()
        if found != {"min": self.first_key, "max": self.last_key}:
            raise ValueError(
                f"rows must be those of the footer, from {self.first_key} to {self.last_key}, "
                f"but are from {found['min']} to {found['max']} instead"
            )
        if self.wanted is None:
            if table.num_rows != self.rows:
                raise ValueError(f"rows must be {self.rows}, but are {table.num_rows} instead")
            return table
        start, stop = self.wanted
        return table.filter(pc.and_(pc.greater_equal(key, start), pc.less(key, stop)))


def damage_of(chunk: Chunk, error: Exception) -> str:
    """What the manifest says of a chunk that could not be read."""
    path = chunk.part.path
    what = "row group" if chunk.part.closed else "stretch"
    return f"{what} {chunk.index}: {error}".replace(str(path), path.name)
