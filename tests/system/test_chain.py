"""The whole chain on this machine: a grid goes in, a sealed and audited record comes out.

Every test starts real jobs through submitit's local executor, with real ranks and watchers.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from analysis.audit.check import Outcome
from telemetry.record.files import file_sha256, read_json
from telemetry.record.paths import AttemptPaths, RunPaths, campaigns_folder, list_runs
from telemetry.record.planned import Planned, plan_sha256
from telemetry.record.schema import EndState
from telemetry.record.seal import verify_seal
from telemetry.record.spec import RunSpec
from tests.analysis.audit.forging import look_at_all
from tests.support.resting import resting
from tests.support.told import complaints
from tests.support.words import last_words

pytestmark = pytest.mark.chain

POINT = (
    "cluster=local",
    "dataset.source=sample",
    "prompts=4",
    "batch_size=2",
    "max_prompt_len=8",
    "max_gen_len=4",
    "telemetry.idle_s=0.3",
    "allow_dirty=true",
)
LONG_POINT = (*POINT, "max_gen_len=64", "min_window_s=600")
"""A point that answers for ten minutes: it is stopped in the middle."""
PATIENCE_S = 60.0


def command(results: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "launcher", f'results="{results}"', *last_words(*words)]


def launch(results: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(results, *words), capture_output=True, text=True, check=False, timeout=240
    )


def only_run(results: Path) -> RunPaths:
    (run,) = list_runs(results)
    return run


def wait_for(what: str, condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"waited {PATIENCE_S:g} s for {what}"
        time.sleep(0.05)


def decoding(results: Path) -> bool:
    """True once the only run's last attempt answers prompts."""
    for run in list_runs(results):
        for attempt in run.attempts():
            if attempt.progress.is_file() and read_json(attempt.progress)["phase"] == "decode":
                return True
    return False


def rank_processes(attempt: AttemptPaths) -> list[psutil.Process]:
    return [psutil.Process(read_json(path)["pid"]) for path in sorted(attempt.ranks.glob("*.json"))]


