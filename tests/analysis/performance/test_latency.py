"""When tokens were chosen: by request, by step, and in a record that does not say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.energy.run_energy import RunEnergy
from analysis.performance.latency import Latency, read_latency, weighted_quantile
from analysis.runs.sealed_runs import open_run
from tests.support.record_answers import T0_US, us
from tests.support.records import Plan, build_run, timeline


def latency_of(results: Path, plan: Plan) -> Latency | str:
    run = open_run(build_run(results, plan))
    assert run is not None
    return read_latency(run, RunEnergy(run).ranks[0])


def known(results: Path, plan: Plan) -> Latency:
    latency = latency_of(results, plan)
    assert isinstance(latency, Latency)
    return latency


def starts(plan: Plan) -> list[float]:
    return [start for phase, start, _, _ in timeline(plan) if phase == "prefill"]


def test_the_first_token_comes_at_the_end_of_prefill(tmp_path: Path) -> None:
    latency = known(tmp_path, Plan(prefill_s=0.4))
    assert latency.first_token_mean_s == pytest.approx(0.4)
    assert latency.first_token_s(0.99) == pytest.approx(0.4)


def test_tokens_follow_each_other_as_steps_do(tmp_path: Path) -> None:
    latency = known(tmp_path, Plan(decode_s=1.4))
    assert latency.inter_token_s(0.5) == pytest.approx(0.2, abs=1e-6)
    # Two batches of two rows, each with seven tokens after its first.
    assert latency.decoded_tokens == 28


def test_quantiles_of_intervals_weigh_each_step_by_the_rows_that_waited(tmp_path: Path) -> None:
    plan = Plan(spec={"prompts": 4, "batch_size": 4, "max_gen_len": 3}, decode_s=1.5)
    (begun,) = starts(plan)
    times = [T0_US + us(begun + plan.prefill_s + t) for t in (0.0, 0.5, 1.5)]

    def stop_early(row: dict[str, Any]) -> dict[str, Any]:
        """Three of four rows keep two tokens: one alone waits for the third, twice as long."""
        if row["row"] == 0:
            return {**row, "first_token_us": times[0], "last_token_us": times[2]}
        return {
            **row,
            "generated_tokens": 2,
            "generated_ids": [3, 4],
            "first_token_us": times[0],
            "last_token_us": times[1],
        }

    def rows_of(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "t_us": times[row["step"]], "rows": 1 if row["step"] == 2 else 4}

    latency = known(tmp_path, Plan(**{**vars(plan), "response": stop_early, "step": rows_of}))
    assert latency.inter_token_s(0.5) == pytest.approx(0.5)
    assert latency.inter_token_s(0.79) == pytest.approx(0.5)
    assert latency.inter_token_s(0.81) == pytest.approx(1.0)


def test_a_row_that_begins_at_a_step_did_not_wait_since_the_step_before(tmp_path: Path) -> None:
    plan = Plan(spec={"prompts": 2, "batch_size": 2, "max_gen_len": 3}, decode_s=1.0)
    (begun,) = starts(plan)
    times = [T0_US + us(begun + plan.prefill_s + t) for t in (0.0, 0.5, 1.0)]

    def begin_late(row: dict[str, Any]) -> dict[str, Any]:
        """The second prompt is one token longer, which the first decoding step reads."""
        if row["row"] == 0:
            return {**row, "first_token_us": times[0], "last_token_us": times[2]}
        return {
            **row,
            "prompt_tokens": 6,
            "generated_tokens": 2,
            "generated_ids": [3, 4],
            "first_token_us": times[1],
            "last_token_us": times[2],
        }

    def rows_of(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "t_us": times[row["step"]], "rows": 1 if row["step"] == 0 else 2}

    latency = known(tmp_path, Plan(**{**vars(plan), "response": begin_late, "step": rows_of}))
    (batch,) = latency.batches
    assert batch.first_steps.tolist() == [0, 1]
    assert batch.intervals[1].tolist() == [1, 2]
    # Prefill read five tokens of each prompt.
    assert latency.prefilled_tokens == 10


def test_a_row_that_kept_no_token_has_no_first_one(tmp_path: Path) -> None:
    def keep_nothing(row: dict[str, Any]) -> dict[str, Any]:
        if row["row"]:
            return row
        nothing = {"generated_tokens": 0, "generated_ids": [], "ended": True}
        return {**row, **nothing, "first_token_us": None, "last_token_us": None}

    latency = known(tmp_path, Plan(response=keep_nothing))
    assert latency.first_token_s(0.5) == pytest.approx(0.5)
    assert [batch.kept.tolist() for batch in latency.batches] == [[1], [1]]


def test_a_record_from_before_steps_says_so(tmp_path: Path) -> None:
    assert "from before steps" in str(latency_of(tmp_path, Plan(steps=False)))


def test_a_quantile_is_the_least_value_that_reaches_its_share() -> None:
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([1, 2, 1])
    assert weighted_quantile(values, weights, 0.5) == 1.0
    assert weighted_quantile(values, weights, 0.75) == 2.0
    assert weighted_quantile(values, weights, 0.99) == 3.0
    assert weighted_quantile(np.empty(0), np.empty(0, dtype=np.int64), 0.5) is None
