"""Where an attempt stands, told from real processes."""

import os
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from telemetry.clock import US_PER_S
from telemetry.record.attempt_state import attempt_state, is_alive, record_end
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import EndState
from tests.support.watched_attempts import make_attempt


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptPaths:
    return make_attempt(tmp_path)[1]


def created_us(pid: int) -> int:
    return int(psutil.Process(pid).create_time() * US_PER_S)


def start(attempt: AttemptPaths, pid: int, created: int, host: str | None = None) -> None:
    host = host or socket.gethostname()
    write_json(attempt.started, {"t_us": 1, "host": host, "pid": pid, "pid_created_us": created})


def test_attempt_without_a_job_is_queued(attempt: AttemptPaths) -> None:
    state = attempt_state(attempt)
    assert (state.state, state.ended) == ("queued", False)


def test_submitted_attempt_is_queued(attempt: AttemptPaths) -> None:
    write_json(attempt.submitted, {"job_id": "12"})
    assert attempt_state(attempt).state == "queued"


def test_started_attempt_runs_as_long_as_its_process_lives(attempt: AttemptPaths) -> None:
    process = subprocess.Popen(["/bin/sleep", "30"])
    start(attempt, process.pid, created_us(process.pid))
    alive = attempt_state(attempt)
    process.kill()
    process.wait()
    dead = attempt_state(attempt)
    assert (alive.state, alive.ended) == ("running", False)
    assert (dead.state, dead.ended) == ("lost", True)
    assert f"process {process.pid}" in str(dead.reason)


def test_another_process_with_the_same_pid_is_not_the_attempt_s(attempt: AttemptPaths) -> None:
    start(attempt, os.getpid(), created_us(os.getpid()) - 60_000_000)
    assert attempt_state(attempt).state == "lost"


def test_zombie_is_dead() -> None:
    process = subprocess.Popen(["/bin/sleep", "30"])
    created = created_us(process.pid)
    assert is_alive(process.pid, created)
    process.kill()
    time.sleep(0.1)
    assert not is_alive(process.pid, created)
    process.wait()


def test_process_of_another_host_is_taken_to_run_and_the_reason_says_why(
    attempt: AttemptPaths,
) -> None:
    start(attempt, 1, 1, host="far-away")
    state = attempt_state(attempt)
    assert state.state == "running"
    assert "far-away, which cannot be looked at from here" in str(state.reason)


def test_recorded_end_stands_over_everything(attempt: AttemptPaths) -> None:
    start(attempt, 1, 1)
    assert record_end(attempt, EndState.TIMEOUT, "30 min", "launcher")
    state = attempt_state(attempt)
    assert (state.state, state.reason, state.ended) == ("timeout", "30 min", True)


def test_first_end_wins(attempt: AttemptPaths) -> None:
    assert record_end(attempt, EndState.COMPLETED, None, "rank 0")
    assert not record_end(attempt, EndState.LOST, "gone", "launcher")
    assert read_json(attempt.ended)["state"] == "completed"
    assert [path.name for path in attempt.folder.iterdir() if path.name.startswith(".")] == []


def test_unknown_end_is_refused(attempt: AttemptPaths) -> None:
    write_json(attempt.ended, {"state": "finished", "reason": None, "t_us": 1, "by": "x"})
    with pytest.raises(ValueError, match="finished"):
        attempt_state(attempt)
