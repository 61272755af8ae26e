"""A campaign on a real Slurm: queued in one go, seen and stopped from anywhere, never run twice."""

import stat
import time
from pathlib import Path

from launcher.slurm.job_arrays import JobArray, list_arrays
from telemetry.record.files import read_json
from telemetry.record.paths import campaigns_folder, list_runs
from telemetry.record.schema import EndState
from telemetry.record.seal import verify_seal
from tests.conftest import REPOSITORY
from tests.system.slurm.launching import attempts, run_module, start_launcher
from tests.system.slurm.site import LONG_POINT, POINT, Site

TWO_SHAPES = ("gpus=1,2", "cluster.gpus_per_node=2")


def test_a_campaign_of_two_shapes_ends_sealed_with_nobody_logged_in(
    cluster: Site, tmp_path: Path
) -> None:
    results = tmp_path / "it's; $(touch pwned) `touch pwned` & done"
    before = time.monotonic()
    done = cluster.launch(Path(f'"{results}"'), *POINT, *TWO_SHAPES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 points queued" in done.stdout
    assert time.monotonic() - before < 60
    assert len(list(list_arrays(results))) == 2
    cluster.wait("both seals", lambda: len(list(results.glob("*/attempt-001/seal.json"))) == 2)
    for run in list_runs(results):
        sealed = run.sealed()
        assert sealed is not None
        assert verify_seal(run, sealed) == []
        job = read_json(sealed.folder / "slurm.json")
        assert "JobState=RUNNING" in job["scontrol_show_job"]
        assert job["version"].startswith("slurm")
        books = read_json(sealed.folder / "slurm_accounting.json")
        assert books["rows"][0]["State"] == "COMPLETED"
        submitted = read_json(sealed.submitted)
        assert "#SBATCH --no-requeue" in submitted["sbatch"]
        assert "#SBATCH --exclusive" in submitted["sbatch"]
        assert (
            f"#SBATCH --ntasks-per-node={1 if '-g1-' in run.run_id else 2}" in submitted["sbatch"]
        )
        assert stat.S_IMODE(sealed.folder.stat().st_mode) == 0o750
    assert not list(REPOSITORY.glob("pwned"))
    assert not list(results.rglob("pwned"))
    status = run_module(cluster, "launcher.status", results)
    assert status.returncode == 0
    assert "2 points: 2 sealed" in status.stdout


def test_two_shells_with_the_same_command_queue_each_point_once(held: Site, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shells = [start_launcher(held, results, *POINT, "seed=range(20)") for _ in range(2)]
    printed = [shell.communicate(timeout=120) for shell in shells]
    assert [shell.returncode for shell in shells] == [0, 0], printed
    assert len(attempts(results)) == 20
    assert sum(len(array.members) for array in list_arrays(results)) == 20
    names = [array.name for array in list_arrays(results)]
    queue = held.slurm("squeue", "--array", "--noheader", f"--name={','.join(names)}")
    assert len(queue.splitlines()) == 20


def test_the_points_of_an_array_keep_the_campaign_s_shuffled_order(
    held: Site, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    done = held.launch(results, *POINT, *TWO_SHAPES, "seed=range(3)", "repeats=2")
    assert done.returncode == 0, done.stderr
    (record,) = campaigns_folder(results).glob("*/campaign.json")
    order = read_json(record)["order"]["run_ids"]
    arrays = list(list_arrays(results))
    assert [len(array.members) for array in arrays] == [6, 6]
    for array in arrays:
        members = [run_id for run_id, _ in array.members]
        assert members == [run_id for run_id in order if run_id in members]
        # A repeat comes after the one before it, whatever the order within.
        assert ["-r1-" in run_id for run_id in members] == [False] * 3 + [True] * 3


def test_status_tells_slurm_s_reason_and_the_same_command_queues_nothing_more(
    held: Site, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    held.queue(results, *POINT)
    status = run_module(held, "launcher.status", results)
    assert "1 queued" in status.stdout
    assert "PENDING (PartitionDown" in status.stdout
    # A controller that crashes later would else start a finished closing job again.
    closing = f"--name={next(list_arrays(results)).closing_name}"
    job = held.slurm("squeue", "--noheader", "--format=%i", closing)
    assert "Requeue=0" in held.slurm("scontrol", "show", "job", job)
    again = held.launch(results, *POINT)
    assert again.returncode == 0
    assert "1 queued" in again.stdout
    assert len(attempts(results)) == 1


def test_cancel_stops_what_runs_and_what_waits_and_the_same_command_goes_on(
    cluster: Site, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    done = cluster.launch(results, *LONG_POINT, "seed=1,2")
    assert done.returncode == 0, done.stderr
    first = attempts(results)
    cluster.wait("the first job", lambda: any(a.started.is_file() for a in first))
    stopped = run_module(cluster, "launcher.cancel", results)
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    assert "2 of 2 attempts stopped" in stopped.stdout
    assert {read_json(a.ended)["state"] for a in first} == {EndState.CANCELLED}
    cluster.hold()
    again = cluster.launch(results, *LONG_POINT, "seed=1,2")
    assert "2 points queued" in again.stdout, again.stdout + again.stderr
    assert sorted(a.number for a in attempts(results)) == [1, 1, 2, 2]


def test_a_failed_point_is_queued_again_only_when_asked(cluster: Site, tmp_path: Path) -> None:
    results = tmp_path / "results"
    attempt = cluster.queue(results, *POINT)
    attempt.shards("responses").parent.mkdir(exist_ok=True)
    attempt.shards("responses").write_text("in the way")
    cluster.wait_ended(attempt)
    cluster.wait_end(attempt, "FAILED")
    cluster.hold()
    refused = cluster.launch(results, *POINT)
    assert refused.returncode == 1
    assert "retry=failed" in refused.stderr
    assert len(attempts(results)) == 1
    status = run_module(cluster, "launcher.status", results)
    assert status.returncode == 1
    assert "failed" in status.stdout
    assert "log: " in status.stdout
    again = cluster.launch(results, *POINT, "retry=failed")
    assert "1 point queued" in again.stdout
    assert len(attempts(results)) == 2


def test_a_job_cancelled_by_hand_gets_its_end_from_slurm(held: Site, tmp_path: Path) -> None:
    results = tmp_path / "results"
    attempt = held.queue(results, *POINT)
    held.slurm("scancel", str(read_json(attempt.submitted)["job_id"]))
    held.wait(
        "accounting",
        lambda: (
            bool(run_module(held, "launcher.status", results).stdout) and attempt.ended.is_file()
        ),
    )
    end = read_json(attempt.ended)
    assert (end["state"], end["by"]) == (EndState.CANCELLED, "Slurm")


def test_waiting_ends_with_the_last_seal(cluster: Site, tmp_path: Path) -> None:
    results = tmp_path / "results"
    done = cluster.launch(results, *POINT, "wait=true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 point: 1 sealed" in done.stdout
    array: JobArray = next(list_arrays(results))
    assert ": sealed" in array.beside("close.log").read_text()
