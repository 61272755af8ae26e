"""A shard is readable up to its last whole batch, whatever happened to its writer."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telemetry.record.schema import METADATA_KEY, SAMPLES
from telemetry.shards.writer import ShardWriter, list_parts, read_stream, seal_part, shard_metadata
from tests.conftest import REPOSITORY


def columns(start: int, rows: int) -> dict[str, list[Any]]:
    return {
        "t_us": list(range(start, start + rows)),
        "host": ["n1"] * rows,
        "device": ["host"] * rows,
        "field": ["cpu_utilization"] * rows,
        "value": [0.5] * rows,
        "reason": [None] * rows,
    }


def write_stream(folder: Path, batches: int, rows: int = 3) -> tuple[Path, list[int]]:
    """An open part, and where each of its batches ends."""
    writer = ShardWriter(folder, SAMPLES, {"host": "n1"})
    path = folder / "part-00000.arrows"
    ends = []
    for batch in range(batches):
        writer.write(columns(batch * rows, rows))
        ends.append(path.stat().st_size)
    return path, ends


def test_rows_are_on_disk_when_write_returns(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, SAMPLES, {"host": "n1"})
    writer.write(columns(0, 4))
    assert read_stream(tmp_path / "part-00000.arrows").table["t_us"].to_pylist() == [0, 1, 2, 3]


def test_first_row_loads_nothing_that_a_rank_s_rest_would_pay_for(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from telemetry.record.schema import SAMPLES;"
        "from telemetry.shards.writer import ShardWriter;"
        "writer = ShardWriter(Path(sys.argv[1]), SAMPLES, {'host': 'n1'});"
        "before = set(sys.modules);"
        "writer.write({'t_us': [1], 'host': ['n'], 'device': ['host'], 'field': ['f'],"
        " 'value': [0.5], 'reason': [None]});"
        "print(*sorted(set(sys.modules) - before))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert done.stdout.split() == []


def test_every_prefix_of_a_stream_reads_up_to_its_last_whole_batch(tmp_path: Path) -> None:
    path, ends = write_stream(tmp_path, 3)
    data = path.read_bytes()
    schema_bytes = len(memoryview(pa.ipc.open_stream(pa.BufferReader(data)).schema.serialize()))
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        whole = sum(end <= size for end in ends)
        if size < schema_bytes:
            with pytest.raises(ValueError, match="must be an Arrow stream"):
                read_stream(path)
            continue
        salvage = read_stream(path)
        assert salvage.table["t_us"].to_pylist() == list(range(3 * whole))
        assert (salvage.damage is None) == (size in (schema_bytes, *ends))


def test_zeros_where_a_crash_left_a_hole_are_damage(tmp_path: Path) -> None:
    path, ends = write_stream(tmp_path, 2)
    data = path.read_bytes()
    path.write_bytes(data[: ends[0]] + bytes(len(data) - ends[0]))
    salvage = read_stream(path)
    assert salvage.table.num_rows == 3
    assert f"bytes from {ends[0]} of {len(data)}" in str(salvage.damage)


def test_killed_writer_loses_no_row_it_wrote(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.telemetry.shards.test_writer import *\n"
        "writer = ShardWriter(Path(sys.argv[1]), SAMPLES, {})\n"
        "for start in range(0, 10**9, 10):\n"
        "    writer.write(columns(start, 10)); print(start + 10, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, cwd=REPOSITORY
    )
    assert process.stdout is not None
    written = [int(process.stdout.readline()) for _ in range(50)][-1]
    os.kill(process.pid, signal.SIGKILL)
    process.stdout.close()
    process.wait()
    table = read_stream(tmp_path / "part-00000.arrows").table
    assert table["t_us"].to_pylist() == list(range(table.num_rows))
    assert table.num_rows >= written


def test_closed_part_is_parquet_and_its_stream_is_gone(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, SAMPLES, {"host": "n1"}) as writer:
        writer.write(columns(0, 4))
    assert [path.name for path in tmp_path.iterdir()] == ["part-00000.parquet"]
    assert pq.read_table(tmp_path / "part-00000.parquet")["t_us"].to_pylist() == [0, 1, 2, 3]


def test_full_part_opens_the_next(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, SAMPLES, {}, part_rows=5)
    for start in range(0, 12, 3):
        writer.write(columns(start, 3))
    writer.write(columns(12, 1))
    assert [part.path.name for part in list_parts(tmp_path)] == [
        "part-00000.parquet",
        "part-00001.parquet",
        "part-00002.arrows",
    ]


def test_old_part_is_closed_by_age(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, SAMPLES, {}, part_seconds=0.0)
    writer.write(columns(0, 1))
    assert [part.closed for part in list_parts(tmp_path)] == [True]


def test_next_writer_goes_on_with_the_next_part(tmp_path: Path) -> None:
    write_stream(tmp_path, 1)
    write_stream_again = ShardWriter(tmp_path, SAMPLES, {})
    write_stream_again.write(columns(0, 1))
    assert [part.path.name for part in list_parts(tmp_path)] == [
        "part-00000.arrows",
        "part-00001.arrows",
    ]


def test_parquet_file_is_the_part_where_a_crash_left_both(tmp_path: Path) -> None:
    path, _ = write_stream(tmp_path, 1)
    data = path.read_bytes()
    sealed = seal_part(path)
    path.write_bytes(data)
    assert [part.path for part in list_parts(tmp_path)] == [sealed]


def test_part_that_cannot_become_parquet_does_not_block_the_next(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, SAMPLES, {}, part_rows=2)
    # What a disk too full for a second copy does to the rename's target.
    (tmp_path / "part-00000.parquet").mkdir()
    writer.write(columns(0, 2))
    writer.write(columns(2, 1))
    (tmp_path / "part-00000.parquet").rmdir()
    assert [part.path.name for part in list_parts(tmp_path)] == [
        "part-00000.arrows",
        "part-00001.arrows",
    ]


def test_null_where_none_may_be_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, SAMPLES, {})
    with pytest.raises(ValueError, match="`host` must have no null, but has 1 instead"):
        writer.write({**columns(0, 1), "host": [None]})
    assert list(tmp_path.iterdir()) == []


def test_metadata_of_the_writer_comes_back_with_the_schema_version(tmp_path: Path) -> None:
    path, _ = write_stream(tmp_path, 1)
    metadata = shard_metadata(read_stream(path).table.schema)
    assert metadata == {"schema_version": 1, "host": "n1"}


def test_shard_of_another_schema_version_is_refused() -> None:
    schema = SAMPLES.with_metadata({METADATA_KEY: json.dumps({"schema_version": 99})})
    with pytest.raises(ValueError, match="`schema_version` must be 1, but is 99 instead"):
        shard_metadata(schema)


def test_file_without_our_metadata_is_refused() -> None:
    with pytest.raises(ValueError, match="must hold `joulegrid`"):
        shard_metadata(SAMPLES)
