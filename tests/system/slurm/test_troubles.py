"""What goes wrong around a job, on a real Slurm: it is told, and nothing written changes."""

import contextlib
import getpass
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths, list_runs
from telemetry.record.schema import EndState
from tests.conftest import REPOSITORY
from tests.system.slurm.site import LONG_POINT, POINT, Site, job_id


def run_module(site: Site, module: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        capture_output=True,
        text=True,
        check=False,
        env=site.environment,
        cwd=REPOSITORY,
        timeout=120,
    )


def status(site: Site, results: Path) -> str:
    done = run_module(site, "launcher.status", str(results))
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def logs(attempt: AttemptPaths) -> Path:
    return Path(read_json(attempt.submitted)["folder"])


def test_a_line_of_setup_that_fails_ends_the_job_and_is_named(
    cluster: Site, tmp_path: Path
) -> None:
    lines = ["true", "module load nothere/1.0", "true"]
    results = tmp_path / "a b's $(touch pwned)"
    done = cluster.launch(Path(f'"{results}"'), *POINT, f"cluster.slurm.setup={json.dumps(lines)}")
    assert done.returncode == 0, done.stderr
    attempt = next(list_runs(results)).attempt(1)
    end = cluster.wait_ended(attempt)
    assert end["state"] == EndState.FAILED
    assert end["reason"] == f"setup failed: {lines[1]} (exit code 127)"
    assert not attempt.started.is_file()
    number = str(read_json(attempt.submitted)["job_id"])
    assert cluster.slurm("sacct", "-nXPj", number, "-o", "ExitCode") == "127:0"
    assert f"setup failed: {lines[1]}" in status(cluster, results)


def test_a_forced_requeue_ends_the_attempt_and_its_second_run_writes_nothing_into_it(
    cluster: Site, tmp_path: Path
) -> None:
    attempt = cluster.start(tmp_path / "results", *LONG_POINT)
    number = job_id(attempt)
    cluster.slurm("scontrol", "update", f"jobid={number}", "requeue=1")
    cluster.slurm("scontrol", "requeue", number)
    end = cluster.wait_ended(attempt)
    assert end["state"] == EndState.LOST
    assert "requeued" in end["reason"]
    kept = {path: path.read_bytes() for path in (attempt.started, attempt.ended)}
    note = logs(attempt) / f"{number}.requeued.json"
    cluster.wait("the second run", note.is_file)
    cluster.wait("its end", lambda: not cluster.slurm("squeue", "-h", "-j", number))
    assert {path: path.read_bytes() for path in kept} == kept
    assert read_json(note)["restarts"] == 1
    assert cluster.wait_end(attempt, "REQUEUED", "COMPLETED", "FAILED")
    assert "another task" not in attempt.ended.read_text()


def test_a_closing_job_that_slurm_refuses_is_told_at_once_and_the_next_command_does_its_work(
    cluster: Site, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    words = (*LONG_POINT, "cluster.slurm.closing_partition=nowhere")
    done = cluster.launch(results, *words)
    assert done.returncode == 1
    assert "no job will merge and seal 1 point, as Slurm refuses it" in done.stderr
    assert "nvalid partition" in done.stderr
    assert "merged and sealed as they end" not in done.stdout
    (run,) = list_runs(results)
    attempt = run.attempt(1)
    assert "no job merges and seals 1 point" in status(cluster, results)
    cluster.wait("shards", (attempt.folder / "shards" / "samples").is_dir)
    # As a user's `scancel -u` does, which takes closing jobs along.
    cluster.slurm("scancel", "--user", getpass.getuser())
    cluster.wait_ended(attempt)
    said = status(cluster, results)
    assert "no job merges and seals 1 point" in said
    assert "python -m launcher.campaign.finalize" in said
    cluster.slurm("scontrol", "update", "partitionname=main", "state=down")
    try:
        again = cluster.launch(results, *words)
    finally:
        cluster.slurm("scontrol", "update", "partitionname=main", "state=up")
    assert f"{run.run_id} attempt 1: merged, cancelled" in again.stdout, again.stdout
    assert read_json(attempt.manifest)["tables"]["samples"]["rows"] > 0
    assert read_json(attempt.folder / "slurm_accounting.json")["rows"][0]["State"]


@contextlib.contextmanager
def kept_full(filler: Path) -> Iterator[None]:
    """Within it what a running job lets go of on the filler's disk is taken at once."""
    done = threading.Event()

    def fill() -> None:
        with filler.open("ab", buffering=0) as file:
            while True:
                with contextlib.suppress(OSError):
                    while file.write(bytes(1 << 16)):
                        pass
                with contextlib.suppress(OSError):
                    while file.write(bytes(1 << 12)):
                        pass
                if done.wait(0.001):
                    return

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        # The first fill takes some milliseconds.
        time.sleep(0.5)
        yield
    finally:
        done.set()
        thread.join()


def test_a_full_or_read_only_disk_is_named_by_whoever_looks_and_the_end_is_shown(
    cluster: Site,
) -> None:
    if cluster.disk is None:
        pytest.skip("no small disk can be mounted here")
    results = cluster.disk / "results"
    # Spans so long that no rank has to write one, and fails by it, before it is cancelled.
    attempt = cluster.start(results, *LONG_POINT, "max_gen_len=2000")
    filler = cluster.disk / "filler"
    with kept_full(filler):
        stopped = run_module(cluster, "launcher.cancel", str(results))
        assert "Traceback" not in stopped.stderr
        assert "1 of 1 attempts stopped" in stopped.stdout
        assert "is full (No space left on device)" in stopped.stdout
        assert not attempt.ended.is_file()
        said = status(cluster, results)
        assert f"{results} is full (No space left on device)" in said
        assert "1 cancelled" in said
        closing = run_module(cluster, "launcher.campaign.finalize", str(results))
        assert closing.returncode != 0
        assert "Traceback" not in closing.stderr
    subprocess.run(["mount", "-o", "remount,ro", cluster.disk], check=True)
    assert f"{results} is read-only" in status(cluster, results)
    subprocess.run(["mount", "-o", "remount,rw", cluster.disk], check=True)
    filler.unlink()
    closing = run_module(cluster, "launcher.campaign.finalize", str(results))
    assert closing.returncode == 0, closing.stderr
    assert read_json(attempt.ended)["state"] == EndState.CANCELLED
    assert attempt.manifest.is_file()


def test_without_accounting_the_controller_tells_how_a_job_ended(
    cluster: Site, tmp_path: Path
) -> None:
    cluster.slurm("scontrol", "update", "partitionname=main", "state=down")
    try:
        attempt = cluster.queue(tmp_path / "results", *POINT)
        daemon = read_json(cluster.folder / "run" / "slurmdbd.json")
        os.kill(daemon["pid"], signal.SIGKILL)
        cluster.slurm("scancel", str(read_json(attempt.submitted)["job_id"]))
        said = status(cluster, tmp_path / "results")
    finally:
        cluster.control(*cluster.up)
        cluster.slurm("scontrol", "update", "partitionname=main", "state=up")
    assert "note: Slurm's accounting cannot be asked" in said
    assert "1 cancelled" in said
    assert "left" not in said


def test_what_a_partition_cannot_hold_is_refused_by_the_plan(cluster: Site, tmp_path: Path) -> None:
    words = (*POINT, "gpus=8", "cluster.gpus_per_node=1", "plan=true")
    assert "needs 8 nodes, but partition main has 4" in cluster.launch(tmp_path, *words).stdout
    done = cluster.launch(tmp_path / "results", *words[:-1])
    assert done.returncode == 3
    assert not (tmp_path / "results").exists()
