"""A campaign on a real Slurm: queued in one go, seen and stopped from anywhere, never run twice."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launcher.slurm.job_arrays import JobArray, list_arrays
from launcher.slurm.reconcile import LAG_US, reconcile
from launcher.slurm.record import record_accounting
from telemetry.clock import wall_us
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths, campaigns_folder, list_runs
from telemetry.record.schema import EndState
from telemetry.record.seal import verify_seal
from tests.conftest import REPOSITORY
from tests.support.told import complaints
from tests.support.words import last_words
from tests.system.slurm.site import LONG_POINT, POINT, Site

TWO_SHAPES = ("gpus=1,2", "cluster.gpus_per_node=2")


def run_module(
    site: Site, module: str, results: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, str(results), *words],
        capture_output=True,
        text=True,
        check=False,
        env=site.environment,
        cwd=REPOSITORY,
        timeout=120,
    )


def start_launcher(site: Site, results: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "launcher", f"results={results}", *last_words(*words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=site.environment,
        cwd=REPOSITORY,
    )


def attempts(results: Path) -> list[AttemptPaths]:
    return [attempt for run in list_runs(results) for attempt in run.attempts()]


def hold(site: Site) -> None:
    """Nothing starts from now on."""
    site.slurm("scontrol", "update", "partitionname=main", "state=down")


@pytest.fixture
def held(cluster: Site) -> Site:
    hold(cluster)
    return cluster


@pytest.fixture(autouse=True)
def _open_partition(request: pytest.FixtureRequest) -> object:
    yield
    if "site" in request.fixturenames:
        site: Site = request.getfixturevalue("site")
        site.slurm("scontrol", "update", "partitionname=main", "state=up")


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
    hold(cluster)
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
    hold(cluster)
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


@pytest.mark.parametrize(
    "word", ["cluster.slurm.partition=nowhere", "cluster.slurm.constraint=nothing"]
)
def test_a_refused_campaign_says_so_in_slurm_s_words_and_leaves_nothing(
    cluster: Site, tmp_path: Path, word: str
) -> None:
    results = tmp_path / "results"
    done = cluster.launch(results, *POINT, *TWO_SHAPES, word)
    assert done.returncode == 2
    assert len(complaints(done.stderr)) == 1, done.stderr
    assert done.stderr.startswith("joulegrid: Slurm refuses: ")
    assert "nvalid" in done.stderr
    assert attempts(results) == []
    assert list(list_runs(results)) == []
    assert list(campaigns_folder(results).iterdir()) == []


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("results='a\nb'", "`results` must be a path without line breaks"),
        ("results=a%jb", "`results` must be a path without line breaks, %"),
        ("cluster.slurm.partition='a\ntouch pwned'", "`cluster.slurm.partition` must be a name"),
        ("cluster.slurm.qos='a\rb'", "`cluster.slurm.qos` must be a name on one line"),
    ],
)
def test_what_slurm_would_take_for_more_than_a_name_is_refused(
    cluster: Site, tmp_path: Path, word: str, expected: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "launcher", *last_words(*POINT, f"results={tmp_path}/r", word)],
        capture_output=True,
        text=True,
        check=False,
        env=cluster.environment,
        cwd=tmp_path,
    )
    assert done.returncode == 2, done.stdout
    assert expected in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_hostile_account_reaches_slurm_as_one_word(cluster: Site, tmp_path: Path) -> None:
    hostile = "a' $(touch pwned) \" ; touch pwned"
    quoted = hostile.replace("'", "\\'")
    done = cluster.launch(tmp_path / "results", *POINT, f"cluster.slurm.account='{quoted}'")
    assert "Traceback" not in done.stderr
    assert not list(REPOSITORY.glob("pwned"))
    assert "touch" not in cluster.slurm("squeue", "--format=%o")


def test_a_launcher_killed_after_sbatch_is_found_out_by_the_job_s_name(
    held: Site, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    attempt = held.queue(results, *POINT)
    (array,) = list_arrays(results)
    job_id = read_json(attempt.submitted)["job_id"]
    # As it lies when the launcher dies between sbatch and the record of its answer.
    array.beside("submitted.json").unlink()
    gone = subprocess.Popen(["true"])
    gone.wait()
    dead = {"host": array.host, "pid": gone.pid, "pid_created_us": 1}
    write_json(attempt.submitted, {"t_us": wall_us(), "executor": None, **dead})
    write_json(array.path, {**array.to_mapping(), **dead})
    again = held.launch(results, *POINT)
    assert "1 queued" in again.stdout, again.stdout + again.stderr
    assert len(attempts(results)) == 1
    assert read_json(attempt.submitted)["job_id"] == job_id


def test_a_launcher_killed_before_sbatch_leaves_a_point_that_is_queued_again(
    held: Site, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    launcher = start_launcher(held, results, *POINT, "seed=range(300)")
    held.wait("the first attempts", lambda: len(list(results.glob("*/attempt-001"))) > 20)
    launcher.send_signal(signal.SIGKILL)
    launcher.communicate()
    again = held.launch(results, *POINT, "seed=range(300)")
    assert again.returncode == 0, again.stderr
    open_attempts = [a for a in attempts(results) if not a.ended.is_file()]
    assert len(open_attempts) == 300
    queued = held.slurm("squeue", "--array", "--noheader", "--format=%j|%F|%K")
    live = [line for line in queued.splitlines() if "close" not in line]
    assert len(live) == len(set(live)) == 300


def test_a_number_that_slurm_gives_out_again_is_not_taken_for_ours(
    held: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", held.environment["SLURM_CONF"])
    results = tmp_path / "results"
    attempt = held.queue(results, *POINT)
    (array,) = list_arrays(results)
    # Slurm forgot the job; somebody else's has its number now.
    other = held.slurm("sbatch", "--parsable", "--job-name=other", "--wrap=true")
    content = read_json(array.beside("submitted.json"))
    old_us = wall_us() - LAG_US - 1
    write_json(array.beside("submitted.json"), {**content, "job_id": other, "t_us": old_us})
    held.slurm("scancel", f"--name={array.name}")
    reconcile(results)
    assert read_json(attempt.ended)["state"] == EndState.LOST
    stopped = run_module(held, "launcher.cancel", results)
    assert "0 of 0" in stopped.stdout
    assert held.slurm("squeue", "--noheader", "--format=%T", f"--jobs={other}") == "PENDING"
    record_accounting(next(list_arrays(results)))
    books = read_json(attempt.folder / "slurm_accounting.json")
    assert books["rows"] is None
    assert books["reason"].startswith(f"accounting has no job {other} named {array.name}")


def test_a_controller_that_is_down_leaves_every_attempt_as_it_was(
    held: Site, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    attempt = held.queue(results, *POINT)
    nowhere = tmp_path / "slurm.conf"
    nowhere.write_text("ClusterName=x\nSlurmctldHost=localhost(127.0.0.1)\nSlurmctldPort=1\n")
    env = {**os.environ, "SLURM_CONF": str(nowhere)}
    done = subprocess.run(
        [sys.executable, "-m", "launcher.status", str(results)],
        capture_output=True,
        text=True,
        check=False,
        env=env,
        cwd=REPOSITORY,
    )
    assert "note: Slurm's queue cannot be asked" in done.stdout
    assert "1 queued" in done.stdout
    assert not attempt.ended.is_file()


def test_waiting_ends_with_the_last_seal(cluster: Site, tmp_path: Path) -> None:
    results = tmp_path / "results"
    done = cluster.launch(results, *POINT, "wait=true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 point: 1 sealed" in done.stdout
    array: JobArray = next(list_arrays(results))
    assert ": sealed" in array.beside("close.log").read_text()
