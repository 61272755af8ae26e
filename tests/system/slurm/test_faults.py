"""What clusters do to jobs, on a real Slurm: state, reason and telemetry of every fault.

In each test a point of two ranks on two nodes is queued by the launcher and something happens.
"""

import getpass
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths, list_runs
from telemetry.record.schema import EndState
from tests.system.slurm.site import (
    LONG_POINT,
    POINT,
    STEADY_POINT,
    TWO_NODES,
    Site,
    job_id,
    kept,
    kill_rank,
    seconds_since,
)

# A watcher writes twice a second; the rest is a busy machine.
SECOND_US = 1_500_000
# A rank that fails lets its watcher go, then asks Slurm for at most so long, then writes it down.
ASKING_US = 3_000_000
# slurmctld saves its jobs at most 5 s after a change (SAVE_MAX_WAIT, src/slurmctld/state_save.c).
SAVING_S = 7.0


def last_sign_us(attempt: AttemptPaths) -> int:
    """When the attempt's end was recorded."""
    return int(read_json(attempt.ended)["t_us"])


def check_kept(attempt: AttemptPaths, scratch: Path, until_us: int) -> None:
    """Both hosts' telemetry is there and reaches to within a second or so of `until_us`."""
    found = kept(attempt, scratch)
    assert len(found) == 2, found
    for host, trace in found.items():
        assert trace.rows > 0
        assert until_us - trace.last_us < SECOND_US, (
            f"{host} ends {until_us - trace.last_us} us early"
        )


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


@pytest.mark.parametrize("node", ["n1", "n2"])
def test_a_crashed_node_is_named_whatever_a_rank_said_and_the_same_command_goes_on(
    cluster: Site, tmp_path: Path, node: str
) -> None:
    words = (*LONG_POINT, *TWO_NODES)
    attempt = cluster.start(tmp_path / "results", *words)
    crashed_us = time.time_ns() // 1000
    cluster.control("crash", node)
    # A surviving rank sees a connection break, seconds before Slurm misses the node.
    cluster.wait_ended(attempt)
    assert cluster.wait_end(attempt, "FAILED", "NODE_FAIL") == "NODE_FAIL"
    cluster.wait("the tables", attempt.manifest.is_file)
    end = read_json(attempt.ended)
    assert (end["state"], end["by"]) == (EndState.LOST, "Slurm")
    assert end["reason"].startswith(f"node {node} failed: Slurm says NODE_FAIL")
    # Slurm stops the survivors too: one that came to a word of its own is remembered.
    assert end.get("before", {"by": "rank 0"})["by"].startswith("rank ")
    assert read_json(attempt.manifest)["state"] == EndState.LOST
    check_kept(attempt, tmp_path / "copy", crashed_us)
    cluster.slurm("scontrol", "update", "partitionname=main", "state=down")
    try:
        assert "1 point queued" in cluster.launch(tmp_path / "results", *words).stdout
    finally:
        cluster.slurm("scancel", "--user", getpass.getuser())
        cluster.slurm("scontrol", "update", "partitionname=main", "state=up")


def test_a_controller_that_crashes_does_not_touch_running_jobs(
    cluster: Site, tmp_path: Path
) -> None:
    attempt = cluster.start(tmp_path / "results", *STEADY_POINT, *TWO_NODES, "min_window_s=15")
    # A job that started after the last save is no job to the next controller, which kills it.
    started_us = int(read_json(attempt.started)["t_us"])
    cluster.wait("slurmctld to save its jobs", lambda: seconds_since(started_us) > SAVING_S)
    cluster.control("restart-controller")
    assert cluster.wait_ended(attempt)["state"] == EndState.COMPLETED
    assert cluster.wait_end(attempt, "COMPLETED") == "COMPLETED"
    cluster.wait("the seal", attempt.seal.is_file)


def test_scancel_is_a_cancellation(cluster: Site, tmp_path: Path) -> None:
    attempt = cluster.start(tmp_path / "results", *LONG_POINT, *TWO_NODES)
    cluster.slurm("scancel", job_id(attempt))
    end = cluster.wait_ended(attempt)
    assert end["state"] == EndState.CANCELLED
    assert "cancelled" in end["reason"].lower()
    assert cluster.wait_end(attempt, "CANCELLED", "FAILED") == "CANCELLED"
    check_kept(attempt, tmp_path / "copy", cluster.stopped_us(attempt))


def test_a_time_limit_is_a_time_limit_and_telemetry_reaches_its_last_second(
    cluster: Site, tmp_path: Path
) -> None:
    attempt = cluster.start(tmp_path / "results", *LONG_POINT, *TWO_NODES, "cluster.timeout_min=1")
    assert cluster.wait_end(attempt, "TIMEOUT", "FAILED") == "TIMEOUT"
    end = cluster.wait_ended(attempt)
    assert end["state"] == EndState.TIMEOUT
    assert "time limit" in end["reason"]
    check_kept(attempt, tmp_path / "copy", cluster.stopped_us(attempt))
    # Slurm looks at limits every 30 seconds: the job had its minute.
    assert last_sign_us(attempt) - read_json(attempt.started)["t_us"] > 45_000_000


def test_out_of_memory_is_a_failure_that_keeps_its_telemetry(cluster: Site, tmp_path: Path) -> None:
    words = (*LONG_POINT, "gpus=2", "cluster.slurm.partition=small")
    attempt = cluster.queue(tmp_path / "results", *words)
    # The whole step is killed, so nobody is left to say why: the closing job asks Slurm.
    end = cluster.wait_ended(attempt)
    assert end["state"] == EndState.FAILED
    assert "Slurm says" in end["reason"]
    assert cluster.wait_end(attempt, "FAILED", "OUT_OF_MEMORY", "COMPLETED") != "COMPLETED"
    assert kept(attempt, tmp_path / "copy")["n1"].rows > 0


def test_a_drained_node_lets_its_job_end(cluster: Site, tmp_path: Path) -> None:
    attempt = cluster.start(tmp_path / "results", *STEADY_POINT, *TWO_NODES)
    cluster.slurm("scontrol", "update", "nodename=n2", "state=drain", "reason=test")
    # Slurm says draining while a job is on the node, drained from then on.
    assert cluster.slurm("sinfo", "-h", "-n", "n2", "-o", "%T") == "draining"
    assert cluster.wait_ended(attempt)["state"] == EndState.COMPLETED
    assert cluster.wait_end(attempt, "COMPLETED") == "COMPLETED"
    cluster.wait("the seal", attempt.seal.is_file)


def test_a_preempted_job_says_so(cluster: Site, tmp_path: Path) -> None:
    words = (*LONG_POINT, *TWO_NODES, "cluster.slurm.partition=low")
    attempt = cluster.start(tmp_path / "results", *words)
    cluster.slurm("sbatch", "-N4", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 1")
    end = cluster.wait_ended(attempt)
    assert end["state"] == EndState.LOST
    assert "preempted" in end["reason"].lower()
    assert cluster.wait_end(attempt, "PREEMPTED", "FAILED") == "PREEMPTED"
    check_kept(attempt, tmp_path / "copy", cluster.stopped_us(attempt))


def test_an_impossible_request_is_refused_at_submission_in_slurm_s_words(
    cluster: Site, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    done = cluster.launch(results, *POINT, *TWO_NODES, "cluster.slurm.constraint=unobtainium")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Invalid feature specification" in done.stderr
    assert cluster.slurm("squeue", "-h") == ""
    assert all(not run.attempts() for run in list_runs(results))


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
