"""Which reading of a run's energy is heard, how far each can be trusted, and who is charged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.energy.curves import Curve
from analysis.energy.run_energy import RunEnergy
from analysis.report.page import write_report
from analysis.runs.sealed_runs import load, open_run
from analysis.tables.column import Row
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from telemetry.clock import US_PER_S
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths
from telemetry.record.schema import Phase
from tests.support.record_answers import T0_US, us
from tests.support.records import (
    IDLE_W,
    Plan,
    build_run,
    energy_j,
    reseal,
    timeline,
    window_s,
    work_w,
)

H200 = {"name": "NVIDIA H200", "kind": "h200", "driver": "580.159.04"}
Keep = Callable[[dict[str, Any]], dict[str, Any] | None]


def account_of(results: Path, plan: Plan) -> RunEnergy:
    run = open_run(build_run(results, plan))
    assert run is not None
    return RunEnergy(run)


def tables_of(results: Path, plan: Plan) -> Tables:
    build_run(results, plan)
    return build_tables(load(results))


def only(tables: Tables) -> Row:
    (row,) = tables.runs.rows
    return row


def lose_all(row: dict[str, Any]) -> None:
    """No reading of any GPU reaches the record."""


def die_after(t_s: float) -> Keep:
    """The watcher dies and nobody starts it again."""
    return lambda row: row if row["t_us"] <= T0_US + t_s * US_PER_S else None


@pytest.mark.parametrize("keep", [lose_all, die_after(4.0)], ids=["no trace", "half a trace"])
def test_without_a_trace_the_ranks_own_counter_readings_give_the_energy(
    tmp_path: Path, keep: Keep
) -> None:
    plan = Plan(spec={"gpus": 2}, rank_counter=True, sample=keep)
    tables = tables_of(tmp_path, plan)
    row = only(tables)
    assert row["energy_method"] == "rank_counter"
    assert row["energy_j"] == pytest.approx((work_w(0) + work_w(1)) * window_s(plan))
    assert row["idle_power_w"] == pytest.approx(2 * IDLE_W)
    assert any("only the rank counters tell" in note for _, note in tables.notes)


def test_a_counter_read_at_the_edges_stands_before_the_same_one_polled(tmp_path: Path) -> None:
    tables = tables_of(tmp_path, Plan(rank_counter=True))
    row = only(tables)
    assert row["energy_method"] == "rank_counter"
    assert row["rank_counter_over_polled_counter_less_1"] == pytest.approx(0.0, abs=1e-9)
    assert not any("the ranks' own" in note for _, note in tables.notes)


@pytest.mark.parametrize(("period_us", "edge_w"), [(100_000, 200.0), (200_000, 300.0)])
def test_a_rank_counter_is_as_late_as_power_at_its_edges_says_else_as_the_boards_limit(
    tmp_path: Path, period_us: int, edge_w: float
) -> None:
    # Power that is read more seldom than the counter changes may hide what it was at an edge.
    row = only(tables_of(tmp_path, Plan(rank_counter=True, period_us=period_us)))
    expected = 2 * edge_w * 0.1 * (2 / 12) ** 0.5
    assert row["energy_uncertainty_j"] == pytest.approx(expected)


def test_a_gap_of_the_trace_at_an_edge_leaves_a_rank_counter_to_the_boards_limit(
    tmp_path: Path,
) -> None:
    def lose_start(row: dict[str, Any]) -> dict[str, Any] | None:
        """No power around the window's start at 2.5 s."""
        return None if 2_200_000 < row["t_us"] - T0_US < 2_800_000 else row

    row = only(tables_of(tmp_path, Plan(rank_counter=True, sample=lose_start)))
    start_w, end_w = 300.0, work_w(0)
    lateness = (start_w**2 + end_w**2) / 12 + ((start_w - end_w) / 2) ** 2
    assert row["energy_uncertainty_j"] == pytest.approx(2 * 0.1 * lateness**0.5)


def test_polls_too_far_apart_for_the_window_stand_back_behind_the_integral(tmp_path: Path) -> None:
    plan = Plan(counter_period_us=5_000_000, decode_s=3.0)
    row = only(tables_of(tmp_path, plan))
    assert row["energy_method"] == "power_integral of power_instant_w"
    assert row["energy_j"] == pytest.approx(work_w(0) * window_s(plan))


