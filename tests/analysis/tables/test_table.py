"""Tables hold the energies that can be worked out by hand."""

import csv
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from analysis.workbook.write import write_tables
from telemetry.clock import US_PER_S
from telemetry.record.files import read_json, write_json
from tests.support.record_answers import T0_US
from tests.support.records import IDLE_W, STARTUP_S, Plan, build_run, window_s, work_w


def tables_of(results: Path, *plans: Plan) -> Tables:
    for plan in plans:
        build_run(results, plan)
    return build_tables(load(results))


def only(tables: Tables) -> Row:
    (row,) = tables.runs.rows
    return row


def test_energy_is_the_sum_over_the_gpus_of_all_nodes_in_the_window(tmp_path: Path) -> None:
    plan = Plan(spec={"gpus": 4, "gpus_per_node": 2})
    row = only(tables_of(tmp_path, plan))
    power_w = sum(work_w(rank) for rank in range(4))
    assert row["nodes"] == 2
    assert row["duration_s"] == pytest.approx(window_s(plan))
    assert row["energy_j"] == pytest.approx(power_w * window_s(plan))
    assert row["power_w"] == pytest.approx(power_w)


def test_rates_and_shares_follow_from_energy_time_and_counts(tmp_path: Path) -> None:
    plan = Plan()
    row = only(tables_of(tmp_path, plan))
    energy_j = work_w(0) * window_s(plan)
    assert row["generated_tokens"] == 32
    assert row["energy_per_token_j"] == pytest.approx(energy_j / 32)
    assert row["energy_per_response_j"] == pytest.approx(energy_j / 4)
    assert row["words_per_s"] == pytest.approx(8 / window_s(plan))
    assert row["decode_tokens_per_s"] == pytest.approx((32 - 4) / 3.0)


def test_net_energy_is_gross_less_the_runs_own_idle_power(tmp_path: Path) -> None:
    plan = Plan()
    row = only(tables_of(tmp_path, plan))
    assert row["idle_power_w"] == pytest.approx(IDLE_W)
    assert row["net_energy_j"] == pytest.approx((work_w(0) - IDLE_W) * window_s(plan))


def test_without_an_idle_phase_there_is_no_net_energy_and_the_reason_is_said(
    tmp_path: Path,
) -> None:
    row = only(tables_of(tmp_path, Plan(idle=False)))
    assert row["net_energy_j"] is None
    assert row["net_reason"] == "the run has no idle phase"


def test_a_spike_as_the_rest_begins_is_no_part_of_the_idle_power(tmp_path: Path) -> None:
    # The GPU is at 450 W for the first 0.2 s of the rest, 80 J more than idle.
    def spike(row: dict[str, Any]) -> dict[str, Any]:
        into_s = min(0.2, max(0.0, (row["t_us"] - T0_US) / US_PER_S - STARTUP_S))
        extra = into_s * 400.0 if row["field"] == "energy_j" else 0.0
        return {**row, "value": row["value"] + extra}

    row = only(tables_of(tmp_path, Plan(sample=spike)))
    assert row["idle_power_w"] == pytest.approx(IDLE_W)


def test_without_a_counter_the_integral_is_taken_and_named(tmp_path: Path) -> None:
    plan = Plan(counter=False)
    row = only(tables_of(tmp_path, plan))
    assert row["energy_method"] == "power_integral of power_instant_w"
    assert row["energy_j"] == pytest.approx(work_w(0) * window_s(plan))
    assert row["power_integral_over_polled_counter_less_1"] is None
    assert "no polled counter" in str(row["polled_counter_reason"])


def test_one_gpu_without_a_counter_puts_the_whole_run_on_the_integral(tmp_path: Path) -> None:
    def drop(row: dict[str, Any]) -> dict[str, Any] | None:
        lost = row["field"] == "energy_j" and row["device"].endswith("node1-0")
        return None if lost else row

    row = only(tables_of(tmp_path, Plan(spec={"gpus": 2}, sample=drop)))
    assert row["energy_method"] == "power_integral of power_instant_w"


def test_a_gpu_without_any_reading_leaves_no_energy_rather_than_a_part(tmp_path: Path) -> None:
    def drop(row: dict[str, Any]) -> dict[str, Any] | None:
        return None if row["device"].endswith("node1-0") else row

    row = only(tables_of(tmp_path, Plan(spec={"gpus": 2}, sample=drop)))
    assert row["energy_j"] is None
    assert row["energy_per_token_j"] is None
    assert row["energy_reason"] == "SIM-a100-node1-0: 0 readings"


def test_null_readings_are_no_zeros(tmp_path: Path) -> None:
    def lose(row: dict[str, Any]) -> dict[str, Any]:
        inside = T0_US + 3_200_000 < row["t_us"] < T0_US + 3_500_000
        return {**row, "value": None, "reason": "busy"} if inside else row

    plan = Plan(sample=lose, counter=False)
    row = only(tables_of(tmp_path, plan))
    assert row["energy_j"] == pytest.approx(work_w(0) * window_s(plan))


