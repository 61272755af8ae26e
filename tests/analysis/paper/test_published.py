"""The paper's numbers beside ours."""

from pathlib import Path
from typing import Any

import pytest

from analysis.paper.published import published
from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run, window_s, work_w

POINT: dict[str, Any] = {
    "model": "65b",
    "gpu": "a100",
    "gpus": 4,
    "gpus_per_node": 2,
    "dataset": "gsm8k",
    "prompts": 2,
    "batch_size": 64,
    "max_gen_len": 256,
}


# The paper's conditions but for the number of prompts.
PAPERS: dict[str, Any] = {
    **POINT,
    **{"weights": "0123abcd", "dtype": "fp16", "power_cap_w": 250.0},
}


def comparison(results: Path, *specs: dict[str, Any]) -> dict[str, Row]:
    for spec in specs:
        build_run(results, Plan(spec=spec))
    rows = build_tables(load(results)).comparison.rows
    return {f"{row['source']} {row['metric']}": row for row in rows}


def test_all_figures_and_tables_with_numbers_are_there() -> None:
    sources = {number.source for number in published()}
    assert sources == {
        *(f"figure {number}" for number in range(2, 10)),
        "table III",
        "table IV",
        "table V",
    }


CELL = "arXiv 2310.03003 figure 2, digitised, about ±2 % tokens_per_s"


def test_a_measured_cell_stands_beside_the_papers_with_its_ratio(tmp_path: Path) -> None:
    row = comparison(tmp_path, PAPERS)[CELL]
    ours = 2 * 256 / window_s(Plan(spec=PAPERS))
    assert row["paper_value"] == 192
    assert row["our_value"] == pytest.approx(ours)
    assert row["ratio"] == pytest.approx(ours / 192)
    assert row["reason"] == "prompts 2, paper 4096"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights": "random"}, "random weights, paper the released ones"),
        ({"power_cap_w": None}, "power cap none, paper 250 W"),
        ({"dtype": "bf16"}, "numbers in bf16, paper fp16"),
        ({"temperature": 0.0}, "temperature 0, paper 0.8"),
        ({"engine": "fast"}, "engine fast, paper the public eager code"),
        ({"ignore_eos": True}, "answers in full length, paper to their ends"),
    ],
)
def test_what_an_exhibit_gives_no_ratio_has_none_in_the_comparison_either(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    build_run(tmp_path, Plan(spec={**PAPERS, **change}))
    tables = build_tables(load(tmp_path))
    assert all(row["ratio"] is None for row in tables.paper_figure2.rows)
    (row,) = (
        row
        for row in tables.comparison.rows
        if row["source"] == CELL.removesuffix(" tokens_per_s") and row["metric"] == "tokens_per_s"
    )
    assert row["our_value"] is not None
    assert row["ratio"] is None
    start = "no ratio, as ours is not under the paper's conditions: "
    assert str(row["reason"]).startswith(start)
    assert said in str(row["reason"])


def test_a_simulated_cell_gets_no_ratio_and_says_why(tmp_path: Path) -> None:
    rows = comparison(tmp_path, {**POINT, "gpu": "simulated-a100"})
    assert rows
    for row in rows.values():
        assert row["ratio"] is None
        assert row["our_value"] is None
        assert "simulated" in str(row["reason"])


def test_a_change_against_a_cap_needs_both_caps(tmp_path: Path) -> None:
    name = "arXiv 2310.03003 table III, printed energy_j, change in % at 175 W"
    rows = comparison(tmp_path, {**POINT, "power_cap_w": 175.0})
    assert rows[name]["ratio"] is None
    rows = comparison(tmp_path, {**POINT, "power_cap_w": 250.0})
    assert rows[name]["our_value"] == pytest.approx(0.0)


def test_a_mean_over_lengths_is_answered_when_all_lengths_are_there(tmp_path: Path) -> None:
    name = "arXiv 2310.03003 figure 3, digitised, about ±2 % power_w"
    assert name not in comparison(tmp_path, POINT)
    rows = comparison(tmp_path, *({**POINT, "max_gen_len": length} for length in (512, 1024)))
    assert rows[name]["our_value"] == pytest.approx(sum(work_w(rank) for rank in range(4)))


def test_a_sample_of_the_prompts_is_not_the_papers_data_set(tmp_path: Path) -> None:
    assert comparison(tmp_path, {**POINT, "dataset": "gsm8k-sample"}) == {}


def test_the_papers_software_is_compared_first_and_another_engine_is_remarked(
    tmp_path: Path,
) -> None:
    name = "arXiv 2310.03003 figure 2, digitised, about ±2 % tokens_per_s"
    rows = comparison(tmp_path / "fast", {**POINT, "engine": "fast", "quantization": "int8"})
    assert "engine fast, paper the public eager code" in str(rows[name]["reason"])
    assert "weights in int8, paper fp16" in str(rows[name]["reason"])
    rows = comparison(tmp_path / "fp8", {**POINT, "engine": "fast", "quantization": "fp8"})
    assert "products in fp8, paper fp16" in str(rows[name]["reason"])
    rows = comparison(tmp_path / "both", {**POINT, "engine": "fast"}, POINT)
    assert "engine" not in str(rows[name]["reason"])


def test_a_change_against_a_cap_is_told_within_one_engine(tmp_path: Path) -> None:
    name = "arXiv 2310.03003 table III, printed energy_j, change in % at 175 W"
    capped = {**POINT, "power_cap_w": 175.0}
    rows = comparison(tmp_path, capped, {**POINT, "power_cap_w": 250.0, "engine": "fast"})
    assert rows[name]["ratio"] is None


@pytest.mark.parametrize("other", [{"temperature": 0.0}, {"weights": "0123abcd"}, {"seed": 7}])
def test_a_change_against_a_cap_is_told_over_points_that_differ_in_the_cap_alone(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    name = "arXiv 2310.03003 table III, printed energy_j, change in % at 175 W"
    capped = {**POINT, "power_cap_w": 175.0}
    rows = comparison(tmp_path, capped, {**POINT, "power_cap_w": 250.0, **other})
    assert rows[name]["ratio"] is None
    rows = comparison(tmp_path, {**POINT, "power_cap_w": 250.0})
    assert rows[name]["our_value"] == pytest.approx(0.0)
    assert "the closest of 3 points of ours" in str(rows[name]["reason"])


def test_a_mean_over_lengths_is_of_points_that_are_the_same_but_for_the_length(
    tmp_path: Path,
) -> None:
    name = "arXiv 2310.03003 figure 3, digitised, about ±2 % power_w"
    lengths = [{**POINT, "max_gen_len": length} for length in (256, 512, 1024)]
    rows = comparison(tmp_path, *lengths[:2], {**lengths[2], "temperature": 0.0})
    assert rows[name]["our_value"] is None
    assert "the same in all the cells" in str(rows[name]["reason"])
    rows = comparison(tmp_path, lengths[2])
    assert rows[name]["our_value"] is not None


def test_prompts_of_a_file_of_one_s_own_are_the_data_set_s_with_a_remark(tmp_path: Path) -> None:
    name = "arXiv 2310.03003 figure 2, digitised, about ±2 % tokens_per_s"
    rows = comparison(tmp_path, {**PAPERS, "dataset": "gsm8k-3c3a194e"})
    assert rows[name]["ratio"] is not None
    assert "prompts of gsm8k-3c3a194e" in str(rows[name]["reason"])
