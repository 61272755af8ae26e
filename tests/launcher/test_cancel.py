"""Cancel stops what was named, and nothing beside it."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from launcher.cancel import main
from telemetry.clock import US_PER_S
from telemetry.record.attempt_state import attempt_state, this_host
from telemetry.record.files import write_json
from telemetry.record.paths import AttemptPaths, campaigns_folder
from tests.support.watched_attempts import end_attempt, make_attempt


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as sleeper:
        yield sleeper
        sleeper.kill()


def identity(process: subprocess.Popen[bytes]) -> dict[str, object]:
    created_us = round(psutil.Process(process.pid).create_time() * US_PER_S)
    return {"host": min(this_host()), "pid": process.pid, "pid_created_us": created_us}


def write_campaign(results: Path, name: str, points: Sequence[str], **more: object) -> None:
    folder = campaigns_folder(results) / name
    folder.mkdir(parents=True)
    content = {"points": [{"run_id": run_id} for run_id in points], **more}
    write_json(folder / "campaign.json", content)


def make_running(
    results: Path, process: subprocess.Popen[bytes], seed: int
) -> tuple[str, AttemptPaths]:
    run, attempt = make_attempt(results, spec={"seed": seed})
    write_json(attempt.submitted, {"executor": "local", **identity(process)})
    return run.run_id, attempt


def test_a_run_of_another_campaign_is_refused_and_nothing_stopped(
    tmp_path: Path, process: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    mine, attempt = make_running(tmp_path, process, 1)
    write_campaign(tmp_path, "one", [mine])
    write_campaign(tmp_path, "two", [])
    assert main([str(tmp_path), mine, "--campaign", "two"]) == 2
    printed = capsys.readouterr().err
    assert printed == (
        f"cancel: `RUN_ID` must be a run of campaign two, which has 0, but is {mine!r} instead\n"
    )
    assert process.poll() is None
    assert not attempt_state(attempt).ended


def test_a_run_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, attempt = make_attempt(tmp_path)
    end_attempt(attempt)
    assert main([str(tmp_path), "foo"]) == 2
    assert capsys.readouterr().err.endswith(", but is 'foo' instead\n")
    assert main([str(tmp_path), run.run_id[:-2]]) == 2
    assert capsys.readouterr().err.endswith(f"did you mean {run.run_id}?\n")


def test_a_run_s_own_folder_stops_that_run(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    mine, attempt = make_running(tmp_path, process, 1)
    _, other = make_attempt(tmp_path, spec={"seed": 2})
    assert main([str(tmp_path / mine)]) == 0
    assert process.wait(10) != 0
    assert attempt_state(attempt).ended
    assert not attempt_state(other).ended


def test_a_campaign_without_points_stops_no_other_s(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    mine, attempt = make_running(tmp_path, process, 1)
    write_campaign(tmp_path, "one", [mine])
    write_campaign(tmp_path, "two", [])
    assert main([str(tmp_path), "--campaign", "two"]) == 0
    assert process.poll() is None
    assert not attempt_state(attempt).ended


def test_a_campaign_is_stopped_with_its_launcher(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    run, attempt = make_attempt(tmp_path)
    end_attempt(attempt)
    write_campaign(tmp_path, "one", [run.run_id], launcher=identity(process))
    assert main([str(tmp_path), "--campaign", "one"]) == 0
    assert process.wait(10) != 0


def test_a_named_run_is_stopped_and_says_by_whom(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    mine, attempt = make_running(tmp_path, process, 1)
    assert main([str(tmp_path), mine]) == 0
    assert process.wait(10) != 0
    assert attempt_state(attempt).reason == "stopped by launcher.cancel"
