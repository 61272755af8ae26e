"""A watcher that dies is followed by another: what is lost, what is recorded, when it ends."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telemetry.clock import US_PER_S
from telemetry.merge.attempt import merge_attempt
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.shards.writer import list_parts, read_stream, shard_metadata
from telemetry.sources.previous_watcher import PreviousWatcher
from telemetry.watcher.process import WatcherProcess
from tests.doubles.nvml.library import World, build, uuid_of
from tests.support.watched_attempts import end_attempt, make_attempt

ZERO = uuid_of(0)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated NVML library."""
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def world(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """One simulated H200 for the processes that this test starts."""
    simulated = World(tmp_path / "world")
    monkeypatch.setenv("FAKE_NVML", str(simulated.path))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library.parent))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return simulated


class Watched:
    """An attempt and the watch over its node."""

    def __init__(self, results: Path, **launch: Any) -> None:
        self.run: RunPaths
        self.attempt: AttemptPaths
        self.run, self.attempt = make_attempt(results, launch={"period_ms": 100, **launch})
        self.watch = WatcherProcess(results, self.run.run_id, 1, "n1")
        self.record = self.watch.wait_ready(30)

    def kill(self) -> int:
        """Kill the watcher and wait for the one that follows; its process id."""
        before = self.watch.pid
        os.kill(before, signal.SIGKILL)
        deadline_s = time.monotonic() + 20
        while read_json(self.attempt.host("n1"))["pid"] in (before, 0):
            assert time.monotonic() < deadline_s, "no watcher followed"
            time.sleep(0.01)
        return self.watch.pid

    def samples(self) -> pa.Table:
        """All rows on disk."""
        parts = list_parts(self.attempt.samples_shard("n1"))
        return pa.concat_tables(
            pq.read_table(part.path) if part.closed else read_stream(part.path).table
            for part in parts
        )

    def times(self, field: str, device: str = ZERO) -> list[int]:
        """When one field was read, by time."""
        rows = self.samples().to_pylist()
        return sorted(
            row["t_us"]
            for row in rows
            if (row["device"], row["field"]) == (device, field) and row["value"] is not None
        )

    def log(self) -> dict[str, Any]:
        """The watching's own record."""
        return read_json(self.attempt.watchers / "n1.json")

    def restarts(self) -> list[dict[str, Any]]:
        """What the followers said about the deaths before them."""
        return [event for event in self.log()["events"] if event["what"] == "restarted"]

    def buffer_allows_us(self) -> int:
        """The largest hole a buffer of 2.4 s leaves: none, unless this machine was slow to follow.

        How slow it is says nothing about the watcher: `tests/benchmarks/watcher_kill.py` measures.
        """
        blind_us = max(event["t_us"] - event["silent_from_us"] for event in self.restarts())
        return 40_000 + max(0, int(blind_us) - 2_300_000)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    opened: list[Watched] = []

    def start(**launch: Any) -> Watched:
        opened.append(Watched(tmp_path / "results", **launch))
        return opened[-1]

    yield start
    for one in opened:
        one.watch.stop()


def largest_gap_us(times_us: list[int]) -> int:
    return max(after - before for before, after in pairwise(times_us))


def test_driver_s_buffer_closes_the_gap_of_a_killed_watcher(
    world: World, watched: Callable[..., Watched]
) -> None:
    assert world.path.is_file()
    node = watched(telemetry="nvml")
    for pause_s in (1.3, 0.9, 1.1):
        time.sleep(pause_s)
        node.kill()
    time.sleep(0.8)
    node.watch.stop()
    times_us = node.times("power_sample_w")
    assert len(node.restarts()) == 3
    assert largest_gap_us(times_us) < node.buffer_allows_us()
    for restart in node.restarts():
        assert 0 <= restart["lost_us"] <= restart["t_us"] - restart["silent_from_us"]
        if restart["t_us"] - restart["silent_from_us"] < 2_300_000:
            assert "power_sample_w" in restart["closed"]
    # Nothing was told twice: the next watcher begins behind what is on disk.
    assert min(after - before for before, after in pairwise(times_us)) > 10_000