@pytest.mark.parametrize("poll_s", [0.1, 1.0, 2.0, 4.0])
def test_what_polls_of_a_counter_misplace_is_within_the_uncertainty_that_they_state(
    tmp_path: Path, poll_s: float
) -> None:
    """An edge between two polls is told by interpolation, and power jumps on the way."""
    plan = Plan(counter_period_us=us(poll_s), decode_s=2.5)
    run_energy = account_of(tmp_path, plan)
    (gpu,) = run_energy.gpus
    curve = gpu.curve("polled_counter")
    assert isinstance(curve, Curve)
    widths = []
    for start_s in (2.0, 2.3, 3.3, 5.0):
        edges_us = (T0_US + us(1.0), T0_US + us(start_s))
        told = curve.between(*edges_us)
        assert told.value is not None
        assert told.plus_minus is not None
        truth_j = energy_j(0, start_s) - energy_j(0, 1.0)
        assert abs(told.value - truth_j) <= told.plus_minus
        widths.append(told.plus_minus)
    assert max(widths) >= 2 * (work_w(0) * 0.1) / 12**0.5


def test_a_phase_shorter_than_two_polls_of_the_only_meter_has_no_energy(tmp_path: Path) -> None:
    def lose_power(row: dict[str, Any]) -> dict[str, Any] | None:
        return row if row["field"] == "energy_j" else None

    row = only(tables_of(tmp_path, Plan(counter_period_us=1_000_000, sample=lose_power)))
    assert row["prefill_energy_j"] is None
    assert "2 sensor periods (2000 ms)" in str(row["prefill_reason"])


def test_an_idle_gpu_is_charged_by_its_polled_counter_beside_working_ones_read_at_edges(
    tmp_path: Path,
) -> None:
    plan = Plan(rank_counter=True, idle_gpus=1, counter_period_us=1_000_000)
    tables = tables_of(tmp_path, plan)
    assert only(tables)["energy_method"] == "rank_counter"
    (gpu,) = [row for row in tables.gpus.rows if row["rank"] is None]
    assert gpu["energy_j"] == pytest.approx(IDLE_W * window_s(plan))
    # Its power stood still, so where between two polls an edge lies does not matter.
    assert float(str(gpu["energy_uncertainty_j"])) == pytest.approx(
        2 * IDLE_W * 0.1 * (2 / 12) ** 0.5
    )


def test_one_gpu_without_a_trace_puts_the_whole_run_on_the_rank_counters(tmp_path: Path) -> None:
    def lose_one(row: dict[str, Any]) -> dict[str, Any] | None:
        return None if row["device"].endswith("node1-0") else row

    row = only(tables_of(tmp_path, Plan(spec={"gpus": 2}, rank_counter=True, sample=lose_one)))
    assert row["energy_method"] == "rank_counter"


def test_the_phases_of_a_rank_counter_are_exact_as_its_readings_lie_on_their_edges(
    tmp_path: Path,
) -> None:
    plan = Plan(rank_counter=True, sample=lose_all)
    run_energy = account_of(tmp_path, plan)
    energies = {row.phase: row.energy.value for row in run_energy.phases}
    seconds = dict.fromkeys(energies, 0.0)
    for phase, start_s, end_s, _ in timeline(plan):
        seconds[phase] += end_s - start_s
    assert energies["idle"] == pytest.approx(IDLE_W * seconds["idle"])
    assert energies["decode"] == pytest.approx(work_w(0) * seconds["decode"])


def test_idle_gpus_are_charged_on_top_and_leave_the_headline_alone(tmp_path: Path) -> None:
    plan = Plan(spec={"gpus": 4, "gpus_per_node": 2}, idle_gpus=2)
    tables = tables_of(tmp_path, plan)
    row = only(tables)
    alone = sum(work_w(rank) for rank in range(4)) * window_s(plan)
    idle = 4 * IDLE_W * window_s(plan)
    assert row["idle_gpus"] == 4
    assert row["energy_j"] == pytest.approx(alone)
    assert row["idle_gpus_energy_j"] == pytest.approx(idle)
    assert row["charged_energy_j"] == pytest.approx(alone + idle)
    assert row["charged_energy_per_token_j"] == pytest.approx((alone + idle) / 32)
    (group,) = tables.groups.rows
    assert group["idle_gpus"] == 4
    assert group["charged_energy_per_token_j_mean"] == row["charged_energy_per_token_j"]


