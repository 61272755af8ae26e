"""What was foreseen stands beside what was measured, and an old record says that nothing was."""

import shutil
from pathlib import Path

import pytest

from analysis.energy.run_energy import RunEnergy
from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.tables.forecasts import NOT_FORESEEN, forecast_row
from analysis.tables.measured import Measured
from analysis.tables.runs import run_row
from telemetry.record.files import write_json
from telemetry.record.foreseen import Basis, Expected, Foreseen
from telemetry.record.paths import RunPaths
from telemetry.record.seal import seal_attempt, verify_seal
from tests.support.records import Plan, build_run

# What `build_run` makes of its defaults is worked out in test_a_row: 210 W in the window.
FORESEEN = Foreseen(
    time_s=Expected(value=10.0, low=5.0, high=20.0),
    energy_j=Expected(value=100.0, low=50.0, high=110.0),
    window_s=Expected(value=2.0, low=1.0, high=2.5),
    window_energy_j=Expected(value=800.0, low=500.0, high=5000.0),
    basis=Basis.DATASHEET,
    told="from the datasheet alone",
    runs=(),
    simulated=True,
)


def sealed_again(run: RunPaths, content: dict[str, object]) -> None:
    """Put foreseen.json beside launch.json, as the launcher does, and seal the run with it."""
    attempt = run.attempt(1)
    attempt.seal.unlink()
    write_json(attempt.foreseen, content)
    seal_attempt(run, attempt)


def row_of(results: Path) -> Row:
    (run,) = load(results).runs
    return forecast_row(Measured(RunEnergy(run)))


def test_a_row_has_both_with_their_ratio(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan())
    sealed_again(run, FORESEEN.to_mapping())
    row = row_of(tmp_path)
    (one,) = load(tmp_path).runs
    measured = run_row(RunEnergy(one))
    assert (row["foreseen_wall_s"], row["foreseen_wall_low_s"], row["foreseen_wall_high_s"]) == (
        10.0,
        5.0,
        20.0,
    )
    assert row["window_s"] == measured["duration_s"]
    assert row["window_energy_j"] == measured["energy_j"]
    assert row["window_energy_over_foreseen"] == pytest.approx(
        float(measured["energy_j"] or 0) / 800
    )
    assert row["window_in_interval"] is False
    assert row["basis"] == "datasheet"


def test_the_job_s_energy_is_what_its_phases_sum_to(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(spec={"gpus": 2, "gpus_per_node": 2}))
    (run,) = load(tmp_path).runs
    run_energy = RunEnergy(run)
    phases = [
        row.energy.value
        for row in run_energy.phases
        if row.energy.value and row.phase != "too short"
    ]
    assert row_of(tmp_path)["job_energy_j"] == pytest.approx(sum(phases), rel=1e-6)


def test_a_record_of_before_says_that_nothing_was_foreseen(tmp_path: Path) -> None:
    build_run(tmp_path, Plan())
    row = row_of(tmp_path)
    assert row["foreseen_energy_j"] is None
    assert row["energy_over_foreseen"] is None
    assert row["energy_in_interval"] is None
    assert row["reason"] == NOT_FORESEEN
    assert row["job_energy_j"] is not None


def test_a_damaged_forecast_is_told_and_takes_no_measured_number(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan())
    sealed_again(run, {**FORESEEN.to_mapping(), "basis": "a feeling"})
    row = row_of(tmp_path)
    assert "foreseen.json" in str(row["reason"])
    assert row["window_energy_j"] is not None


def test_the_seal_covers_what_was_foreseen(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan())
    sealed_again(run, FORESEEN.to_mapping())
    attempt = run.attempt(1)
    assert verify_seal(run, attempt) == []
    write_json(attempt.foreseen, {**FORESEEN.to_mapping(), "told": "I knew"})
    assert any("foreseen.json" in line for line in verify_seal(run, attempt))
    shutil.copyfile(attempt.launch, attempt.foreseen)
    assert load(tmp_path).runs == ()