def test_coverage_expects_of_each_reading_what_its_own_pace_gives(
    world: World, watched: Callable[..., Watched]
) -> None:
    assert world.path.is_file()
    node = watched(telemetry="nvml")
    time.sleep(3.0)
    node.watch.stop()
    end_attempt(node.attempt)
    merge_attempt(node.run, node.attempt)
    coverage = read_json(node.attempt.manifest)["coverage"]
    told = {row["field"]: row for row in coverage if row["device"] == ZERO and row["period_us"]}
    assert told["power_sample_w"]["expected"] > 100
    assert told["throttle_reasons"]["expected"] == 2
    assert told["energy_j"]["expected"] == 1
    for name, row in told.items():
        # The first samples are those of the start, and the last look may be a reading more.
        assert row["expected"] - 3 <= row["got"] <= row["expected"] + 2, name
        assert row["largest_gap_us"] < 1.2 * row["period_us"] + 100_000, name


def test_without_a_buffer_no_more_than_the_time_between_two_watchers_is_lost(
    watched: Callable[..., Watched],
) -> None:
    node = watched()
    time.sleep(1.0)
    node.kill()
    time.sleep(0.5)
    node.watch.stop()
    (restart,) = node.restarts()
    blind_us = restart["t_us"] - restart["silent_from_us"]
    assert largest_gap_us(node.times("memory_used_bytes", "host")) <= blind_us
    assert restart["closed"] == []


def test_follower_keeps_the_clock_and_the_gpus_that_the_ranks_stand_on(
    watched: Callable[..., Watched],
) -> None:
    node = watched()
    time.sleep(0.6)
    pid = node.kill()
    after = read_json(node.attempt.host("n1"))
    assert after == {**node.record, "pid": pid, "restarts": 1}
    time.sleep(0.3)
    node.watch.stop()
    offsets = set()
    for part in list_parts(node.attempt.samples_shard("n1")):
        schema = pq.read_schema(part.path) if part.closed else read_stream(part.path).table.schema
        offsets.add(shard_metadata(schema)["clock"]["offset_us"])
    assert offsets == {node.record["clock_offset_us"]}


def test_simulated_counter_goes_on_behind_a_death(watched: Callable[..., Watched]) -> None:
    node = watched()
    time.sleep(1.0)
    node.kill()
    time.sleep(0.8)
    node.watch.stop()
    counter = sorted(
        (row["t_us"], row["value"])
        for row in node.samples().to_pylist()
        if (row["device"], row["field"]) == ("SIM-a100-n1-0", "energy_j")
    )
    (start_us, start_j), (end_us, end_j) = counter[0], counter[-1]
    # An idle A100 by the model: 50 W.
    assert end_j - start_j == pytest.approx(50.0 * (end_us - start_us) / US_PER_S, rel=0.01)
    assert [value for _, value in counter] == sorted(value for _, value in counter)


def test_owner_records_every_death_and_the_merge_takes_all_parts(
    watched: Callable[..., Watched],
) -> None:
    node = watched()
    first = node.watch.pid
    time.sleep(0.6)
    node.kill()
    time.sleep(0.6)
    assert node.watch.stop() == 0
    ended = read_json(node.attempt.watchers / "n1.exit.json")
    (death,) = ended["deaths"]
    assert (death["pid"], death["exit_code"]) == (first, -signal.SIGKILL)
    assert (ended["early"], ended["exit_code"]) == (False, 0)
    assert node.log()["end_reason"] == "the owner let go"
    end_attempt(node.attempt)
    manifest = merge_attempt(node.run, node.attempt)
    assert len(manifest["parts"]) == 2
    assert all(part["damage"] is None for part in manifest["parts"])
    assert manifest["tables"]["samples"]["rows"] == node.samples().num_rows
    assert any("restarted" in note for note in manifest["notes"])