def test_an_idle_gpu_has_a_row_among_the_phases_over_the_whole_job(tmp_path: Path) -> None:
    plan = Plan(idle_gpus=1)
    tables = tables_of(tmp_path, plan)
    (row,) = [row for row in tables.phases.rows if row["phase"] == "allocated, no rank"]
    assert row["rank"] is None
    assert row["energy_j"] == pytest.approx(IDLE_W * timeline(plan)[-1][2])
    (gpu,) = [row for row in tables.gpus.rows if row["rank"] is None]
    assert gpu["energy_j"] == pytest.approx(IDLE_W * window_s(plan))


def test_an_idle_gpu_without_a_reading_leaves_the_charge_unknown_and_not_smaller(
    tmp_path: Path,
) -> None:
    def lose_idle(row: dict[str, Any]) -> dict[str, Any] | None:
        return None if "-idle-" in row["device"] else row

    row = only(tables_of(tmp_path, Plan(idle_gpus=1, sample=lose_idle)))
    assert row["energy_j"] is not None
    assert row["charged_energy_j"] is None
    assert "0 readings" in str(row["idle_gpus_reason"])


def test_the_page_shows_idle_gpus_only_where_there_are_some(tmp_path: Path) -> None:
    for name, idle_gpus in (("with", 2), ("without", 0)):
        build_run(tmp_path / name, Plan(idle_gpus=idle_gpus))
        page = write_report(load(tmp_path / name)).page.read_text()
        assert ("charged J / token" in page) is (name == "with")
        assert ("held GPUs that no rank worked on" in page) is (name == "with")


def test_the_drivers_own_samples_resolve_a_phase_that_the_counter_cannot(tmp_path: Path) -> None:
    plan = Plan(
        spec={"gpu": "h200"},
        gpu=H200,
        prefill_s=0.1,
        period_us=20_000,
        power_field="power_sample_w",
    )
    run_energy = account_of(tmp_path, plan)
    assert run_energy.method_text == "polled_counter"
    assert run_energy.phase_method_text == "power_integral of power_sample_w"
    prefill = run_energy.phase_energy(Phase.PREFILL)
    assert prefill.value == pytest.approx(2 * 0.1 * work_w(0), rel=1e-6)


def test_a_method_with_a_gap_stands_back_when_phases_are_told_apart(tmp_path: Path) -> None:
    def lose_samples(row: dict[str, Any]) -> dict[str, Any] | None:
        inside = T0_US + 3_000_000 < row["t_us"] < T0_US + 3_500_000
        return None if inside and row["field"] == "power_sample_w" else row

    plan = Plan(
        spec={"gpu": "h200"},
        gpu=H200,
        period_us=20_000,
        power_field="power_sample_w",
        sample=lose_samples,
    )
    assert account_of(tmp_path, plan).phase_method_text == "polled_counter"


def test_on_a_one_second_average_alone_a_phase_of_one_second_is_not_attributable(
    tmp_path: Path,
) -> None:
    plan = Plan(
        spec={"gpu": "h200"},
        gpu=H200,
        counter=False,
        power_field="power_average_w",
        prefill_s=1.0,
        decode_s=3.0,
    )
    row = only(tables_of(tmp_path, plan))
    assert row["energy_method"] == "power_integral of power_average_w"
    assert row["prefill_energy_j"] is None
    assert "2 sensor periods (2000 ms)" in str(row["prefill_reason"])
    assert row["decode_energy_j"] == pytest.approx(6.0 * work_w(0), rel=0.05)


def measured(run: RunPaths, **paces_us: int) -> None:
    """Let the host's source say how often it saw its readings change, in a seal of its own."""
    path = run.attempt(1).manifest
    content = read_json(path)
    paces = {name: {"update_us": update_us} for name, update_us in paces_us.items()}
    content["hosts"]["node0"]["source"]["nvml"] = {"paces": paces}
    write_json(path, content)
    reseal(run)


