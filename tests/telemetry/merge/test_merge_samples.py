"""The windowed merge against the plain one: sort everything, drop duplicates."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.merge.alignment import Clocks
from telemetry.merge.chunks import Chunk
from telemetry.merge.merge_samples import Window, fit_in_memory
from telemetry.merge.part_index import survey_part
from telemetry.merge.sample_arrays import Samples
from telemetry.record.clock_offset import HostOffset, OffsetReading
from telemetry.shards.writer import list_parts
from tests.support.clock_offsets import offset_us_at
from tests.support.watched_attempts import Row, make_attempt, sample_columns, shard_writer

Shard = Sequence[Sequence[Row]]
AGREED = Clocks({}, {})
# Exact in binary, so that what is halfway between two microseconds is so for both.
OFFSETS = st.builds(
    lambda start_us, drift_us: measured("n1", (0, start_us), (64, start_us + drift_us)),
    st.integers(min_value=-40, max_value=40),
    st.integers(min_value=-6, max_value=6),
)

ROWS = st.tuples(
    st.integers(min_value=0, max_value=60),
    st.sampled_from(["n1", "n2"]),
    st.sampled_from(["GPU-b", "GPU-a", "host"]),
    st.sampled_from(["power_instant_w", "energy_j"]),
    st.sampled_from([None, 1.0, 2.5]),
).map(lambda row: (*row, None if row[4] is not None else "no reading"))
# Shards of parts of rows, in any order and overlapping: what no well-behaved writer would leave.
SHARDS = st.lists(
    st.lists(st.lists(ROWS, min_size=1, max_size=12), min_size=1, max_size=4),
    min_size=1,
    max_size=4,
)


def write_shards(
    folder: Path,
    shards: Sequence[Shard],
    *,
    stream_last: bool = False,
    clocks: Clocks = AGREED,
) -> list[Chunk]:
    """Write each shard's parts and survey them; the last part may stay an open stream."""
    chunks: list[Chunk] = []
    _, attempt = make_attempt(folder)
    for number, shard in enumerate(shards):
        writer = shard_writer(attempt, "samples", attempt.samples_shard(f"n{number}"))
        for position, part in enumerate(shard):
            # Several messages in one part, as a watcher writes them.
            for start in range(0, len(part), 5):
                writer.write(sample_columns(part[start : start + 5]))
            if not (stream_last and position + 1 == len(shard)):
                writer.close()
        for found in list_parts(attempt.samples_shard(f"n{number}")):
            chunks += survey_part("samples", found, clocks).chunks
    return chunks


def measured(host: str, *edges: tuple[int, int]) -> HostOffset:
    """An offset known at one or two times of the host's clock."""
    start, end = [
        OffsetReading(t_us=t_us, offset_us=offset_us, error_us=2, round_trip_us=4)
        for t_us, offset_us in (edges[0], edges[-1])
    ]
    return HostOffset(
        host=host, reference_host="n2", start=start, end=end if len(edges) > 1 else None
    )


def naive(rows: Sequence[Row]) -> list[Row]:
    """Sorted; of rows with one time, host, device and field the value before the null."""
    order = sorted(rows, key=lambda row: (*row[:4], row[4] is None, row[4] or 0.0, row[5] or ""))
    kept: dict[tuple[int, str, str, str], Row] = {}
    for row in order:
        kept.setdefault(row[:4], row)
    return list(kept.values())


def merged(
    chunks: Sequence[Chunk], block_rows: int, clocks: Clocks = AGREED
) -> tuple[list[Row], int, int]:
    """All rows, and how many were dropped and of these said something else."""
    rows: list[Row] = []
    dropped = conflicts = 0

    def fail(chunk: Chunk, damage: str) -> None:
        raise AssertionError(f"{chunk}: {damage}")

    window = Window(clocks, fail, block_rows=block_rows)
    for block in window.merge(chunks):
        dropped += block.dropped
        conflicts += block.conflicts
        rows += in_words(window, block.rows)
    return rows, dropped, conflicts


def in_words(window: Window, rows: Samples) -> list[Row]:
    table = rows.to_table(window.series_keys.alphabet(), window.remarks.listed())
    return [tuple(row.values()) for row in table.to_pylist()]


@settings(max_examples=60)
@given(shards=SHARDS, block_rows=st.sampled_from([1, 7, 1000]), stream_last=st.booleans())
def test_windowed_merge_equals_sorting_everything(
    shards: Sequence[Shard], block_rows: int, stream_last: bool
) -> None:
    with TemporaryDirectory() as folder:
        chunks = write_shards(Path(folder), shards, stream_last=stream_last)
        rows, dropped, conflicts = merged(chunks, block_rows)
    everything = [row for shard in shards for part in shard for row in part]
    expected = naive(everything)
    assert rows == expected
    assert dropped == len(everything) - len(expected)
    kept = {row[:4]: row for row in expected}
    assert conflicts == sum(row != kept[row[:4]] for row in everything)


