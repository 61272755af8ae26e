"""A campaign that Slurm refuses, or whose launcher dies, loses nothing and doubles nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.slurm.job_arrays import list_arrays
from launcher.slurm.reconcile import LAG_US, reconcile
from launcher.slurm.record import record_accounting
from telemetry.clock import wall_us
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import campaigns_folder, list_runs
from telemetry.record.schema import EndState
from tests.conftest import REPOSITORY
from tests.support.told import complaints
from tests.support.words import last_words
from tests.system.slurm.launching import attempts, run_module, start_launcher
from tests.system.slurm.site import POINT, Site

TWO_SHAPES = ("gpus=1,2", "cluster.gpus_per_node=2")


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