def test_a_measured_period_stands_before_the_table_and_the_difference_is_noted(
    tmp_path: Path,
) -> None:
    plan = Plan(spec={"gpu": "a100"}, prefill_s=0.3)
    run = build_run(tmp_path, plan)
    assert only(build_tables(load(tmp_path)))["prefill_energy_j"] is not None
    measured(run, energy_j=200_000, power_instant_w=104_000)
    tables = build_tables(load(tmp_path))
    # 104 ms is near enough to the table's 100 ms to say nothing, and counts all the same.
    assert "2 sensor periods (208 ms)" not in str(only(tables)["prefill_reason"])
    notes = [note for _, note in tables.notes]
    assert any("energy_j was measured to change every 200 ms" in note for note in notes)
    assert not any("power_instant_w" in note for note in notes)
    (counter,) = [row for row in tables.sensors.rows if row["field"] == "energy_j"]
    assert (counter["tabulated_period_s"], counter["resolution_s"]) == (0.1, 0.2)


def test_a_shorter_measured_period_counts_as_far_as_the_record_shows_it(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan(spec={"gpu": "a100"}))
    measured(run, energy_j=60_000)
    tables = build_tables(load(tmp_path))
    (counter,) = [row for row in tables.sensors.rows if row["field"] == "energy_j"]
    assert counter["measured_period_s"] == 0.06
    assert counter["resolution_s"] == 0.1
    assert any("100 ms is used" in note for _, note in tables.notes)


def test_an_unknown_board_is_noted_with_the_rule_that_stands_in(tmp_path: Path) -> None:
    tables = tables_of(tmp_path, Plan(spec={"gpu": "a100"}, gpu={"name": "NVIDIA B200"}))
    assert any("NVIDIA B200 is in no table" in note for _, note in tables.notes)
    assert {row["architecture"] for row in tables.sensors.rows} == {"unknown"}


def test_the_boards_own_gain_is_told_apart_and_adds_up_as_boards_are_independent(
    tmp_path: Path,
) -> None:
    plan = Plan(spec={"gpu": "a100", "gpus": 2})
    row = only(tables_of(tmp_path, plan))
    expected = 0.05 * window_s(plan) * (work_w(0) ** 2 + work_w(1) ** 2) ** 0.5
    assert row["energy_gain_uncertainty_j"] == pytest.approx(expected)


def test_uncertainty_of_energy_is_that_of_energy_per_token(tmp_path: Path) -> None:
    row = only(tables_of(tmp_path, Plan(spec={"gpus": 2})))
    width_j = 2 * (2 * (work_w(0) ** 2 + work_w(1) ** 2) / 12) ** 0.5 * 0.1
    assert row["energy_uncertainty_j"] == pytest.approx(width_j)
    assert row["energy_per_token_uncertainty_j"] == pytest.approx(width_j / 32)


def test_net_energy_is_as_uncertain_as_the_rest_it_takes_off(tmp_path: Path) -> None:
    plan = Plan()
    row = only(tables_of(tmp_path, plan))
    # The settled part is half of one second less 0.2 s: no load shows at either edge.
    rest_w = 2 * 0.1 * IDLE_W * (2 / 12) ** 0.5 / 0.3
    assert row["idle_power_uncertainty_w"] == pytest.approx(rest_w)
    gross_j, rest_j = row["energy_uncertainty_j"], row["idle_power_uncertainty_w"]
    assert isinstance(gross_j, float)
    assert isinstance(rest_j, float)
    expected = (gross_j**2 + (rest_j * window_s(plan)) ** 2) ** 0.5
    assert row["net_energy_uncertainty_j"] == pytest.approx(expected)


def test_the_nodes_own_power_is_integrated_over_all_nodes_and_none_left_out(
    tmp_path: Path,
) -> None:
    def tell_node_power(row: dict[str, Any]) -> dict[str, Any]:
        if row["field"] == "energy_j":
            return row
        return {**row, "device": "host", "field": "node_power_w", "value": 900.0}

    plan = Plan(spec={"gpus": 2}, sample=tell_node_power)
    row = only(tables_of(tmp_path / "both", plan))
    assert row["node_energy_j"] == pytest.approx(2 * 900.0 * window_s(plan))

    def lose_one(row: dict[str, Any]) -> dict[str, Any] | None:
        told = tell_node_power(row)
        return None if told["device"] == "host" and told["host"] == "node1" else told

    row = only(tables_of(tmp_path / "one", Plan(spec={"gpus": 2}, sample=lose_one)))
    assert row["node_energy_j"] is None
    assert row["node_reason"] == "node1: no node's service processor gave its power"


def test_a_board_shared_by_mig_is_noted_as_whole(tmp_path: Path) -> None:
    tables = tables_of(tmp_path, Plan(gpu={"mig": True}))
    assert any("MIG is on" in note for _, note in tables.notes)
