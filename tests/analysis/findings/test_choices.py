"""The front of time against energy, the energy-delay product, the best choice within a bound."""

from pathlib import Path
from typing import Any

import pytest

from analysis.findings.best import SLOWER
from tests.analysis.findings.built import H200, REAL, point, repeated, tables_of
from tests.support.records import Plan, window_s, work_w


def tokens(plan: Plan) -> int:
    """What every built run generates in its one pass."""
    return plan.run_spec.prompts * plan.run_spec.max_gen_len


def token_s(plan: Plan) -> float:
    return window_s(plan) / tokens(plan)


def token_j(plan: Plan) -> float:
    return sum(work_w(rank) for rank in range(plan.run_spec.gpus)) * token_s(plan)


def test_a_point_that_is_slower_and_takes_more_is_dominated_by_both_intervals(
    tmp_path: Path,
) -> None:
    slow, fast = repeated(1.5, engine="reference"), repeated(0.5, engine="fast")
    first, second = tables_of(tmp_path, *slow, *fast).pareto.rows
    assert (first["verdict"], second["verdict"]) == ("dominated", "on the front")
    assert first["time_per_token_s"] == pytest.approx(token_s(slow[0]))
    assert second["energy_per_token_j"] == pytest.approx(token_j(fast[0]))
    assert first["dominated_by"] == "fast on 1 x NVIDIA H200, batch 2, fp16"
    assert second["dominated_by"] is None
    assert "is dominated: fast on 1 x NVIDIA H200" in str(first["sentence"])
    assert first["board"] == "NVIDIA H200"


def test_points_of_one_run_each_are_not_told_apart_where_nothing_was_repeated(
    tmp_path: Path,
) -> None:
    plans = point(1.5, engine="reference"), point(0.5, engine="fast")
    first, second = tables_of(tmp_path, *plans).pareto.rows
    assert (first["verdict"], second["verdict"]) == ("not told apart", "not told apart")
    assert (first["front_by_means"], second["front_by_means"]) == (False, True)
    assert first["energy_per_token_j_low"] is None
    assert "and there is no interval" in str(first["sentence"])
    assert "no point of these boards has repeats" in str(first["reason"])


def test_intervals_that_overlap_do_not_dominate(tmp_path: Path) -> None:
    plans = *repeated(1.502, engine="reference"), *repeated(1.5, engine="fast")
    first, second = tables_of(tmp_path, *plans).pareto.rows
    assert {first["verdict"], second["verdict"]} == {"not told apart"}
    assert first["front_by_means"] is False
    assert first["not_told_from"] == "fast on 1 x NVIDIA H200, batch 2, fp16"


def test_two_points_that_trade_time_for_energy_are_both_on_the_front(tmp_path: Path) -> None:
    # Two GPUs take 500 W for less than half of the time that one takes 200 W: faster, and more.
    plans = *repeated(3.0), *repeated(1.2, gpus=2)
    rows = tables_of(tmp_path, *plans).pareto.rows
    assert [row["verdict"] for row in rows] == ["on the front", "on the front"]


@pytest.mark.parametrize("other", [{"seed": 2}, {"max_gen_len": 9}, {"dataset": "other"}])
def test_points_of_other_work_share_no_front(tmp_path: Path, other: dict[str, object]) -> None:
    plans = point(1.5, engine="reference"), point(0.5, engine="fast", **other)
    rows = tables_of(tmp_path, *plans).pareto.rows
    assert {row["reason"] for row in rows} == {"the only point of this work"}
    assert {row["verdict"] for row in rows} == {None}


def test_measured_and_simulated_points_share_no_front(tmp_path: Path) -> None:
    simulated = Plan(spec={"gpu": "simulated-a100", "dtype": "fp16", "engine": "fast"})
    rows = tables_of(tmp_path, point(1.5, engine="reference"), simulated).pareto.rows
    assert [bool(row["simulated"]) for row in rows].count(True) == 1
    assert {row["reason"] for row in rows} == {"the only point of this work"}


