"""A reading that no board could give is none, and energy falls to the next witness, which is said.

The runs are of a real board by their record; power is 200 W at work, so 26.9 J a token.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.audit.check import Case, Outcome
from analysis.audit.power_checks import power_plausible
from analysis.audit.witness_checks import (
    counter_meets_power_integral,
    counters_rise,
    power_accounts_for_polls,
)
from analysis.energy.possible_readings import possible_series
from analysis.energy.run_energy import RunEnergy
from analysis.runs.sealed_runs import load, open_run
from analysis.runs.series import Series
from analysis.workbook.build import build_tables
from tests.support.record_answers import T0_US
from tests.support.records import Plan, build_run

REAL: dict[str, Any] = {
    "spec": {"gpu": "a100"},
    "hosts": {"source": {"name": "nvml", "driver": "535.104.05"}},
    "gpu": {"name": "NVIDIA A100-SXM4-80GB", "power_limit_w": 400.0},
}
TRUE_J_PER_TOKEN = 26.875


def zero(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "value": 0.0} if row["field"] in ("power_instant_w", "energy_j") else row


def wild(value: float) -> Any:
    def change(row: dict[str, Any]) -> dict[str, Any]:
        here = row["field"] == "power_instant_w" and row["t_us"] == T0_US + 3_000_000
        return {**row, "value": value} if here else row

    return change


def the_row(results: Path) -> dict[str, Any]:
    (row,) = build_tables(load(results)).runs.rows
    return dict(row)


def test_a_board_that_reads_0_w_and_0_j_has_no_energy_and_says_why(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan(sample=zero, **REAL))
    row = the_row(tmp_path)
    assert row["energy_j"] is None
    assert row["power_w"] is None
    assert row["energy_per_token_j"] is None
    assert "the sensor gave a value below 0.5 W" in str(row["energy_reason"])
    assert "polled counter" in str(row["energy_method_reason"])
    for check in (power_plausible, power_accounts_for_polls):
        assert check(Case(run)).outcome is Outcome.UNSEEN
    assert counters_rise(Case(run)).outcome is Outcome.FAILED


@pytest.mark.parametrize("value", [1_500.0, 4_294_967.295, np.inf, np.nan, -200.0])
@pytest.mark.parametrize("counter", [True, False])
def test_one_wild_reading_of_power_moves_no_energy_beyond_its_uncertainty(
    tmp_path: Path, value: float, counter: bool
) -> None:
    run = build_run(tmp_path, Plan(sample=wild(value), counter=counter, **REAL))
    row = the_row(tmp_path)
    width = row["energy_per_token_uncertainty_j"]
    assert width > 0
    assert row["energy_per_token_j"] == pytest.approx(TRUE_J_PER_TOKEN, abs=width)
    assert row["energy_per_token_j"] == pytest.approx(TRUE_J_PER_TOKEN, rel=0.02)
    case = Case(run)
    for check in (counter_meets_power_integral, power_accounts_for_polls, counters_rise):
        assert check(case).outcome is not Outcome.FAILED, check(case).evidence


def test_power_too_wild_to_be_compared_is_a_failure_and_not_inapplicable(tmp_path: Path) -> None:
    """Half of the readings are thrice too high, on a board of which no limit is known."""

    def change(row: dict[str, Any]) -> dict[str, Any]:
        high = row["field"] == "power_instant_w" and (row["t_us"] - T0_US) // 100_000 % 2
        return {**row, "value": 2_900.0} if high else row

    board = {"name": "Somebody's own board", "power_limit_w": None}
    run = build_run(tmp_path, Plan(sample=change, **{**REAL, "gpu": board}))
    for check in (counter_meets_power_integral, power_accounts_for_polls):
        assert check(Case(run)).outcome is Outcome.FAILED


def test_where_the_counter_went_back_energy_falls_to_power_and_says_so(tmp_path: Path) -> None:
    def change(row: dict[str, Any]) -> dict[str, Any]:
        late = row["field"] == "energy_j" and row["t_us"] >= T0_US + 4_000_000
        return {**row, "value": row["value"] - 1_100.0} if late else row

    run = build_run(tmp_path, Plan(sample=change, **REAL))
    row = the_row(tmp_path)
    assert row["energy_method"] == "power_integral of power_instant_w"
    assert row["energy_per_token_j"] == pytest.approx(TRUE_J_PER_TOKEN, rel=0.02)
    assert "polled counter" in str(row["energy_method_reason"])
    assert "the counter" in str(row["energy_method_reason"])
    assert counters_rise(Case(run)).outcome is Outcome.FAILED


def test_no_energy_of_a_run_has_an_uncertainty_of_0(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(**REAL))
    tables = build_tables(load(tmp_path))
    for table in (tables.runs, tables.gpus, tables.phases):
        for row in table.rows:
            for name, value in row.items():
                beside = name.replace("_uncertainty_", "_")
                if "_uncertainty_" in name and "gain" not in name and row[beside] is not None:
                    # Of idle GPUs there were none: their 0 J are no measurement.
                    assert value or (row[beside] == 0.0 and value is None), f"{table.name}.{name}"


def test_where_a_reading_was_wild_power_is_as_uncertain_as_the_board_allows(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(sample=wild(1_500.0), counter=False, **REAL))
    # From 50 W at rest to the 500 W that such a board may be set to, over 200 ms less a sensor's
    # window of 25 ms, over 32 tokens; each reading beside it is steady.
    widest = 2 * (500.0 - 50.0) * 0.175 / 12**0.5 / 32
    assert the_row(tmp_path)["energy_per_token_uncertainty_j"] == pytest.approx(widest, rel=1e-3)


def test_readings_that_can_be_stay_the_very_same() -> None:
    series = Series(t_us=np.array([0, 1]), value=np.array([100.0, 200.0]))
    assert possible_series(series, "power_instant_w", None) is series
    one = possible_series(
        Series(t_us=np.array([0, 1, 2]), value=np.array([100.0, 0.0, 5_000.0])),
        "power_instant_w",
        {"name": "NVIDIA A100-SXM4-80GB"},
    )
    assert one.value.tolist() == [100.0]
    assert one.nulls == 2
    assert one.null_reason is not None


def test_an_old_table_is_read_without_what_no_board_could_give(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan(sample=wild(1_500.0), counter=False, **REAL))
    opened = open_run(run)
    assert opened is not None
    energy = RunEnergy(opened).energy
    assert energy.value == pytest.approx(TRUE_J_PER_TOKEN * 32, rel=0.02)


@pytest.mark.parametrize(("decode_s", "outcome"), [(0.3, Outcome.PASSED), (20.0, Outcome.FAILED)])
def test_a_board_may_pass_its_limit_for_half_a_second_and_not_for_long(
    tmp_path: Path, decode_s: float, outcome: Outcome
) -> None:
    def at_757_w(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "value": row["value"] * 757.0 / 200.0}

    board = {"name": "NVIDIA H200", "power_limit_w": 700.0}
    spec = {"gpu": "h200", "prompts": 2}
    run = build_run(
        tmp_path, Plan(spec=spec, gpu=board, prefill_s=0.2, decode_s=decode_s, sample=at_757_w)
    )
    finding = power_plausible(Case(run))
    assert finding.outcome is outcome, finding.evidence


def test_a_limit_that_is_not_on_record_or_above_the_boards_frees_no_board(tmp_path: Path) -> None:
    def twice(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "value": row["value"] * 2_000.0 / 200.0}

    for limit_w in (None, 3_000.0):
        board = {"name": "NVIDIA H200", "power_limit_w": limit_w}
        results = tmp_path / str(limit_w)
        results.mkdir()
        run = build_run(results, Plan(spec={"gpu": "h200"}, gpu=board, decode_s=5.0, sample=twice))
        assert power_plausible(Case(run)).outcome is Outcome.FAILED
