"""J = a + b in + c out + d in out, given back of runs that were built by it."""

from pathlib import Path
from typing import Any

import pytest

from analysis.tables.table import Tables
from tests.analysis.lengths.built import (
    DECODE,
    PREFILL,
    coefficients,
    grid,
    length_plan,
    tables_of,
    with_prompt,
)
from tests.support.records import build_run, work_w

# One wait of 0.3 s at 200 W for four responses.
BETWEEN_J = 15.0
WHOLE = {
    "response": PREFILL["response"] + DECODE["response"] + BETWEEN_J,
    "input token": 1.0,
    "output token": 5.0,
    "input x output token": 0.25,
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return grid(tmp_path_factory.mktemp("lengths"))


@pytest.mark.parametrize(("outcome", "truth"), [("whole", WHOLE), ("decode", DECODE)])
def test_what_each_term_was_built_to_cost_is_within_its_interval(
    tables: Tables, outcome: str, truth: dict[str, float]
) -> None:
    for term, row in coefficients(tables, outcome).items():
        built = truth.get(term, 0.0)
        low, value, high = (float(row[f"coefficient_j{end}"]) for end in ("_low", "", "_high"))
        assert low <= built <= high, (term, row["sentence"])
        assert low < value < high
    assert {row["n"] for row in coefficients(tables, outcome).values()} == {9}


def test_prefill_is_paid_for_by_tokens_of_prompts_alone(tables: Tables) -> None:
    rows = coefficients(tables, "prefill")
    for term, row in rows.items():
        assert row["coefficient_j"] == pytest.approx(PREFILL.get(term, 0.0), abs=1e-6)
    assert rows["input token"]["mean_error_share"] == pytest.approx(0.0, abs=1e-6)


def test_what_a_run_waits_is_charged_to_no_token_and_to_no_phase(
    tables: Tables, tmp_path: Path
) -> None:
    # The same work with a wait of 3 s in the window's middle, at full power.
    waited = grid(tmp_path, overhead_s=3.0)
    more_j = (3.0 - 0.3) * work_w(0) / 4
    for outcome in ("prefill", "decode", "whole"):
        before, after = coefficients(tables, outcome), coefficients(waited, outcome)
        for term, row in after.items():
            charged = more_j if (outcome, term) == ("whole", "response") else 0.0
            told = float(row["coefficient_j"]) - float(before[term]["coefficient_j"])
            # The weights move with the energy, and with them what the jitter does to the numbers.
            assert told == pytest.approx(charged, abs=1.0)
    between = [row["between_energy_per_response_j"] for row in waited.sequence_lengths.rows]
    assert between == [pytest.approx(BETWEEN_J + more_j)] * 9


def test_energy_stands_by_token_and_by_phase_with_its_interval(tables: Tables) -> None:
    rows = tables.sequence_lengths.rows
    (row,) = [one for one in rows if (one["input_tokens"], one["output_tokens"]) == (10.0, 8.0)]
    assert row["energy_per_input_token_j"] == pytest.approx((20.0 + 10.0) / 10)
    # The first token of each answer is prefill's.
    decode_j = 10.0 + 5.0 * 8 + 0.25 * 80
    assert row["decode_energy_per_output_token_j"] == pytest.approx(decode_j / 7, rel=0.01)
    whole_j = 20.0 + 10.0 + decode_j + BETWEEN_J
    assert row["energy_per_output_token_j"] == pytest.approx(whole_j / 8, rel=0.01)
    assert row["exact"] is True
    # Nothing was repeated, and says so.
    assert row["energy_per_response_j_interval_from"] == (
        "no point of these boards has repeats: the scatter is not known"
    )


def test_the_parts_of_a_response_sum_to_its_window(tables: Tables) -> None:
    for row in tables.sequence_runs.rows:
        parts = [f"{part}_energy_per_response_j" for part in ("prefill", "decode", "between")]
        told = sum(float(str(row[name])) for name in parts)
        assert told == pytest.approx(row["energy_per_response_j"])


def test_each_run_has_its_residual_and_the_formula_s_energy(tables: Tables) -> None:
    rows = [row for row in tables.sequence_residuals.rows if row["outcome"] == "whole"]
    assert len(rows) == 9
    for row in rows:
        measured, fitted = float(str(row["measured_j"])), float(str(row["fitted_j"]))
        assert row["residual_j"] == pytest.approx(measured - fitted, abs=1e-6)
        assert abs(float(str(row["residual_share"]))) < 0.02


def _one(results: Path, **more: Any) -> dict[str, Any]:
    build_run(results, length_plan(40, 8, **more))
    (row,) = tables_of(results).sequence_runs.rows
    return row


def test_what_a_batch_is_padded_with_is_nobody_s_input(tmp_path: Path) -> None:
    # Two prompts of ten tokens beside two of forty: each batch is computed forty wide.
    row = _one(tmp_path, response=with_prompt(lambda prompt: 40 if prompt % 2 else 10))
    assert row["input_tokens"] == 25.0
    assert row["exact"] is False
    assert row["inexact_reason"] == "prompts of 10 to 40 tokens"
    assert row["energy_per_input_token_j"] == pytest.approx((20.0 + 40.0) / 25)


def test_a_run_that_counts_its_padding_as_input_is_in_no_fit(tmp_path: Path) -> None:
    def padded(span: dict[str, Any]) -> dict[str, Any]:
        return {**span, "prompt_tokens": 2 * 40 if span["prompt_tokens"] else 0}

    row = _one(tmp_path, response=with_prompt(lambda _: 10), span=padded)
    assert row["exact"] is False
    assert row["inexact_reason"] == "its spans count 160 prompt tokens, its responses 40"
    assert row["input_tokens"] == 10.0


def test_a_last_batch_of_fewer_rows_is_no_point_of_a_fit(tmp_path: Path) -> None:
    row = _one(tmp_path, spec={"prompts": 3})
    assert row["inexact_reason"] == "batches of 1 to 2 rows"


def test_answers_of_no_token_are_no_point_of_a_fit(tmp_path: Path) -> None:
    def mute(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "generated_tokens": 0, "generated_ids": [], "words": 0, "text": ""}

    row = _one(tmp_path, response=mute)
    assert row["inexact_reason"] == "answers of no token"


def test_runs_at_one_pair_of_lengths_say_that_nothing_can_be_fitted(tmp_path: Path) -> None:
    for repeat in range(2):
        build_run(tmp_path, length_plan(10, 4, spec={"repeat": repeat}))
    (row,) = tables_of(tmp_path).sequence_models.rows
    assert (row["term"], row["coefficient_j"], row["n"]) == ("all", None, 2)
    assert str(row["reason"]).startswith("the lengths tell nothing; one length of prompts: 10")
    assert "cannot tell a to d" in str(row["sentence"])