def test_energy_times_time_is_worked_out_of_each_run_and_of_one_pass(tmp_path: Path) -> None:
    slow, fast = repeated(1.5, engine="reference"), repeated(0.5, engine="fast")
    first, second = tables_of(tmp_path, *slow, *fast).energy_delay.rows
    product = sum(token_s(plan) * token_j(plan) for plan in slow) / 3
    assert first["energy_delay_per_token_js"] == pytest.approx(product)
    square = sum(token_s(plan) ** 2 * token_j(plan) for plan in slow) / 3
    assert first["energy_delay_squared_per_token_js2"] == pytest.approx(square)
    whole = sum(token_s(plan) * token_j(plan) * tokens(plan) ** 2 for plan in slow) / 3
    assert first["energy_delay_per_pass_js"] == pytest.approx(whole)
    assert first["energy_delay_over_least"] == pytest.approx(
        product / (sum(token_s(plan) * token_j(plan) for plan in fast) / 3)
    )
    assert (first["verdict"], second["verdict"]) == ("more", "the least")
    assert second["energy_delay_per_token_js_low"] is not None


def test_a_run_of_several_passes_has_the_product_of_one(tmp_path: Path) -> None:
    one = Plan(spec={"gpu": "h200", "dtype": "fp16"}, overhead_s=0.0)
    two = Plan(spec={"gpu": "h200", "dtype": "fp16", "engine": "fast"}, overhead_s=0.0, passes=2)
    first, second = tables_of(tmp_path, one, two).energy_delay.rows
    assert first["energy_delay_per_pass_js"] == pytest.approx(second["energy_delay_per_pass_js"])


def test_the_best_choice_saves_what_its_bound_of_time_allows(tmp_path: Path) -> None:
    # One GPU at 200 W, two at 500 W: two are faster by less than they take more.
    one, two = repeated(1.5, gpus=1), repeated(1.3, gpus=2)
    rows = tables_of(tmp_path, *one, *two).best.rows
    assert [row["slower_limit_share"] for row in rows] == list(SLOWER)
    slower = token_s(one[0]) / token_s(two[0]) - 1
    assert 0.05 < slower < 0.2
    best = {row["slower_limit_share"]: row for row in rows}
    assert (best[0.0]["gpus"], best[0.05]["gpus"], best[0.2]["gpus"]) == (2, 2, 1)
    assert best[0.0]["verdict"] == "is the fastest"
    assert best[0.2]["verdict"] == "saves energy"
    assert best[0.2]["slower_share"] == pytest.approx(slower, rel=1e-6)
    saved = 1 - token_j(one[0]) / token_j(two[0])
    assert best[0.2]["energy_saved_share"] == pytest.approx(saved, rel=1e-6)
    low, high = best[0.2]["energy_saved_share_low"], best[0.2]["energy_saved_share_high"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert low < saved < high
    assert f"saves {saved:.1%}" in str(best[0.2]["sentence"])


def test_a_saving_of_one_run_each_is_not_told(tmp_path: Path) -> None:
    rows = tables_of(tmp_path, point(1.5, gpus=1), point(1.3, gpus=2)).best.rows
    (within,) = [row for row in rows if row["slower_limit_share"] == 0.5]
    assert within["verdict"] == "not told apart"
    assert within["energy_saved_share"] is not None
    assert within["energy_saved_share_low"] is None
    assert within["reason"] is not None


def test_boards_are_chosen_each_by_itself(tmp_path: Path) -> None:
    a100 = Plan(spec={"gpu": "a100", "dtype": "fp16"}, decode_s=0.5)
    assert tables_of(tmp_path, a100, point(1.5)).best.rows == ()


def dead(row: dict[str, Any]) -> dict[str, Any]:
    """A board whose sensors tell nothing."""
    return {**row, "value": 0.0} if row["field"] in ("energy_j", "power_instant_w") else row


def test_a_board_whose_sensors_tell_nothing_is_on_no_front_and_stops_no_table(
    tmp_path: Path,
) -> None:
    nothing = Plan(spec={**REAL, "engine": "fast"}, gpu=H200, decode_s=0.5, sample=dead)
    tables = tables_of(tmp_path, nothing, point(1.5, engine="reference"))
    rows = {row["engine"]: row for row in tables.pareto.rows}
    assert rows["fast"]["verdict"] is None
    assert "no energy per token" in str(rows["fast"]["reason"])
    assert tables.best.rows == ()
    assert tables.scaling.rows == ()
    assert "above 0" in str(rows["fast"]["reason"])


def test_works_of_other_sampling_have_names_of_their_own(tmp_path: Path) -> None:
    tables = tables_of(
        tmp_path,
        *(
            point(seconds, temperature=temperature, engine=engine)
            for temperature in (0.8, 0.5)
            for engine, seconds in (("reference", 1.5), ("fast", 1.2))
        ),
    )
    names = [str(row["work"]) for row in tables.pareto.rows]
    assert len(names) == 4
    assert len(set(names)) == 2
    assert all(f", temperature {t}" in " ".join(names) for t in (0.8, 0.5))
