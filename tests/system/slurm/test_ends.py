"""What Slurm does to jobs: it cancels, limits, preempts and refuses them, and that is told.

In each test a point of two ranks on two nodes is queued by the launcher and something happens.
"""

from pathlib import Path

from telemetry.record.files import read_json
from telemetry.record.paths import list_runs
from telemetry.record.schema import EndState
from tests.system.slurm.site import (
    LONG_POINT,
    POINT,
    TWO_NODES,
    Site,
    job_id,
    kept,
)
from tests.system.slurm.telemetry_kept import check_kept, last_sign_us


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
    # It rests all the while, and leaves the processors to the tests beside it.
    words = (*LONG_POINT, *TWO_NODES, "cluster.timeout_min=1", "telemetry.idle_s=600")
    attempt = cluster.queue(tmp_path / "results", *words)
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
