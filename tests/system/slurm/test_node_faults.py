"""What nodes and controllers do to jobs, on a real Slurm: they crash, or are drained.

In each test a point of two ranks on two nodes is queued by the launcher and something happens.
"""

import time
from pathlib import Path

import pytest

from telemetry.record.files import read_json
from telemetry.record.schema import EndState
from tests.support.resting import resting
from tests.system.slurm.site import (
    LONG_POINT,
    STEADY_POINT,
    STEADY_S,
    TWO_NODES,
    Site,
    seconds_since,
)
from tests.system.slurm.telemetry_kept import check_kept

# slurmctld saves its jobs at most 5 s after a change (SAVE_MAX_WAIT, src/slurmctld/state_save.c).
SAVING_S = 7.0


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
    cluster.hold()
    assert "1 point queued" in cluster.launch(tmp_path / "results", *words).stdout


def test_a_controller_that_crashes_does_not_touch_running_jobs(
    cluster: Site, tmp_path: Path
) -> None:
    attempt = cluster.start(tmp_path / "results", *STEADY_POINT, *TWO_NODES)
    with resting(attempt, STEADY_S):
        # A job that started after the last save is no job to the next controller, which kills it.
        started_us = int(read_json(attempt.started)["t_us"])
        cluster.wait("slurmctld to save its jobs", lambda: seconds_since(started_us) > SAVING_S)
        cluster.control("restart-controller")
    assert cluster.wait_ended(attempt)["state"] == EndState.COMPLETED
    assert cluster.wait_end(attempt, "COMPLETED") == "COMPLETED"
    cluster.wait("the seal", attempt.seal.is_file)


def test_a_drained_node_lets_its_job_end(cluster: Site, tmp_path: Path) -> None:
    attempt = cluster.start(tmp_path / "results", *STEADY_POINT, *TWO_NODES)
    with resting(attempt, STEADY_S):
        cluster.slurm("scontrol", "update", "nodename=n2", "state=drain", "reason=test")
        # Slurm says draining while a job is on the node, drained from then on.
        assert cluster.slurm("sinfo", "-h", "-n", "n2", "-o", "%T") == "draining"
    assert cluster.wait_ended(attempt)["state"] == EndState.COMPLETED
    assert cluster.wait_end(attempt, "COMPLETED") == "COMPLETED"
    cluster.wait("the seal", attempt.seal.is_file)