def processes_of(results: Path) -> list[int]:
    """Processes whose command line names the results folder: ranks, watchers, controllers."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        words = process.info["cmdline"] or []
        if any(str(results) in word for word in words):
            found.append(process.info["pid"])
    return found


@pytest.fixture
def background(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts launchers that are still running when it returns; ends what is left of them."""
    started: list[subprocess.Popen[str]] = []
    # A shell that starts us in the background has us ignore Ctrl-C, and children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command(tmp_path / "results", *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    signal.signal(signal.SIGINT, before)
    for process in started:
        process.kill()
        process.communicate()
    for pid in processes_of(tmp_path / "results"):
        psutil.Process(pid).kill()


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two sealed points: one rank and two."""
    results = tmp_path_factory.mktemp("chain") / "results"
    done = launch(results, "-m", "gpus=1,2", *POINT)
    assert done.returncode == 0, done.stdout + done.stderr
    return results


def test_a_grid_ends_sealed_and_names_the_next_command(sealed: Path) -> None:
    runs = list(list_runs(sealed))
    assert [run.sealed() is not None for run in runs] == [True, True]
    for run in runs:
        attempt = run.sealed()
        assert attempt is not None
        assert verify_seal(run, attempt) == []


def test_points_ran_one_after_the_other_in_the_order_that_the_campaign_records(
    sealed: Path,
) -> None:
    (folder,) = campaigns_folder(sealed).iterdir()
    order = read_json(folder / "campaign.json")["order"]
    started = {run.run_id: read_json(run.attempt(1).started)["t_us"] for run in list_runs(sealed)}
    assert order["run_ids"] == sorted(started, key=started.__getitem__)


def test_each_attempt_has_the_digest_of_the_plan_that_made_it(sealed: Path) -> None:
    (folder,) = campaigns_folder(sealed).iterdir()
    places = [Planned.of(read_json(run.attempt(1).provenance)) for run in list_runs(sealed)]
    assert sorted(place.number for place in places if place is not None) == [0, 1]
    assert {(place.plan_sha256, place.count) for place in places if place is not None} == {
        (plan_sha256(folder / "campaign.json"), 2)
    }
    assert look_at_all(sealed, "planned")[""].outcome is Outcome.PASSED


def test_a_point_without_memory_fails_with_its_figures_and_the_rest_of_the_grid_goes_on(
    tmp_path: Path,
) -> None:
    results = tmp_path / "results"
    # Keys and values of the large point take 4.6 GB, all that an import of torch maps is 1 GB.
    limit = ("prlimit", "--as=4500000000")
    words = (*POINT, "-m", "batch_size=2,2048", "prompts=2", "max_prompt_len=16", "max_gen_len=256")
    done = subprocess.run(
        [*limit, *command(results, *words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    small, large = sorted(list_runs(results), key=lambda run: RunSpec.read(run.spec).batch_size)
    assert small.sealed() is not None
    ended = read_json(large.attempt(1).ended)
    assert ended["state"] == EndState.FAILED
    assert ended["reason"].startswith("out of memory: ")
    assert ended["memory"]["phase"] == "load"
    assert ended["memory"]["estimated"]["total_bytes"] > ended["memory"]["limit_bytes"]
    status = subprocess.run(
        [sys.executable, "-m", "launcher.status", str(results)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "2 points: 1 failed, 1 sealed" in status.stdout
    assert "out of memory: " in status.stdout
    assert "the log ends" not in status.stdout


def test_both_ranks_of_a_model_parallel_run_leave_spans_and_their_gpu_s_power(sealed: Path) -> None:
    run = next(run for run in list_runs(sealed) if "-g2-" in run.run_id)
    attempt = run.sealed()
    assert attempt is not None
    spans = pq.read_table(attempt.table("spans"))
    assert set(spans["rank"].to_pylist()) == {0, 1}
    samples = pq.read_table(attempt.table("samples"), filters=[("field", "=", "power_instant_w")])
    assert set(spans["gpu_uuid"].to_pylist()) == set(samples["device"].to_pylist())
    assert len(pq.read_table(attempt.table("responses"))) == 4


def test_the_audit_finds_nothing_wrong_and_the_report_opens(sealed: Path) -> None:
    for module in ("analysis", "analysis.audit"):
        done = subprocess.run(
            [sys.executable, "-m", module, str(sealed)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "SIMULATED" in (sealed / "report" / "index.html").read_text().upper()


def test_the_same_command_again_starts_nothing(sealed: Path) -> None:
    before = {path: file_sha256(path) for path in sealed.rglob("*") if path.is_file()}
    campaigns = list(campaigns_folder(sealed).iterdir())
    done = launch(sealed, "-m", "gpus=1,2", *POINT)
    assert done.returncode == 0, done.stderr
    assert "2 sealed" in done.stdout
    assert list(campaigns_folder(sealed).iterdir()) == campaigns
    assert {path: file_sha256(path) for path in before} == before


def test_a_results_folder_with_a_hostile_name_is_only_a_name(tmp_path: Path) -> None:
    results = tmp_path / "it's; touch pwned $(touch pwned) `touch pwned` & done"
    done = launch(results, *POINT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert only_run(results).sealed() is not None
    assert not list(Path.cwd().glob("pwned"))
    assert [child.name for child in tmp_path.iterdir()] == [results.name]


def test_a_rank_killed_9_fails_the_attempt_and_the_next_one_is_sealed(
    tmp_path: Path, background: Callable[..., subprocess.Popen[str]]
) -> None:
    results = tmp_path / "results"
    launcher = background("gpus=2", *LONG_POINT)
    wait_for("the first prompts", lambda: decoding(results))
    run = only_run(results)
    first = run.attempt(1)
    rank_processes(first)[1].send_signal(signal.SIGKILL)
    out, err = launcher.communicate(timeout=PATIENCE_S)
    assert launcher.returncode == 1, out + err
    end = read_json(first.ended)
    assert end["state"] in {EndState.FAILED, EndState.LOST}
    assert end["reason"]
    assert not first.seal.is_file()
    assert pq.read_metadata(first.table("samples")).num_rows > 0
    assert run.sealed() is None
    kept = {path: file_sha256(path) for path in first.folder.rglob("*") if path.is_file()}

    again = background("gpus=2", *LONG_POINT)
    wait_for("the second attempt", run.attempt(2).started.is_file)
    assert {path: file_sha256(path) for path in kept} == kept
    again.send_signal(signal.SIGTERM)
    again.communicate(timeout=PATIENCE_S)


def test_ctrl_c_cancels_the_job_labels_the_attempt_and_leaves_no_process(
    tmp_path: Path, background: Callable[..., subprocess.Popen[str]]
) -> None:
    results = tmp_path / "results"
    launcher = background("gpus=2", *LONG_POINT)
    wait_for("the first prompts", lambda: decoding(results))
    os.killpg(launcher.pid, signal.SIGINT)
    _, err = launcher.communicate(timeout=PATIENCE_S)
    assert launcher.returncode == 130
    assert err == "joulegrid: stopped; attempts are labelled, the same command goes on\n"
    attempt = only_run(results).attempt(1)
    assert read_json(attempt.ended)["state"] == EndState.CANCELLED
    wait_for("all processes to be gone", lambda: not processes_of(results))


def test_cancel_beside_a_launcher_ends_it_with_one_line(
    tmp_path: Path, background: Callable[..., subprocess.Popen[str]]
) -> None:
    results = tmp_path / "results"
    launcher = background(*LONG_POINT)
    wait_for("the first prompts", lambda: decoding(results))
    done = subprocess.run(
        [sys.executable, "-m", "launcher.cancel", str(results)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert (done.returncode, complaints(done.stderr)) == (0, [])
    assert "1 of 1 attempts stopped" in done.stdout
    _, err = launcher.communicate(timeout=PATIENCE_S)
    assert launcher.returncode == 130
    assert err == "joulegrid: stopped; attempts are labelled, the same command goes on\n"
    wait_for("all processes to be gone", lambda: not processes_of(results))


def test_a_launcher_killed_9_leaves_its_job_and_the_next_call_does_not_run_it_twice(
    tmp_path: Path, background: Callable[..., subprocess.Popen[str]]
) -> None:
    results = tmp_path / "results"
    point = (*POINT, "min_window_s=7")
    launcher = background(*point)
    wait_for("the first prompts", lambda: decoding(results))
    run = only_run(results)
    # However long a launcher plans on a busy machine: the job still answers.
    with resting(run.attempt(1), 7.0):
        launcher.kill()
        # Not communicate(): the job holds the launcher's pipes open.
        launcher.wait()
        meanwhile = launch(results, *point)
        assert "1 running" in meanwhile.stdout
    wait_for("the job's end", lambda: run.attempt(1).ended.is_file() and not processes_of(results))
    after = launch(results, *point)
    assert after.returncode == 0, after.stdout + after.stderr
    assert [attempt.number for attempt in run.attempts()] == [1]
    assert run.sealed() is not None


FULL_DISK = """
import pathlib, subprocess, sys
from tests.support.resting import resting
from tests.support.told import complaints
results, words = pathlib.Path(sys.argv[1]), sys.argv[2:]
results.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(results)], check=True)
def launch(*more):
    command = [sys.executable, "-m", "launcher", f"results={results}", *words, *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)