@settings(max_examples=60)
@given(
    shards=SHARDS,
    offset=OFFSETS,
    block_rows=st.sampled_from([1, 7, 1000]),
    stream_last=st.booleans(),
    held_rows=st.sampled_from([5, 1000]),
)
def test_every_stamp_of_a_host_is_put_on_the_reference_clock_before_rows_are_merged(
    shards: Sequence[Shard],
    offset: HostOffset,
    block_rows: int,
    stream_last: bool,
    held_rows: int,
) -> None:
    clocks = Clocks({"n1": offset}, {})
    with TemporaryDirectory() as folder:
        chunks = write_shards(Path(folder), shards, stream_last=stream_last, clocks=clocks)
        chunks = fit_in_memory(chunks, clocks, held_rows=held_rows)
        rows, dropped, _ = merged(chunks, block_rows, clocks)
    everything = [row for shard in shards for part in shard for row in part]
    expected = naive(
        [
            (row[0] - round(offset_us_at(offset, row[0])), *row[1:]) if row[1] == "n1" else row
            for row in everything
        ]
    )
    assert rows == expected
    assert dropped == len(everything) - len(expected)


def test_stretches_of_a_long_stream_are_read_one_by_one(tmp_path: Path) -> None:
    _, attempt = make_attempt(tmp_path)
    writer = shard_writer(attempt, "samples", attempt.samples_shard("n1"))
    rows = [(t_us, "n1", "host", "energy_j", float(t_us), None) for t_us in range(140_000)]
    for start in range(0, len(rows), 7_000):
        writer.write(sample_columns(rows[start : start + 7_000]))
    (part,) = list_parts(attempt.samples_shard("n1"))
    chunks = survey_part("samples", part, AGREED).chunks
    assert [(chunk.rows, chunk.first_key) for chunk in chunks] == [(70_000, 0), (70_000, 70_000)]
    assert merged(chunks, 1000) == (rows, 0, 0)


def test_chunks_of_very_many_shards_are_read_piece_by_piece(tmp_path: Path) -> None:
    shards = [
        [[(t_us, f"n{number}", "host", "energy_j", 1.0, None) for t_us in range(100)]]
        for number in range(20)
    ]
    chunks = fit_in_memory(write_shards(tmp_path, shards), AGREED, held_rows=500)
    assert len(chunks) == 80
    assert {chunk.read().num_rows for chunk in chunks} == {25}
    assert sum(chunk.rows for chunk in chunks) == 2000


def test_readings_that_are_not_numbers_are_no_conflict_with_themselves(tmp_path: Path) -> None:
    row = (1, "n1", "host", "energy_j", float("nan"), None)
    rows, dropped, conflicts = merged(write_shards(tmp_path, [[[row, row]]]), 1000)
    assert (len(rows), dropped, conflicts) == (1, 1, 0)


def test_rows_far_apart_in_time_are_sorted_all_the_same(tmp_path: Path) -> None:
    rows = [
        (t_us, "n1", "host", name, 1.0, None)
        for t_us in (-(2**61), 0, 2**61)
        for name in ("energy_j", "power_instant_w")
    ]
    assert merged(write_shards(tmp_path, [[rows[::-1]]]), 1000) == (rows, 0, 0)


def test_rows_are_given_out_before_everything_is_read(tmp_path: Path) -> None:
    shards = [
        [
            [(100 * part + t, f"n{n}", "host", "energy_j", 1.0, None) for t in range(100)]
            for part in range(20)
        ]
        for n in range(2)
    ]
    chunks = write_shards(tmp_path, shards)
    blocks = [
        len(block.rows) for block in Window(AGREED, lambda *_: None, block_rows=1).merge(chunks)
    ]
    assert sum(blocks) == 4000
    assert max(blocks) <= 400


def test_chunk_whose_bytes_rotted_is_named_and_the_others_stay(tmp_path: Path) -> None:
    part = [(t, "n0", "host", "energy_j", float(t % 977) / 7, None) for t in range(5000)]
    chunks = write_shards(tmp_path, [[part[:2500], part[2500:]]])
    footer = pq.ParquetFile(chunks[0].part.path).metadata.row_group(0)
    column = footer.column(4)
    path = chunks[0].part.path
    data = bytearray(path.read_bytes())
    for offset in range(column.data_page_offset, column.data_page_offset + 400):
        data[offset] ^= 0x5A
    path.write_bytes(data)
    damaged = []
    window = Window(AGREED, lambda chunk, why: damaged.append((chunk.part.path, why)))
    blocks = list(window.merge(chunks))
    assert [found for found, _ in damaged] == [path]
    assert path.parent.as_posix() not in damaged[0][1]
    assert sum(len(block.rows) for block in blocks) == 2500


def test_chunk_that_starts_before_its_footer_says_is_left_out_by_name(tmp_path: Path) -> None:
    rows = [(t_us, "n1", "host", "energy_j", 1.0, None) for t_us in range(10)]
    (chunk,) = write_shards(tmp_path, [[rows]])
    damaged: list[str] = []
    window = Window(AGREED, lambda _, why: damaged.append(why))
    assert list(window.merge([dataclasses.replace(chunk, earliest=3)])) == []
    assert damaged == ["row group 0: `t_us` must be at least 3, but is 0 instead"]
