"""Engine vllm goes the whole way on its double: plan, jobs of two ranks, record, audit, report."""

import csv
import os
import subprocess
from pathlib import Path

import pytest

from analysis.audit.check import Outcome
from analysis.audit.run import audit_results
from telemetry.record.paths import list_runs
from tests.support.served import DOUBLE
from tests.system.test_chain import POINT, command

pytestmark = pytest.mark.chain


def said(words: list[str], site: Path | None = DOUBLE) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({} if site is None else {"PYTHONPATH": str(site)})}
    return subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=240, env=environment
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of batches and a served load, each on two ranks, with tables and report."""
    folder = tmp_path_factory.mktemp("served") / "results"
    words = ("gpu=simulated-a100", "gpus=2", "engine=vllm", "arrivals_per_s=null,8")
    done = said(command(folder, "-m", *POINT, *words))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def rows_of(results: Path, table: str) -> list[dict[str, str]]:
    (path,) = results.rglob(f"{table}.csv")
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_batches_and_a_served_load_are_sealed_and_pass_the_audit(results: Path) -> None:
    assert [run.sealed() is not None for run in list_runs(results)] == [True, True]
    looked = {line.name: [one for _, one in line.findings] for line in audit_results(results)}
    assert not [
        name for name, all_ in looked.items() if any(o.outcome is Outcome.FAILED for o in all_)
    ]
    told = {one.evidence for one in looked["arrivals"]}
    assert any("4 requests came as drawn at 8/s" in evidence for evidence in told)
    assert "4 requests were handed over with their batches" in told


def test_each_request_is_charged_and_all_of_it_is_called_simulated(results: Path) -> None:
    served = {row["arrivals_per_s"]: row for row in rows_of(results, "serving")}
    assert set(served) == {"", "8.0"}
    for row in served.values():
        assert float(row["energy_per_request_j"]) > 0
        assert row["simulated"] == "true"
        assert row["labels"].startswith("simulated, random weights")
    assert len(rows_of(results, "requests")) == 8
    assert "Joules of a request are allocated" in (results / "report" / "index.html").read_text()


def test_a_load_for_an_engine_of_batches_is_refused_in_one_line(tmp_path: Path) -> None:
    done = said(command(tmp_path / "results", *POINT, "arrivals_per_s=4"), None)
    assert done.returncode != 0
    told = " ".join((done.stdout + done.stderr).split())
    assert "`arrivals_per_s` must be null with engine reference, which answers batches" in told
    assert not (tmp_path / "results").exists()
