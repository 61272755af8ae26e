"""An installed engine goes the whole way: plan, jobs, record, audit, tables, figures, report."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.record.paths import list_runs
from tests.support.plugins import install
from tests.system.test_chain import POINT, command

pytestmark = pytest.mark.chain


def call(site: Path, words: list[str]) -> str:
    """What a command says where the package in `site` is installed; it must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=240, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("plugin") / "site")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, site: Path) -> Path:
    """Results of the toy engine on two ranks, beside the reference's, with tables and report."""
    folder = tmp_path_factory.mktemp("chain") / "results"
    words = ("gpus=2", "gpu=simulated-a100", "engine=toy,reference", "min_window_s=2")
    call(site, command(folder, "-m", *POINT, *words))
    # Who looks at results needs no engine: neither this package nor torch.
    for module in ("analysis", "analysis.audit"):
        done = subprocess.run(
            [sys.executable, "-m", module, str(folder)],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def rows_of(results: Path, table: str) -> dict[str, dict[str, str]]:
    """Rows of a table by engine."""
    (path,) = results.rglob(f"{table}.csv")
    with path.open(newline="") as lines:
        return {row["engine"]: row for row in csv.DictReader(lines)}


def test_a_plan_lists_it(site: Path, tmp_path: Path) -> None:
    said = call(site, command(tmp_path / "results", *POINT, "engine=toy", "plan=true"))
    assert "toy" in said
    assert "run" in said


def test_its_run_is_sealed_and_passes_the_audit(results: Path) -> None:
    assert {run.sealed() is not None for run in list_runs(results)} == {True}


def test_its_energy_stands_in_the_tables_beside_the_others(results: Path) -> None:
    rows = rows_of(results, "runs")
    assert set(rows) == {"reference", "toy"}
    for row in rows.values():
        assert float(row["energy_j"]) > 0
        assert float(row["tokens_per_s"]) > 0
    assert set(rows_of(results, "groups")) == {"reference", "toy"}


def test_what_it_does_not_tell_is_empty_with_its_reason_and_never_0(results: Path) -> None:
    row = rows_of(results, "runs")["toy"]
    for name in ("prefill_s", "decode_s", "decode_tokens_per_s", "prefill_energy_j"):
        assert row[name] == "", name
    assert "no such phase" in row["prefill_reason"]
    speed = rows_of(results, "performance")["toy"]
    assert speed["first_token_mean_s"] == ""
    assert speed["latency_reason"] == "not told: the engine does not say when it chooses tokens"


def test_its_batches_are_a_phase_of_their_own_and_figures_and_report_name_it(results: Path) -> None:
    (path,) = results.rglob("phases.csv")
    assert ",answer," in path.read_text()
    assert "toy" in (results / "report" / "index.html").read_text()
    drawn = {path.stem for path in results.rglob("*.svg") if "toy" in path.read_text()}
    assert {"energy-per-token", "throughput"} <= drawn
