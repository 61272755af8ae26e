"""repeats=auto on this machine: rounds until it is enough, and on again after a kill -9."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from launcher.status import main as status
from telemetry.record.files import read_json
from telemetry.record.paths import campaigns_folder, list_runs
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.grids

# Simulated joules follow this machine's own speed, which scatters: no interval is so narrow.
WORDS = (
    *("cluster=local", "gpu=simulated-a100", "model=nano", "dataset.source=sample", "prompts=2"),
    *("batch_size=2", "max_prompt_len=8", "max_gen_len=2", "telemetry.idle_s=0.3"),
    *("allow_dirty=true", "repeats=auto", "repeats_width=1e-9", "repeats_most=4"),
)
PATIENCE_S = 120.0


def command(results: Path) -> list[str]:
    return [sys.executable, "-m", "launcher", f"results={results}", *WORDS]


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "400"}
    return subprocess.run(
        words, capture_output=True, text=True, check=False, env=environment, cwd=REPOSITORY
    )


def decided(results: Path) -> dict[str, Any]:
    records = sorted(campaigns_folder(results).glob("*/repeats.json"))
    return read_json(records[-1])


def test_rounds_go_on_where_a_kill_ended_them_and_what_was_decided_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    with subprocess.Popen(
        command(results), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=REPOSITORY
    ) as first:
        deadline_s = time.monotonic() + PATIENCE_S
        while len(list(results.glob("*-r1-*/attempt-001/seal.json"))) < 1:
            assert time.monotonic() < deadline_s
            assert first.poll() is None
            time.sleep(0.05)
        first.send_signal(signal.SIGKILL)
    deadline_s = time.monotonic() + PATIENCE_S
    # What its killed launcher left running is waited for, not run beside.
    while "most reached" not in (again := run(command(results))).stdout:
        assert time.monotonic() < deadline_s, again.stdout + again.stderr
    assert again.returncode == 0, again.stderr
    assert sorted(run_.run_id.rpartition("-r")[2][0] for run_ in list_runs(results)) == list("0123")
    assert all(run_.sealed() for run_ in list_runs(results))
    content = decided(results)
    (point,) = content["points"]
    assert (point["standing"], point["n"]) == ("most reached", 4)
    assert [look["n"] for look in point["looks"]] == [3, 4]
    assert point["looks"][-1]["half_width"] == point["half_width"] > 1e-9
    assert content["drift"]["rounds"] == 4
    assert "drift" in again.stdout
    files = {path: path.stat().st_mtime_ns for path in results.rglob("*") if path.is_file()}
    assert run(command(results)).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*") if path.is_file()} == files
    assert status([str(results)]) == 0
    told = capsys.readouterr().out
    assert "repeats=auto after round 4 of at most 4: 1 point, 1 most reached" in told
    assert "SIMULATED: nano-" in told
