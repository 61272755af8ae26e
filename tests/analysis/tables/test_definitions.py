"""Tokens and energy as others count them stand beside ours in every row."""

from pathlib import Path
from typing import Any

import pytest

from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from tests.support.record_answers import PROMPT_TOKENS
from tests.support.records import Plan, build_run, window_s, work_w

# Two batches of two prompts, eight ids each.
PROMPTS, MOST = 4, 8
TWO_NODES = {"gpus": 4, "gpus_per_node": 2, "gpu": "a100", "model": "7b"}


def tables(results: Path, *plans: Plan) -> Tables:
    for plan in plans:
        build_run(results, plan)
    return build_tables(load(results))


def run(results: Path, plan: Plan) -> Row:
    (row,) = tables(results, plan).runs.rows
    return row


def ended_at(kept: int, **more: Any) -> Plan:
    """Every answer was cut behind `kept` ids."""

    def cut(row: dict[str, Any]) -> dict[str, Any]:
        ids = row["generated_ids"][:kept]
        return {**row, "generated_ids": ids, "generated_tokens": kept, "ended": True}

    return Plan(response=cut, **more)


def test_the_text_holds_the_prompts_and_the_uncut_one_what_follows_the_ends(
    tmp_path: Path,
) -> None:
    row = run(tmp_path, ended_at(5))
    energy = row["energy_j"]
    assert isinstance(energy, float)
    assert row["generated_tokens"] == PROMPTS * 5
    assert row["string_tokens"] == PROMPTS * (PROMPT_TOKENS + 5)
    assert row["uncut_tokens"] == PROMPTS * (PROMPT_TOKENS + MOST)
    assert row["energy_per_string_token_j"] == pytest.approx(energy / 40)
    assert row["energy_per_uncut_token_j"] == pytest.approx(energy / 52)
    assert row["energy_per_word_j"] == pytest.approx(energy / (PROMPTS * 2))
    assert row["string_tokens_per_s"] == pytest.approx(40 / window_s(Plan()))


def test_what_an_engine_that_stops_chose_behind_an_end_is_not_made_up(tmp_path: Path) -> None:
    row = run(tmp_path, ended_at(5, model={"engine": {"name": "fast", "stops_early": True}}))
    assert row["string_tokens"] == PROMPTS * (PROMPT_TOKENS + 5)
    assert row["uncut_tokens"] is None
    assert row["energy_per_uncut_token_j"] is None
    assert "4 of 4 answers ended early" in str(row["uncut_tokens_reason"])


def test_answers_in_full_length_are_the_same_cut_or_not(tmp_path: Path) -> None:
    row = run(tmp_path, Plan(model={"engine": {"name": "fast", "stops_early": True}}))
    assert row["uncut_tokens"] == row["string_tokens"] == PROMPTS * (PROMPT_TOKENS + MOST)
    assert row["uncut_tokens_reason"] is None


def test_text_without_ids_has_no_count_and_says_why(tmp_path: Path) -> None:
    def bare(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "generated_ids": []}

    row = run(tmp_path, Plan(response=bare, steps=False))
    assert row["string_tokens"] is None
    assert row["energy_per_string_token_j"] is None
    assert "no tokenizer to count them with" in str(row["string_tokens_reason"])


def test_rank_0_times_nodes_is_all_nodes_where_there_is_one(tmp_path: Path) -> None:
    (row,) = tables(tmp_path, Plan(spec={"gpus": 2, "gpus_per_node": 2})).runs.rows
    assert row["rank0_nodes_energy_j"] == row["energy_j"]
    assert row["rank0_nodes_energy_uncertainty_j"] == row["energy_uncertainty_j"]
    assert row["rank0_nodes_energy_per_token_j"] == row["energy_per_token_j"]
    assert row["rank0_nodes_power_w"] == row["power_w"]
    assert row["rank0_nodes_over_all_nodes_less_1"] == 0.0


def test_rank_0_times_nodes_is_told_beside_all_nodes_where_they_differ(tmp_path: Path) -> None:
    row = run(tmp_path, Plan(spec=TWO_NODES))
    seconds = window_s(Plan())
    first, second = work_w(0) + work_w(1), work_w(2) + work_w(3)
    assert row["energy_j"] == pytest.approx((first + second) * seconds)
    assert row["rank0_nodes_energy_j"] == pytest.approx(2 * first * seconds)
    assert row["rank0_nodes_power_w"] == pytest.approx(2 * first)
    assert row["rank0_nodes_over_all_nodes_less_1"] == pytest.approx(
        2 * first / (first + second) - 1
    )
    assert row["rank0_nodes_energy_per_response_j"] == pytest.approx(2 * first * seconds / PROMPTS)
    assert row["rank0_nodes_energy_per_word_j"] == pytest.approx(2 * first * seconds / 8)


def test_each_definition_has_a_mean_and_an_interval_over_repeats(tmp_path: Path) -> None:
    made = tables(
        tmp_path, Plan(), Plan(spec={"repeat": 1}, decode_s=2.0), Plan(spec={"repeat": 2})
    )
    (group,) = made.groups.rows
    values = [float(str(row["energy_per_string_token_j"])) for row in made.runs.rows]
    mean, low = group["energy_per_string_token_j_mean"], group["energy_per_string_token_j_low"]
    assert mean == pytest.approx(sum(values) / 3)
    assert isinstance(mean, float)
    assert isinstance(low, float)
    assert low < mean
    for name in ("rank0_nodes_energy_j", "energy_per_uncut_token_j", "energy_per_word_j"):
        assert group[f"{name}_mean"] is not None
        assert group[f"{name}_sensor"] is not None


def test_both_ways_to_count_stand_side_by_side(tmp_path: Path) -> None:
    made = tables(tmp_path, ended_at(5))
    (row,), (group,) = made.by_name["definitions"].rows, made.groups.rows
    energy = made.runs.rows[0]["energy_j"]
    assert isinstance(energy, float)
    assert row["energy_per_token_j_mean"] == pytest.approx(energy / 20)
    assert row["energy_per_string_token_j_mean"] == pytest.approx(energy / 40)
    assert row["energy_per_uncut_token_j_mean"] == pytest.approx(energy / 52)
    for name, value in row.items():
        assert value == group[name]