first = launch()
print("FIRST", first.returncode, first.stderr)
try:
    with (results / "filler").open("wb") as sink:
        while True:
            sink.write(bytes(4096))
            sink.flush()
except OSError:
    pass
second = launch("seed=2")
print("SECOND", second.returncode, second.stderr)
print("LINES", len(complaints(second.stderr)))
from telemetry.record.paths import list_runs
from telemetry.record.seal import verify_seal
for run in list_runs(results):
    if run.sealed():
        print("DIFFERENCES", verify_seal(run, run.sealed()))
(results / "filler").unlink()
third = launch("seed=2")
print("THIRD", third.returncode, third.stderr)
print("SEALED", sum(run.sealed() is not None for run in list_runs(results)))
"""


def test_a_full_disk_loses_nothing_sealed_and_the_same_command_goes_on(tmp_path: Path) -> None:
    probe = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode:
        pytest.skip(f"no private mounts here: {probe.stderr.strip()}")
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", FULL_DISK, str(tmp_path / "results"), *POINT],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    assert "FIRST 0" in printed
    assert "SECOND 1 joulegrid: " in printed
    assert "No space left on device" in printed
    assert "LINES 1\n" in printed
    assert "DIFFERENCES []" in printed
    assert "THIRD 0" in printed
    assert "SEALED 2" in printed