def test_gpu_that_is_gone_with_the_old_watcher_is_null_with_the_new(
    world: World, watched: Callable[..., Watched]
) -> None:
    world.set(gpus=2)
    node = watched(telemetry="nvml")
    time.sleep(0.7)
    world.set(lost=1)
    node.kill()
    time.sleep(0.8)
    node.watch.stop()
    lost = [
        row["reason"]
        for row in node.samples().to_pylist()
        if (row["device"], row["field"]) == (uuid_of(1), "power_sample_w") and row["value"] is None
    ]
    assert "NVML error 15: GPU is lost" in lost
    assert largest_gap_us(node.times("power_sample_w")) < node.buffer_allows_us()


def test_watcher_that_was_told_to_stop_is_not_followed(watched: Callable[..., Watched]) -> None:
    node = watched()
    os.kill(node.watch.pid, signal.SIGTERM)
    time.sleep(1.0)
    assert not node.watch.alive()
    assert node.watch.stop() == 0
    assert read_json(node.attempt.watchers / "n1.exit.json")["deaths"] == []


def test_watcher_is_followed_no_more_often_than_allowed(tmp_path: Path) -> None:
    run, attempt = make_attempt(tmp_path)
    with WatcherProcess(tmp_path, run.run_id, 1, "n1", max_restarts=1) as watch:
        watch.wait_ready(30)
        first = watch.pid
        time.sleep(0.5)
        os.kill(first, signal.SIGKILL)
        deadline_s = time.monotonic() + 20
        while read_json(attempt.host("n1"))["pid"] == first and time.monotonic() < deadline_s:
            time.sleep(0.02)
        os.kill(watch.pid, signal.SIGKILL)
        time.sleep(1.5)
        assert not watch.alive()
    ended = read_json(attempt.watchers / "n1.exit.json")
    assert (ended["early"], ended["exit_code"]) == (True, -signal.SIGKILL)
    assert len(ended["deaths"]) == 1


def test_node_without_a_driver_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"no library")
    run, attempt = make_attempt(tmp_path, launch={"telemetry": "nvml"})
    with (
        WatcherProcess(tmp_path, run.run_id, 1, "n1") as watch,
        pytest.raises(RuntimeError, match="ended with 4 instead: watcher: NVIDIA's driver must be"),
    ):
        watch.wait_ready(30)
    log = (attempt.watchers / "n1.log").read_text()
    assert log == (
        "watcher: NVIDIA's driver must be loaded to read a GPU, but is not: "
        "NVML error 12: NVML Shared Library Not Found\n"
    )


def test_sample_of_the_driver_s_buffer_is_on_disk_within_two_seconds(
    world: World, watched: Callable[..., Watched]
) -> None:
    assert world.path.is_file()
    node = watched(telemetry="nvml")
    offset_us = node.record["clock_offset_us"]
    time.sleep(2.0)
    for _ in range(8):
        newest_us = node.times("power_sample_w")[-1]
        assert time.monotonic_ns() // 1000 + offset_us - newest_us < 2_000_000
        time.sleep(0.17)


def test_last_times_are_found_at_the_end_of_a_cut_stream(
    watched: Callable[..., Watched],
) -> None:
    node = watched()
    time.sleep(0.8)
    with node.watch:
        pass
    part = list_parts(node.attempt.samples_shard("n1"))[-1]
    expected = max(pq.read_table(part.path)["t_us"].to_pylist())
    before = PreviousWatcher.find(node.attempt, "n1")
    assert before is not None
    assert before.silent_from_us == expected
    assert PreviousWatcher.find(node.attempt, "n2") is None


def test_watcher_that_has_written_all_ends_well_though_it_is_told_to_while_it_leaves(
    watched: Callable[..., Watched],
) -> None:
    node = watched()
    process = node.watch._process
    assert process.stdin is not None
    process.stdin.close()
    log = node.attempt.watchers / "n1.json"
    while not log.is_file() or node.log()["end_reason"] is None:
        time.sleep(0.001)
    # Half a second is left until its interpreter is gone: all through it, it is told to end.
    while process.poll() is None:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.01)
    assert node.watch.stop() == 0