def test_a_phase_shorter_than_two_sensor_periods_is_not_attributable(tmp_path: Path) -> None:
    tables = tables_of(tmp_path, Plan(prefill_s=0.1))
    assert only(tables)["prefill_energy_j"] is None
    assert "shorter than 2 sensor periods" in str(only(tables)["prefill_reason"])
    phases = {row["phase"]: row for row in tables.phases.rows}
    assert phases["prefill"]["energy_j"] is None
    assert phases["too short"]["energy_j"] == pytest.approx(work_w(0) * 0.2)


def test_rows_of_a_rank_sum_to_its_life_whatever_is_too_short(tmp_path: Path) -> None:
    plan = Plan(prefill_s=0.1)
    rows = tables_of(tmp_path, plan).phases.rows
    known = [row["energy_j"] for row in rows if isinstance(row["energy_j"], float)]
    # Startup and rest take 1.5 s at idle power; all else is work.
    assert sum(known) == pytest.approx(IDLE_W * 1.5 + work_w(0) * (0.5 + 0.5 + 2 * 1.9 + 0.5))


def test_repeats_are_one_row_with_a_mean_and_an_interval(tmp_path: Path) -> None:
    tables = tables_of(
        tmp_path,
        *(Plan(spec={"repeat": repeat}, decode_s=1.5 + 0.1 * repeat) for repeat in range(3)),
    )
    (row,) = tables.groups.rows
    assert row["n"] == 3
    middle = work_w(0) * window_s(Plan(decode_s=1.6))
    assert row["energy_j_mean"] == pytest.approx(middle)
    # Neighbours differ by two batches of 0.1 s: that is the standard deviation too.
    scatter = 4.302653 * (work_w(0) * 0.2) / 3**0.5
    # Two edges of 200 W and 100 ms in each of three repeats, k = 2.
    sensor = 2 * work_w(0) * 0.1 * (2 / 12) ** 0.5 / 3**0.5
    assert row["energy_j_high"] == pytest.approx(middle + (scatter**2 + sensor**2) ** 0.5)


def test_a_run_whose_table_is_damaged_is_named_and_the_others_stay(tmp_path: Path) -> None:
    bad = build_run(tmp_path, Plan(spec={"repeat": 1}))
    bad.attempt(1).table("spans").write_bytes(b"PAR1 not a table")
    tables = tables_of(tmp_path, Plan())
    assert len(tables.runs.rows) == 1
    assert [row["run_id"] for row in tables.not_counted.rows] == [bad.run_id]


def test_csv_and_parquet_hold_the_same_and_come_out_the_same_twice(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    tables = tables_of(results, Plan(spec={"power_cap_w": 250.0}))
    first = {path.name: path.read_bytes() for path in write_tables(tables, tmp_path / "one")}
    again = build_tables(load(results))
    assert first == {path.name: path.read_bytes() for path in write_tables(again, tmp_path / "two")}
    with (tmp_path / "one" / "runs.csv").open(newline="") as source:
        (row,) = csv.DictReader(source)
    stored = pq.read_table(tmp_path / "one" / "runs.parquet")
    assert float(row["energy_j"]) == stored["energy_j"][0].as_py()
    assert row["zone_energy_j"] == ""
    assert stored.schema.field("energy_j").metadata[b"unit"] == b"J"


def test_who_reads_the_csv_files_finds_what_their_columns_mean(tmp_path: Path) -> None:
    tables = tables_of(tmp_path / "results", Plan())
    write_tables(tables, tmp_path)
    with (tmp_path / "columns.csv").open(newline="") as source:
        rows = {(row["table"], row["column"]): row for row in csv.DictReader(source)}
    assert len(rows) == sum(len(table.columns) for table in tables.all())
    energy = rows["runs", "energy_j"]
    assert (energy["unit"], energy["uncertainty"]) == ("J", "energy_uncertainty_j")
    assert energy["meaning"].startswith("Gross energy of all GPUs")


def test_every_column_has_a_meaning(tmp_path: Path) -> None:
    for table in tables_of(tmp_path, Plan()).all():
        assert all(column.meaning.endswith(".") for column in table.columns), table.name
        names = {column.name for column in table.columns}
        assert all(set(row) <= names for row in table.rows), table.name


def test_words_that_a_spreadsheet_would_compute_are_words_in_the_csv_file(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan(end="failed"))
    reason = "=cmd|' /C calc'!A0" + "x" * 200_000
    content = read_json(run.attempt(1).ended)
    write_json(run.attempt(1).ended, {**content, "reason": reason})
    table = build_tables(load(tmp_path)).not_counted
    (row,) = csv.DictReader(table.to_csv().decode().splitlines())
    assert row["reason"].startswith("'=cmd|")
    # No longer than a spreadsheet's cell; the Parquet file has the words without the mark.
    assert len(row["reason"]) == 32_768
    assert str(table.to_arrow()["reason"][0]).startswith("=cmd|")
