"""The watcher as a process: what it leaves on disk, and every way it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import telemetry.clock
from telemetry.clock import HostClock, wall_us
from telemetry.record.files import read_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.spec import RunSpec
from telemetry.shards.writer import list_parts, read_stream, shard_metadata
from telemetry.sources.base import Assignment
from telemetry.watcher.gpu_settings import GpuSettings
from telemetry.watcher.loop import Watcher
from telemetry.watcher.process import WatcherProcess
from telemetry.watcher.select_source import open_source
from telemetry.watcher.stop_signal import StopSignal
from tests.conftest import REPOSITORY
from tests.support.watched_attempts import LAUNCH, make_attempt, register_rank

BUSY = "while True: sum(range(10_000))"


def wait_until(true: Callable[[], object], seconds: float = 5.0) -> float:
    """Seconds until `true`, at most `seconds`; fails then."""
    start_s = time.monotonic()
    while not true():
        assert time.monotonic() - start_s < seconds, "not in time"
        time.sleep(0.01)
    return time.monotonic() - start_s


def samples(attempt: AttemptPaths, host: str = "n1") -> pa.Table:
    """All samples that are on disk."""
    tables = [
        pq.read_table(part.path) if part.closed else read_stream(part.path).table
        for part in list_parts(attempt.samples_shard(host))
    ]
    return pa.concat_tables(tables)


def values(table: pa.Table, device: str, field: str) -> list[Any]:
    """Values of one field of one device in the order they were written."""
    rows = zip(
        table["device"].to_pylist(),
        table["field"].to_pylist(),
        table["value"].to_pylist(),
        strict=True,
    )
    return [
        value for row_device, row_field, value in rows if (row_device, row_field) == (device, field)
    ]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[AttemptPaths, WatcherProcess]]:
    run, attempt = make_attempt(tmp_path)
    with WatcherProcess(tmp_path, run.run_id, 1, "n1") as watch:
        watch.wait_ready(30)
        yield attempt, watch


@pytest.fixture
def busy_process() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    yield process
    process.kill()
    process.wait()


def watcher_command(run: RunPaths, host: str = "n1") -> list[str]:
    command = [sys.executable, "-m", "telemetry.watcher", "--results", str(run.results)]
    return [*command, "--run-id", run.run_id, "--attempt", "1", "--host", host]


def test_ready_record_is_written_after_the_first_readings_are_on_disk(
    started: tuple[AttemptPaths, WatcherProcess],
) -> None:
    attempt, watch = started
    record = read_json(attempt.host("n1"))
    stamps = samples(attempt)["t_us"].to_pylist()
    assert record["pid"] == watch.pid
    assert record["simulated"] is True
    assert [gpu["uuid"] for gpu in record["gpus"]] == ["SIM-a100-n1-0"]
    assert record["platform"]["logical_cpus"] == os.cpu_count()
    assert min(stamps) <= record["ready_us"]


def test_a_row_is_on_disk_within_a_second_of_its_reading(
    started: tuple[AttemptPaths, WatcherProcess],
) -> None:
    attempt, _ = started
    offset_us = read_json(attempt.host("n1"))["clock_offset_us"]
    time.sleep(1.2)
    for _ in range(5):
        newest_us = max(samples(attempt)["t_us"].to_pylist())
        now_us = time.monotonic_ns() // 1_000 + offset_us
        assert now_us - newest_us < 1_000_000
        time.sleep(0.13)


def test_shard_says_that_it_is_simulated_and_by_which_model(
    started: tuple[AttemptPaths, WatcherProcess],
) -> None:
    attempt, watch = started
    assert watch.stop() == 0
    metadata = shard_metadata(samples(attempt).schema)
    assert metadata["simulated"] is True
    assert "simulated" in metadata["source"]["model"]
    assert metadata["source"]["constants"]["idle_w"] == 50.0
    assert metadata["periods_us"]["power_instant_w"] == 100_000
    assert (
        metadata["clock"]["wall_us"] - metadata["clock"]["monotonic_us"]
        == (metadata["clock"]["offset_us"])
    )


def test_power_follows_the_real_work_of_a_rank_and_falls_when_it_ends(
    started: tuple[AttemptPaths, WatcherProcess], busy_process: subprocess.Popen[bytes]
) -> None:
    attempt, watch = started
    register_rank(attempt, 0, pid=busy_process.pid)
    time.sleep(2.0)
    busy_process.kill()
    busy_process.wait()
    time.sleep(0.6)
    watch.stop()
    table = samples(attempt)
    power_w = values(table, "SIM-a100-n1-0", "power_instant_w")
    assert power_w[0] == pytest.approx(50.0)
    # Two busy cores shared with others leave a busy loop at least a third of one.
    assert max(power_w) > 50.0 + 250.0 / 3
    assert power_w[-1] == pytest.approx(50.0)
    assert 0 < len(values(table, "rank-00000", "process_memory_bytes")) < 55


def test_owner_that_lets_go_ends_the_watcher_with_its_part_closed(
    started: tuple[AttemptPaths, WatcherProcess],
) -> None:
    attempt, watch = started
    assert watch.stop() == 0
    assert [part.closed for part in list_parts(attempt.samples_shard("n1"))] == [True]
    assert read_json(attempt.watchers / "n1.json")["end_reason"] == "the owner let go"
    assert read_json(attempt.watchers / "n1.exit.json")["early"] is False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_takes_a_last_reading_and_exits_with_0(
    started: tuple[AttemptPaths, WatcherProcess], number: signal.Signals
) -> None:
    attempt, watch = started
    before_us = max(samples(attempt)["t_us"].to_pylist())
    os.kill(watch.pid, number)
    wait_until(lambda: not watch.alive(), 2.0)
    assert watch.stop() == 0
    assert max(samples(attempt)["t_us"].to_pylist()) > before_us
    assert read_json(attempt.watchers / "n1.json")["end_reason"] == number.name


def test_slurm_s_warning_signal_does_not_end_it(
    started: tuple[AttemptPaths, WatcherProcess],
) -> None:
    _, watch = started
    os.kill(watch.pid, signal.SIGUSR2)
    os.kill(watch.pid, signal.SIGUSR1)
    time.sleep(0.3)
    assert watch.alive()


def test_killed_watcher_leaves_its_rows_and_its_owner_records_it(tmp_path: Path) -> None:
    run, attempt = make_attempt(tmp_path)
    with WatcherProcess(tmp_path, run.run_id, 1, "n1", max_restarts=0) as watch:
        watch.wait_ready(30)
        time.sleep(0.8)
        os.kill(watch.pid, signal.SIGKILL)
        wait_until(lambda: not watch.alive())
        assert watch.stop() == -signal.SIGKILL
    assert len(values(samples(attempt), "host", "memory_used_bytes")) >= 5
    exit_record = read_json(attempt.watchers / "n1.exit.json")
    assert (exit_record["early"], exit_record["exit_code"]) == (True, -signal.SIGKILL)


OWNER = """
import os, sys, time
from pathlib import Path
from telemetry.sources.base import Assignment
from telemetry.watcher.select_source import open_source
from telemetry.watcher.stop_signal import StopSignal
from telemetry.watcher.process import WatcherProcess
from telemetry.watcher.gpu_settings import GpuSettings
from telemetry.watcher.loop import Watcher
watch = WatcherProcess(Path(sys.argv[1]), sys.argv[2], 1, "n1")
watch.wait_ready(30)
if sys.argv[3] == "forked" and os.fork() == 0:
    time.sleep(8)  # holds the pipe open after the owner's death, as a forked data loader does
    os._exit(0)
