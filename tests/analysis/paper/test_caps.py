"""Table III engine by engine: paper, ours, ratio, and why a cell is missing."""

from pathlib import Path
from typing import Any

import pytest

from analysis.paper.caps import TABLE_THREE_ENGINES
from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.workbook.build import GRID_POINTS, build_tables
from tests.support.records import Plan, build_run, window_s

# The paper's conditions of table III but for the number of prompts.
A100: dict[str, Any] = {
    **{"model": "65b", "weights": "0123abcd", "dtype": "fp16", "dataset": "gsm8k"},
    **{"prompts": 2, "batch_size": 64, "gpu": "a100", "gpus": 4, "gpus_per_node": 2},
}
SLOWER = {
    "reference": {250.0: 1.5, 175.0: 1.7, 150.0: 2.1},
    "fast": {250.0: 1.0, 175.0: 1.0, 150.0: 1.1},
}
TIME = "duration_s, change in % at 175 W"


def rows_of(results: Path, *plans: Plan) -> list[Row]:
    for plan in plans:
        build_run(results, plan)
    kinds = (*GRID_POINTS, TABLE_THREE_ENGINES)
    return list(build_tables(load(results), kinds=kinds).by_name[TABLE_THREE_ENGINES.name].rows)


def capped(engine: str, cap_w: float, **more: Any) -> Plan:
    """One run under a cap, on boards whose driver says so."""
    spec = {**A100, "engine": engine, "power_cap_w": cap_w, "max_gen_len": 512, **more}
    return Plan(spec=spec, gpu={"power_limit_w": cap_w}, decode_s=SLOWER[engine][cap_w])


def of(rows: list[Row], **told: object) -> list[Row]:
    wanted = {"max_gen_len": "512", "metric": TIME, **told}
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Both engines under all three caps at 512 tokens; `fast` of random weights and simulated."""
    return rows_of(
        tmp_path_factory.mktemp("caps"),
        *(capped("reference", cap_w) for cap_w in SLOWER["reference"]),
        *(capped("fast", cap_w, weights="random") for cap_w in SLOWER["fast"]),
        *(
            capped("fast", cap_w, gpu="simulated-a100", weights="random")
            for cap_w in SLOWER["fast"]
        ),
    )


def test_each_engine_s_change_stands_beside_the_paper_s_with_its_ratio(both: list[Row]) -> None:
    base = capped("reference", 250.0)
    slowed = window_s(capped("reference", 175.0)) / window_s(base)
    (reference,) = of(both, engine="reference", gpu="a100")
    assert reference["paper_value"] == 6.51
    assert reference["our_value"] == pytest.approx((slowed - 1.0) * 100.0)
    assert reference["ratio"] == pytest.approx((slowed - 1.0) * 100.0 / 6.51)
    assert reference["differs"] is None
    (fast,) = of(both, engine="fast", gpu="a100")
    assert fast["our_value"] == pytest.approx(0.0)
    assert "engine fast" in str(fast["differs"])
    assert "random weights" in str(fast["differs"])


def test_what_is_simulated_has_a_row_of_its_own_and_says_so(both: list[Row]) -> None:
    (row,) = of(both, engine="fast", gpu="simulated-a100")
    assert row["simulated"] is True
    assert "simulated" in str(row["labels"])
    assert "SIMULATED A100" in str(row["differs"])
    assert {one["simulated"] for one in of(both, gpu="a100")} == {False}


def test_every_cell_that_is_missing_says_why(both: list[Row]) -> None:
    numbers = {(row["max_gen_len"], row["metric"]) for row in both}
    assert len(numbers) == 21
    for engine in ("reference", "fast"):
        own = [row for row in both if (row["engine"], row["gpu"]) == (engine, "a100")]
        assert len(own) == 21
        for row in own:
            assert (row["our_value"] is None) == bool(row["reason"])
    (longer,) = of(both, engine="fast", gpu="a100", max_gen_len="1024")
    assert "no run of 1024 tokens at most" in str(longer["reason"])
    mean = of(both, engine="reference", gpu="a100", max_gen_len="256, 512, 1024")
    assert all("tokens at most" in str(row["reason"]) for row in mean)


def test_without_the_250_w_that_it_is_held_against_there_is_no_change(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, capped("reference", 175.0))
    (reference,) = of(rows, engine="reference")
    assert "250 W cap it is held against" in str(reference["reason"])
    (fast,) = of(rows, engine="fast")
    assert fast["reason"] == "no sealed run by engine fast"


def test_a_cap_that_the_boards_did_not_have_is_no_cap(tmp_path: Path) -> None:
    lie = capped("reference", 175.0)
    lying = Plan(spec=lie.spec, gpu={"power_limit_w": 300.0}, decode_s=lie.decode_s)
    rows = rows_of(tmp_path, capped("reference", 250.0), lying)
    (reference,) = of(rows, engine="reference")
    assert reference["our_value"] is None
    assert "no power cap of 175 W" in str(reference["reason"])


# Work that none of the paper's is.
OTHER = {"model": "7b", "batch_size": 8, "max_gen_len": 64}


def test_where_nothing_did_the_paper_s_work_other_work_stands_there_with_what_it_is(
    tmp_path: Path,
) -> None:
    plans = [capped("fast", cap_w, **OTHER) for cap_w in SLOWER["fast"]]
    rows = rows_of(tmp_path, *plans)
    slowed = window_s(plans[2]) / window_s(plans[0])
    at_150 = TIME.replace("175", "150")
    # 256 is the nearest of the paper's lengths, and the means are over all.
    for length in ("256", "256, 512, 1024"):
        (row,) = of(rows, engine="fast", max_gen_len=length, metric=at_150)
        assert row["our_value"] == pytest.approx((slowed - 1.0) * 100.0)
        for word in ("model 7b", "batch 8", "64 tokens", "engine fast"):
            assert word in str(row["differs"])
    for length in ("512", "1024"):
        (row,) = of(rows, engine="fast", max_gen_len=length, metric=at_150)
        assert row["our_value"] is None
        assert row["reason"]


def test_the_paper_s_own_work_is_taken_before_any_other(tmp_path: Path) -> None:
    rows = rows_of(
        tmp_path,
        *(capped("fast", cap_w) for cap_w in SLOWER["fast"]),
        *(capped("fast", cap_w, **OTHER | {"max_gen_len": 512}) for cap_w in SLOWER["fast"]),
    )
    (row,) = of(rows, engine="fast")
    assert "model" not in str(row["differs"])


def test_of_several_other_works_the_nearest_is_taken_and_none_is_mixed(tmp_path: Path) -> None:
    # The nearer one lacks the base that a change is held against.
    nearer = {"model": "7b", "batch_size": 32, "max_gen_len": 512}
    rows = rows_of(
        tmp_path,
        *(capped("fast", cap_w, **OTHER | {"max_gen_len": 512}) for cap_w in SLOWER["fast"]),
        capped("fast", 175.0, **nearer),
    )
    (row,) = of(rows, engine="fast")
    assert "batch 8" in str(row["differs"])
