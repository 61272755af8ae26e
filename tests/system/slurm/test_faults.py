"""What ranks and watchers do to jobs, on a real Slurm: state, reason and telemetry of every fault.

In each test a point of two ranks on two nodes is queued by the launcher and something happens.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from telemetry.record.files import read_json
from telemetry.record.schema import EndState
from tests.system.slurm.site import (
    LONG_POINT,
    POINT,
    STEADY_POINT,
    TWO_NODES,
    Site,
    kill_rank,
)
from tests.system.slurm.telemetry_kept import check_kept, last_sign_us

# A rank that fails lets its watcher go, then asks Slurm for at most so long, then writes it down.
ASKING_US = 3_000_000


def test_a_rank_that_raises_fails_the_job_in_slurm_too(cluster: Site, tmp_path: Path) -> None:
    attempt = cluster.queue(tmp_path / "results", *POINT, *TWO_NODES)
    # Rank 0 keeps its answers in a folder of that name.
    attempt.shards("responses").parent.mkdir(exist_ok=True)
    attempt.shards("responses").write_text("in the way")
    end = cluster.wait_ended(attempt)
    assert end["state"] == EndState.FAILED
    # Whoever writes it down, the cause is named and not its echo.
    assert "rank 0" in end["reason"]
    assert "NotADirectoryError" in end["reason"]
    assert cluster.wait_end(attempt, "FAILED", "COMPLETED") == "FAILED"
    check_kept(attempt, tmp_path / "copy", last_sign_us(attempt) - ASKING_US)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_killed_9_fails_the_attempt_at_once(
    cluster: Site, tmp_path: Path, rank: int
) -> None:
    attempt = cluster.start(tmp_path / "results", *LONG_POINT, *TWO_NODES)
    killed_us = time.time_ns() // 1000
    kill_rank(attempt, rank)
    end = cluster.wait_ended(attempt)
    assert last_sign_us(attempt) - killed_us < 10_000_000
    assert end["state"] == EndState.FAILED
    assert end["by"] == f"rank {1 - rank}"
    assert cluster.wait_end(attempt, "FAILED", "COMPLETED") == "FAILED"
    # The rank was its node's first, so its watcher ends with it.
    check_kept(attempt, tmp_path / "copy", killed_us)


def test_a_watcher_killed_9_costs_the_run_nothing(cluster: Site, tmp_path: Path) -> None:
    results = tmp_path / "results"
    attempt = cluster.start(results, *STEADY_POINT, *TWO_NODES)
    pid = read_json(attempt.host("n2"))["pid"]
    os.kill(pid, signal.SIGKILL)
    assert cluster.wait_ended(attempt)["state"] == EndState.COMPLETED
    assert cluster.wait_end(attempt, "COMPLETED") == "COMPLETED"
    assert len(read_json(attempt.watchers / "n2.exit.json")["deaths"]) == 1
    check_kept(attempt, tmp_path / "copy", last_sign_us(attempt))


def test_a_dead_attempt_s_next_one_is_sealed_and_audited(cluster: Site, tmp_path: Path) -> None:
    results = tmp_path / "results"
    words = (*STEADY_POINT, *TWO_NODES, "telemetry.idle_s=2")
    first = cluster.start(results, *words)
    kill_rank(first, 1)
    cluster.wait_ended(first)
    cluster.wait_end(first, "FAILED")
    cluster.wait("an empty queue", lambda: not cluster.slurm("squeue", "-h"))
    second = cluster.queue(results, *words, "retry=failed")
    assert second.number == 2
    cluster.wait("the seal", second.seal.is_file)
    audit = subprocess.run(
        [sys.executable, "-m", "analysis.audit", str(results)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert audit.returncode == 0, audit.stdout