print(watch.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("pipe", ["closed", "forked"])
def test_killed_owner_takes_the_watcher_along_within_a_second(tmp_path: Path, pipe: str) -> None:
    run, attempt = make_attempt(tmp_path)
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path), run.run_id, pipe],
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        start_new_session=True,
    )
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    try:
        gone_s = wait_until(lambda: not _runs(pid))
    finally:
        if pipe == "forked":
            os.killpg(owner.pid, signal.SIGKILL)
        owner.stdout.close()
    assert gone_s < 1.0
    assert [part.closed for part in list_parts(attempt.samples_shard("n1"))] == [True]


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_second_watcher_of_the_same_host_refuses(
    started: tuple[AttemptPaths, WatcherProcess],
) -> None:
    attempt, watch = started
    run = RunPaths(results=attempt.folder.parent.parent, run_id=attempt.folder.parent.name)
    second = subprocess.run(
        watcher_command(run),
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )
    assert second.returncode == 2
    assert "watched by another process already" in second.stderr
    assert watch.alive()


def test_dead_watcher_does_not_block_the_next(started: tuple[AttemptPaths, WatcherProcess]) -> None:
    attempt, watch = started
    os.kill(watch.pid, signal.SIGKILL)
    watch.stop()
    with WatcherProcess(
        attempt.folder.parent.parent, attempt.folder.parent.name, 1, "n1"
    ) as following:
        following.wait_ready(30)
    assert [part.path.name for part in list_parts(attempt.samples_shard("n1"))] == [
        "part-00000.arrows",
        "part-00001.parquet",
    ]


