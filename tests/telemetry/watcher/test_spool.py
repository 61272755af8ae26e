"""Rows on their way to a disk that is full."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telemetry.clock import HostClock
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths
from telemetry.shards.writer import list_parts, read_stream
from telemetry.sources.base import Reading
from telemetry.watcher.log import WatchLog
from telemetry.watcher.spool import Spool
from tests.support.watched_attempts import shard_writer


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 96 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def readings(start: int, rows: int) -> list[Reading]:
    return [
        Reading(t_us=t_us, device="host", field="memory_used_bytes", value=float(t_us))
        for t_us in range(start, start + rows)
    ]


def spool_in(folder: Path, *, max_rows: int) -> tuple[AttemptPaths, Spool]:
    attempt = AttemptPaths(folder=folder / "attempt-001")
    attempt.folder.mkdir()
    writer = shard_writer(attempt, "samples", attempt.samples_shard("n1"))
    log = WatchLog(attempt, "n1", HostClock.set_now())
    return attempt, Spool(writer, "n1", log, max_rows=max_rows)


def stamps(attempt: AttemptPaths) -> list[int]:
    tables = [
        pq.read_table(part.path) if part.closed else read_stream(part.path).table
        for part in list_parts(attempt.samples_shard("n1"))
    ]
    found: list[int] = pa.concat_tables(tables)["t_us"].to_pylist()
    return found


def test_rows_wait_for_room_on_a_full_disk_and_none_is_lost_or_doubled(small_disk: Path) -> None:
    attempt, spool = spool_in(small_disk, max_rows=10_000)
    spool.add(readings(0, 10))
    assert spool.flush()
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(bytes(200_000))
    spool.add(readings(10, 1_000))
    assert not spool.flush()
    assert not spool.flush()
    ballast.unlink()
    spool.add(readings(1_010, 5))
    assert spool.flush()
    spool.close()
    assert stamps(attempt) == list(range(1_015))


def test_rows_beyond_the_bound_are_dropped_oldest_first_and_recorded(small_disk: Path) -> None:
    attempt, spool = spool_in(small_disk, max_rows=300)
    spool.add(readings(0, 10))
    spool.flush()
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(bytes(200_000))
    for start in range(10, 1_010, 100):
        spool.add(readings(start, 100))
        spool.flush()
    ballast.unlink()
    assert spool.flush()
    spool.close()
    assert stamps(attempt) == [*range(10), *range(710, 1_010)]
    events = {event["what"]: event for event in read_json(attempt.watchers / "n1.json")["events"]}
    dropped = events["rows_dropped"]
    assert (dropped["rows"], dropped["from_us"], dropped["until_us"]) == (700, 10, 709)
    assert "No space" in events["disk_trouble"]["reason"]
    assert "disk_recovered" in events


def test_closing_on_a_full_disk_leaves_the_stream_as_the_part(small_disk: Path) -> None:
    attempt, spool = spool_in(small_disk, max_rows=300)
    spool.add(readings(0, 200))
    spool.flush()
    with pytest.raises(OSError, match="No space"):
        (small_disk / "ballast").write_bytes(bytes(200_000))
    spool.close()
    assert [part.closed for part in list_parts(attempt.samples_shard("n1"))] == [False]
    assert stamps(attempt) == list(range(200))
