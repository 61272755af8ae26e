"""Spans of many parts against the plain way: put them on one clock and sort them all."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.merge.alignment import Clocks
from telemetry.merge.chunks import Chunk
from telemetry.merge.merge_sorted import merge_ordered
from telemetry.merge.part_index import survey_part
from telemetry.merge.table_file import TableFile
from telemetry.record.clock_offset import HostOffset, OffsetReading
from telemetry.record.schema import SPANS
from telemetry.shards.writer import ROW_GROUP_ROWS, list_parts
from tests.support.watched_attempts import make_attempt, shard_writer

AHEAD_US = 7
CLOCKS = Clocks(
    {
        "n1": HostOffset(
            host="n1",
            reference_host="n0",
            start=OffsetReading(t_us=0, offset_us=AHEAD_US, error_us=1, round_trip_us=2),
            end=None,
        )
    },
    {},
)
# Ranks' parts of spans, in any order: each a start and a length.
RANKS = st.lists(
    st.lists(
        st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), min_size=1, max_size=8),
        min_size=1,
        max_size=3,
    ),
    min_size=1,
    max_size=4,
)


def span(rank: int, start_us: int, length_us: int) -> dict[str, Any]:
    row: dict[str, Any] = {"t_start_us": start_us, "t_end_us": start_us + length_us}
    row |= {"host": f"n{rank % 2}", "rank": rank, "gpu_uuid": None, "phase": "decode", "batch": 0}
    row |= {"prompts": 1, "prompt_tokens": 1, "generated_tokens": 1, "words": 1}
    row |= {"energy_start_j": None, "energy_end_j": None, "energy_reason": "none"}
    return row | {"energy_start_late_us": None, "energy_end_late_us": None}


def write_ranks(
    folder: Path, ranks: Sequence[Sequence[Sequence[tuple[int, int]]]]
) -> tuple[list[Chunk], list[dict[str, Any]]]:
    """The chunks of the ranks' parts, and their rows on the reference host's clock."""
    chunks: list[Chunk] = []
    rows: list[dict[str, Any]] = []
    _, attempt = make_attempt(folder)
    for rank, parts in enumerate(ranks):
        place = attempt.rank_shard("spans", rank)
        for part in parts:
            with shard_writer(attempt, "spans", place, rank=rank) as writer:
                for start_us, length_us in part:
                    row = span(rank, start_us, length_us)
                    writer.write({name: [value] for name, value in row.items()})
                    ahead_us = AHEAD_US if row["host"] == "n1" else 0
                    rows.append(span(rank, start_us - ahead_us, length_us))
        for found in list_parts(place):
            chunks += survey_part("spans", found, CLOCKS).chunks
    return chunks, rows


def fail(chunk: Chunk, damage: str) -> None:
    raise AssertionError(f"{chunk}: {damage}")


@settings(max_examples=40)
@given(ranks=RANKS, block_rows=st.sampled_from([1, 7, 1000]))
def test_ordered_merge_equals_sorting_everything(
    ranks: Sequence[Sequence[Sequence[tuple[int, int]]]], block_rows: int
) -> None:
    with TemporaryDirectory() as folder:
        chunks, rows = write_ranks(Path(folder), ranks)
        blocks = list(merge_ordered("spans", chunks, CLOCKS, fail, block_rows=block_rows))
    found = [row for block in blocks for row in block.to_pylist()]
    keys = ("t_start_us", "t_end_us", "host", "rank")
    assert found == sorted(rows, key=lambda row: [row[key] for key in keys])


def test_row_groups_are_full_however_the_rows_come(tmp_path: Path) -> None:
    rows = [span(0, start_us, 1) for start_us in range(3)]
    block = SPANS.empty_table().from_pylist(rows * 30_000, schema=SPANS)
    path = tmp_path / "spans.parquet"
    with TableFile(path, SPANS) as table:
        table.write(block)
        table.write(block)
    footer = pq.read_metadata(path)
    sizes = [footer.row_group(index).num_rows for index in range(footer.num_row_groups)]
    assert sizes == [ROW_GROUP_ROWS, ROW_GROUP_ROWS, 180_000 - 2 * ROW_GROUP_ROWS]
    assert pq.read_table(path).num_rows == 180_000
