import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from telemetry.clock import HostClock
from telemetry.record.schema import Phase
from telemetry.shards.writer import ShardWriter, list_parts, read_stream, shard_metadata
from workers.session.spans import Counts, SpanRecorder


def _open(
    folder: Path,
    *,
    clock: HostClock | None = None,
    synchronize: Callable[[], None] = lambda: None,
    read_energy_j: Callable[[], float] | None = None,
    start_us: int | None = None,
) -> SpanRecorder:
    return SpanRecorder(
        folder,
        {"kind": "spans"},
        clock=clock or HostClock.set_now(),
        host="here",
        rank=3,
        gpu_uuid="GPU-1",
        synchronize=synchronize,
        read_energy_j=read_energy_j,
        energy_reason="no counter",
        start_us=start_us,
    )


def _on_disk(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for part in list_parts(folder):
        table = pa.parquet.read_table(part.path) if part.closed else read_stream(part.path).table
        rows += table.to_pylist()
    return rows


def test_each_span_begins_where_the_last_one_ended(tmp_path: Path) -> None:
    with _open(tmp_path) as spans:
        for phase in (Phase.IDLE, Phase.LOAD, Phase.PREFILL, Phase.DECODE):
            spans.enter(phase)
    rows = _on_disk(tmp_path)
    assert [row["phase"] for row in rows] == ["startup", "idle", "load", "prefill", "decode"]
    assert [row["t_end_us"] for row in rows[:-1]] == [row["t_start_us"] for row in rows[1:]]


def _phases_so_far(folder: Path) -> list[str]:
    try:
        return [row["phase"] for row in _on_disk(folder)]
    except ValueError:
        # The stream's first bytes are being written.
        return []


def test_a_span_is_on_disk_soon_after_the_next_one_begins(tmp_path: Path) -> None:
    spans = _open(tmp_path)
    phases = ["startup"]
    for phase in (Phase.IDLE, Phase.LOAD):
        spans.enter(phase)
        deadline_s = time.monotonic() + 5.0
        while _phases_so_far(tmp_path) != phases:
            assert time.monotonic() < deadline_s
        phases.append(phase.value)


def test_no_phase_waits_for_a_slow_counter(tmp_path: Path) -> None:
    read = threading.Event()

    def slow() -> float:
        assert read.wait(10.0)
        return 5.0

    with _open(tmp_path, read_energy_j=slow) as spans:
        for phase in (Phase.PREFILL, Phase.DECODE, Phase.OVERHEAD):
            spans.enter(phase)
        assert _on_disk(tmp_path) == []
        read.set()
    assert [row["energy_end_j"] for row in _on_disk(tmp_path)] == [5.0] * 4


def test_a_disk_that_fails_is_told_at_the_span_after(tmp_path: Path) -> None:
    spans = _open(tmp_path)
    (tmp_path / "part-00000.arrows").touch()
    spans.enter(Phase.IDLE)
    time.sleep(0.5)
    with pytest.raises(FileExistsError):
        spans.enter(Phase.LOAD)
    with pytest.raises(FileExistsError):
        spans.close()


def test_counts_and_batch_stand_on_the_span_that_ends(tmp_path: Path) -> None:
    with _open(tmp_path) as spans:
        spans.enter(Phase.PREFILL, batch=4)
        spans.enter(Phase.DECODE, batch=4, counts=Counts(prompts=2, prompt_tokens=9))
        spans.enter(Phase.SHUTDOWN, counts=Counts(generated_tokens=8, words=5))
    _, prefill, decode, shutdown = _on_disk(tmp_path)
    assert (prefill["batch"], prefill["prompts"], prefill["prompt_tokens"]) == (4, 2, 9)
    assert (decode["batch"], decode["generated_tokens"], decode["words"]) == (4, 8, 5)
    assert (shutdown["batch"], shutdown["prompts"], shutdown["words"]) == (None, 0, 0)


def test_an_earlier_edge_keeps_later_work_out_of_the_span(tmp_path: Path) -> None:
    clock = HostClock.set_now()
    with _open(tmp_path, clock=clock) as spans:
        spans.enter(Phase.DECODE, batch=0)
        edge = spans.edge()
        while (later_us := clock.now_us()) <= edge.t_us:
            pass
        spans.enter(Phase.OVERHEAD, batch=0, at=edge)
    _, decode, overhead = _on_disk(tmp_path)
    assert decode["t_end_us"] == overhead["t_start_us"] == edge.t_us < later_us


def test_the_device_is_done_before_the_clock_is_read(tmp_path: Path) -> None:
    clock = HostClock.set_now()
    done_us: list[int] = []

    def finish() -> None:
        done_us.append(clock.now_us())

    with _open(tmp_path, clock=clock, synchronize=finish) as spans:
        spans.enter(Phase.LOAD)
    startup, load = _on_disk(tmp_path)
    assert done_us[0] <= startup["t_start_us"]
    assert startup["t_start_us"] <= done_us[1] <= startup["t_end_us"]
    assert load["t_start_us"] <= done_us[2] <= load["t_end_us"]


def test_energy_is_read_once_at_each_edge_and_shared_by_both_spans(tmp_path: Path) -> None:
    readings = iter([100.0, 107.5, 110.0])
    with _open(tmp_path, read_energy_j=lambda: next(readings)) as spans:
        spans.enter(Phase.LOAD)
    edges = [(row["energy_start_j"], row["energy_end_j"]) for row in _on_disk(tmp_path)]
    assert edges == [(100.0, 107.5), (107.5, 110.0)]
    assert all(row["energy_reason"] is None for row in _on_disk(tmp_path))


def test_how_late_a_reading_was_stands_beside_it(tmp_path: Path) -> None:
    clock = HostClock.set_now()
    stalls_s = iter([0.0, 0.2, 0.0])

    def stalled() -> float:
        time.sleep(next(stalls_s))
        return 5.0

    with _open(tmp_path, clock=clock, read_energy_j=stalled) as spans:
        edge = spans.enter(Phase.LOAD)
        edge.reading.result()
        waited_us = clock.now_us() - edge.t_us
    startup, load = _on_disk(tmp_path)
    assert startup["energy_start_late_us"] >= 0
    assert 200_000 <= startup["energy_end_late_us"] <= waited_us
    assert load["energy_start_late_us"] == startup["energy_end_late_us"]


def test_a_reading_that_waited_for_the_disk_is_late_by_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()
    write = ShardWriter.write

    def stuck(self: ShardWriter, columns: Mapping[str, Any]) -> None:
        assert free.wait(10.0)
        write(self, columns)

    monkeypatch.setattr(ShardWriter, "write", stuck)
    with _open(tmp_path, read_energy_j=lambda: 5.0) as spans:
        spans.enter(Phase.LOAD)
        spans.enter(Phase.IDLE)
        time.sleep(0.2)
        free.set()
    assert _on_disk(tmp_path)[1]["energy_end_late_us"] >= 200_000


def test_without_a_counter_energy_is_null_with_the_reason(tmp_path: Path) -> None:
    with _open(tmp_path):
        pass
    (row,) = _on_disk(tmp_path)
    assert (row["energy_start_j"], row["energy_end_j"]) == (None, None)
    assert (row["energy_start_late_us"], row["energy_end_late_us"]) == (None, None)
    assert row["energy_reason"] == "no counter"


def test_a_counter_that_fails_leaves_null_and_its_reason_and_the_run_goes_on(
    tmp_path: Path,
) -> None:
    def fail() -> float:
        raise RuntimeError("GPU is lost")

    with _open(tmp_path, read_energy_j=fail) as spans:
        spans.enter(Phase.LOAD)
    assert [row["energy_reason"] for row in _on_disk(tmp_path)] == ["GPU is lost"] * 2


def test_startup_can_begin_before_the_recorder(tmp_path: Path) -> None:
    clock = HostClock.set_now()
    began_us = clock.now_us() - 5_000_000
    with _open(tmp_path, clock=clock, start_us=began_us, read_energy_j=lambda: 1.0):
        pass
    (row,) = _on_disk(tmp_path)
    assert row["t_start_us"] == began_us
    assert row["energy_start_j"] is None
    assert "before the rank could read" in row["energy_reason"]


def test_an_early_start_without_a_counter_names_the_missing_counter(tmp_path: Path) -> None:
    with _open(tmp_path, start_us=1):
        pass
    assert [row["energy_reason"] for row in _on_disk(tmp_path)] == ["no counter"]


def test_a_failure_still_ends_the_running_span_and_asks_nothing_of_the_device(
    tmp_path: Path,
) -> None:
    def hang() -> None:
        raise AssertionError("a failed device was waited for")

    spans = _open(tmp_path, synchronize=hang, start_us=1)
    with pytest.raises(OSError, match="failed"), spans:
        raise OSError("failed")
    assert [row["phase"] for row in _on_disk(tmp_path)] == ["startup"]


def test_a_closed_recorder_takes_no_span(tmp_path: Path) -> None:
    spans = _open(tmp_path)
    spans.close()
    spans.close()
    with pytest.raises(RuntimeError, match="the spans must be open"):
        spans.enter(Phase.LOAD)
    assert len(_on_disk(tmp_path)) == 1


def test_the_shard_names_its_metadata(tmp_path: Path) -> None:
    with _open(tmp_path):
        pass
    (part,) = list_parts(tmp_path)
    assert shard_metadata(pa.parquet.read_schema(part.path))["kind"] == "spans"
