"""repeats=auto on a real Slurm: a round is queued, and looked at once it has ended."""

from pathlib import Path

import pytest

from launcher.slurm.job_arrays import list_arrays
from launcher.status import main as status
from telemetry.record.files import read_json
from telemetry.record.paths import campaigns_folder, list_runs
from tests.system.slurm.site import POINT, Site

# Simulated joules follow this machine's own speed, which scatters: no interval is so narrow.
WORDS = (*POINT, "repeats=auto", "repeats_width=1e-9", "repeats_most=4", "prompts=2")


def test_the_same_command_queues_the_next_round_and_waiting_does_it_by_itself(
    cluster: Site,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = tmp_path / "results"
    first = cluster.launch(results, *WORDS)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "3 points queued" in first.stdout
    assert f"next: python -m launcher.status {results}" in first.stdout
    cluster.wait("three seals", lambda: len(list(results.glob("*/attempt-001/seal.json"))) == 3)
    cluster.wait("an empty queue", lambda: not cluster.slurm("squeue", "-h"))
    monkeypatch.setenv("SLURM_CONF", cluster.environment["SLURM_CONF"])
    status([str(results)])
    told = capsys.readouterr().out
    assert "repeats=auto: a round has ended; the same command looks at it and goes on" in told
    assert "next: python -m launcher cluster=devcluster" in told
    second = cluster.launch(results, *WORDS, "wait=true")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "1 point queued" in second.stdout
    assert "1 point, 1 most reached" in second.stdout
    assert all(run.sealed() for run in list_runs(results))
    assert [len(array.members) for array in list_arrays(results)] == [3, 1]
    record = max(campaigns_folder(results).glob("*/repeats.json"))
    assert [look["n"] for look in read_json(record)["points"][0]["looks"]] == [3, 4]
