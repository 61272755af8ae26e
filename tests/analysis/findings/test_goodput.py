"""What a joule gives where only answers in time count."""

from pathlib import Path
from typing import Any

import pytest

from analysis.findings.goodput import FIRST_TOKEN_BOUNDS_S, INTER_TOKEN_BOUNDS_S
from tests.analysis.findings.built import REAL, tables_of
from tests.support.records import Plan, window_s, work_w


def rows_of(results: Path, plan: Plan) -> dict[tuple[object, object], dict[str, object]]:
    rows = tables_of(results, plan).goodput.rows
    return {(row["first_token_limit_s"], row["inter_token_limit_s"]): dict(row) for row in rows}


def test_every_pair_of_bounds_has_a_row(tmp_path: Path) -> None:
    found = rows_of(tmp_path, Plan(spec=REAL))
    assert set(found) == {
        (first, between) for first in FIRST_TOKEN_BOUNDS_S for between in INTER_TOKEN_BOUNDS_S
    }


def test_answers_that_came_late_give_nothing_and_still_take_their_joules(tmp_path: Path) -> None:
    # The first token comes after 0.6 s, and 8 tokens in 7 steps of 0.1 s.
    plan = Plan(spec={**REAL, "max_gen_len": 8}, prefill_s=0.6, decode_s=0.7)
    found = rows_of(tmp_path, plan)
    spec = plan.run_spec
    tokens, energy_j = spec.prompts * 8, work_w(0) * window_s(plan)
    assert found[0.5, 0.2]["responses_in_time"] == 0
    assert found[0.5, 0.2]["goodput_tokens_per_j"] == 0
    assert found[2.0, 0.05]["responses_in_time"] == 0
    kept = found[2.0, 0.2]
    assert (kept["responses_in_time"], kept["in_time_share"]) == (spec.prompts, 1.0)
    assert kept["goodput_tokens_per_j"] == pytest.approx(tokens / energy_j)
    assert kept["goodput_responses_per_j"] == pytest.approx(spec.prompts / energy_j)


def test_a_run_without_steps_says_so_in_place_of_a_number(tmp_path: Path) -> None:
    found = rows_of(tmp_path, Plan(spec=REAL, steps=False))
    assert {row["goodput_tokens_per_j"] for row in found.values()} == {None}
    assert {row["responses_in_time"] for row in found.values()} == {None}
    assert all("before steps were" in str(row["reason"]) for row in found.values())


def test_an_answer_whose_last_token_has_no_time_is_not_in_time(tmp_path: Path) -> None:
    def lost(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "last_token_us": None} if row["row"] == 0 else row

    for row in rows_of(tmp_path, Plan(spec=REAL, response=lost)).values():
        assert (row["responses_in_time"], row["goodput_tokens_per_j"]) == (None, None)
        assert row["reason"] == "2 of 4 answers have no time of their last token"