def test_vanished_folder_ends_it_with_a_clear_line(tmp_path: Path) -> None:
    run, attempt = make_attempt(tmp_path / "results")
    watcher = subprocess.Popen(
        watcher_command(run), stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY
    )
    wait_until(attempt.host("n1").is_file, 20)
    (tmp_path / "results").rename(tmp_path / "elsewhere")
    _, stderr = watcher.communicate(timeout=5)
    assert watcher.returncode == 3
    assert b"vanished" in stderr
    assert b"Traceback" not in stderr


def test_watcher_never_imports_torch_or_hydra() -> None:
    strangers = "{'torch', 'hydra', 'omegaconf', 'submitit'}"
    code = f"import sys, telemetry.watcher; print(sorted({strangers} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    assert done.stdout.strip() == "[]"


def test_wait_ready_tells_the_watcher_s_last_words(tmp_path: Path) -> None:
    run, attempt = make_attempt(tmp_path, spec={"gpu": "cpu"})
    with (
        WatcherProcess(tmp_path, run.run_id, 1, "n1") as watch,
        pytest.raises(RuntimeError, match=r"ended with 4 instead: [\s\S]*`gpu` must be one of"),
    ):
        watch.wait_ready(30)
    assert read_json(attempt.watchers / "n1.exit.json")["early"] is True


def test_stop_twice_is_stop_once(started: tuple[AttemptPaths, WatcherProcess]) -> None:
    attempt, watch = started
    assert watch.stop() == 0
    before = (attempt.watchers / "n1.exit.json").read_bytes()
    assert watch.stop() == 0
    assert (attempt.watchers / "n1.exit.json").read_bytes() == before


class StopAfter(StopSignal):
    """Lets a watcher make some ticks, and sets the wall clock meanwhile."""

    def __init__(self, ticks: int, steps: list[int]) -> None:
        self._ticks = ticks
        self._steps = steps

    def wait(self, timeout_us: float) -> str | None:
        assert timeout_us <= LAUNCH["period_ms"] * 1_000
        self._ticks -= 1
        if self._ticks == 2:
            self._steps.append(7_000_000)
        return None if self._ticks else "enough"


def test_step_of_the_wall_clock_is_in_the_log_and_moves_no_stamp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    monkeypatch.setattr(telemetry.clock, "wall_us", lambda: wall_us() + sum(steps))
    run, attempt = make_attempt(tmp_path)
    assignment = Assignment(
        attempt=attempt,
        spec=RunSpec.read(run.spec),
        launch=LaunchConfig.read(attempt.launch),
        host="n1",
        clock=HostClock.set_now(),
    )
    stop = StopAfter(5, steps)
    settings = GpuSettings(assignment, {}, print)
    Watcher(assignment, run.run_id, open_source(assignment), stop, settings).run()
    log = read_json(attempt.watchers / "n1.json")
    assert [event["what"] for event in log["events"]] == ["clock_step"]
    assert log["events"][0]["step_us"] == pytest.approx(7_000_000, abs=50_000)
    assert log["clock_drift_us"] == pytest.approx(7_000_000, abs=50_000)
    stamps = samples(attempt)["t_us"].to_pylist()
    assert max(stamps) - min(stamps) < 1_000_000


def test_paused_watcher_counts_the_readings_it_missed_and_makes_none_up(
    started: tuple[AttemptPaths, WatcherProcess],
) -> None:
    attempt, watch = started
    os.kill(watch.pid, signal.SIGSTOP)
    time.sleep(0.6)
    os.kill(watch.pid, signal.SIGCONT)
    time.sleep(0.3)
    watch.stop()
    log = read_json(attempt.watchers / "n1.json")
    polls = len(values(samples(attempt), "host", "memory_used_bytes"))
    assert log["ticks_missed"] >= 8
    assert polls == log["ticks"] + 1
