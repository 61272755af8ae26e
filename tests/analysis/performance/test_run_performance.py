"""How near runs come to what their GPUs allow, and under what conditions they were measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from tests.support.record_answers import PROMPT_TOKENS, T0_US
from tests.support.records import Plan, build_run, window_s
from workers.models.llama.shape import SHAPES

NANO = SHAPES["nano"]
H200: Mapping[str, Any] = {"name": "NVIDIA H200", "kind": "h200"}
# fp16 nano on one H200: 2 batches of 2 prompts of 5 tokens, 8 ids each.
PLAN = Plan(spec={"gpu": "h200", "dtype": "fp16", "engine": "fast"}, gpu=H200, state=True)
BATCHES, ROWS, LENGTH = 2, 2, 8


def tables_of(results: Path, *plans: Plan) -> Tables:
    for plan in plans:
        build_run(results, plan)
    return build_tables(load(results))


def only(rows: tuple[Row, ...]) -> Row:
    (row,) = rows
    return row


def real(value: object) -> float:
    assert isinstance(value, float)
    return value


def read_bytes(item: int = 2) -> int:
    """Weights that a step reads."""
    return item * (NANO.params - NANO.vocab * NANO.dim)


def met() -> int:
    """Positions that all decoding steps of one row attend to: 6 to 12."""
    return sum(PROMPT_TOKENS + step for step in range(1, LENGTH))


def test_decoding_needs_its_weights_a_step_and_the_cache_of_every_live_position(
    tmp_path: Path,
) -> None:
    row = only(tables_of(tmp_path, PLAN).performance.rows)
    kv = 2 * NANO.layers * NANO.dim * 2
    moved = BATCHES * ((LENGTH - 1) * read_bytes() + ROWS * met() * kv)
    seconds = BATCHES * PLAN.decode_s
    assert row["decode_bandwidth_utilization"] == pytest.approx(moved / seconds / 4.8e12)
    assert row["decode_bandwidth_utilization_measured"] == pytest.approx(moved / seconds / 4.27e12)
    # Nobody measured fp16 products on this board: bf16 ones alone.
    assert row["decode_flop_utilization_measured"] is None


def test_prefill_needs_two_operations_a_parameter_and_token(tmp_path: Path) -> None:
    row = only(tables_of(tmp_path, PLAN).performance.rows)
    matrices = 2 * NANO.layers * NANO.layer_matrix_params * PROMPT_TOKENS
    attention = 4 * NANO.dim * NANO.layers * PROMPT_TOKENS * (PROMPT_TOKENS + 1) // 2
    flops = BATCHES * ROWS * (matrices + attention + 2 * NANO.vocab * NANO.dim)
    seconds = BATCHES * PLAN.prefill_s
    assert row["prefill_flop_utilization"] == pytest.approx(flops / seconds / 989e12)
    assert row["prefill_tokens_per_s"] == pytest.approx(BATCHES * ROWS * PROMPT_TOKENS / seconds)


def test_the_bound_is_the_least_time_and_a_share_of_it_is_reached(tmp_path: Path) -> None:
    tables = tables_of(tmp_path, PLAN)
    row, run = only(tables.performance.rows), only(tables.runs.rows)
    kv = 2 * NANO.layers * NANO.dim * 2
    # So small a batch is bound by memory, in prefill too.
    prefill = read_bytes() + ROWS * PROMPT_TOKENS * kv
    decode = (LENGTH - 1) * read_bytes() + ROWS * met() * kv
    bound = ROWS * LENGTH / ((prefill + decode) / 4.8e12)
    assert row["bound_tokens_per_s"] == pytest.approx(bound)
    assert row["bound_share"] == pytest.approx(real(run["tokens_per_s"]) / bound)
    assert row["decode_bound_tokens_per_s"] == pytest.approx(
        ROWS * (LENGTH - 1) / (decode / 4.8e12)
    )
    assert real(row["bound_share_measured"]) > real(row["bound_share"])


@pytest.mark.parametrize(
    ("name", "kind", "flop_per_s"),
    [("NVIDIA H200", "h200", 1979e12), ("NVIDIA L4", "l4", 242.5e12)],
)
def test_fp8_is_held_against_the_board_s_rate_of_fp8(
    tmp_path: Path, name: str, kind: str, flop_per_s: float
) -> None:
    spec = {**PLAN.spec, "gpu": kind, "quantization": "fp8"}
    plan = Plan(**{**vars(PLAN), "spec": spec, "gpu": {"name": name, "kind": kind}})
    row = only(tables_of(tmp_path, plan).performance.rows)
    assert row["peak_flop_per_s"] == flop_per_s
    assert row["bound_share"] is not None


def test_a_board_whose_rate_of_fp8_nobody_stated_gives_no_bound_and_a_reason(
    tmp_path: Path,
) -> None:
    a100 = {"name": "NVIDIA A100-SXM4-80GB", "kind": "a100"}
    spec = {**PLAN.spec, "gpu": "a100", "quantization": "fp8"}
    row = only(
        tables_of(tmp_path, Plan(**{**vars(PLAN), "spec": spec, "gpu": a100})).performance.rows
    )
    assert (row["peak_flop_per_s"], row["bound_share"]) == (None, None)
    assert row["performance_reason"] == "no peak is stated for fp8"


def test_two_gpus_have_twice_the_bandwidth_and_norms_of_their_own(tmp_path: Path) -> None:
    plan = Plan(**{**vars(PLAN), "spec": {**PLAN.spec, "gpus": 2, "gpus_per_node": 2}})
    row = only(tables_of(tmp_path, plan).performance.rows)
    assert row["peak_bytes_per_s"] == 2 * 4.8e12
    assert row["weight_bytes_per_step"] == read_bytes() + 2 * NANO.norm_params


def test_a_simulated_gpu_has_latencies_and_no_bound(tmp_path: Path) -> None:
    row = only(tables_of(tmp_path, Plan()).performance.rows)
    assert row["first_token_mean_s"] == pytest.approx(0.5)
    assert row["inter_token_p99_s"] == pytest.approx(1.5 / 7, abs=1e-5)
    assert row["bound_share"] is None
    assert "done on CPU" in str(row["performance_reason"])


def test_a_record_from_before_has_its_old_decode_rate_and_reasons_for_the_rest(
    tmp_path: Path,
) -> None:
    tables = tables_of(tmp_path, Plan(**{**vars(PLAN), "steps": False}))
    row = only(tables.performance.rows)
    assert row["decode_tokens_per_s"] == pytest.approx(28 / 3.0)
    assert row["first_token_mean_s"] is None
    assert "from before steps" in str(row["latency_reason"])
    assert "from before steps" in str(row["performance_reason"])
    assert "model.json" in str(only(tables.conditions.rows)["memory_reason"])


def test_repeats_share_one_grid_point_with_their_mean_latency(tmp_path: Path) -> None:
    plans = [
        Plan(**{**vars(PLAN), "spec": {**PLAN.spec, "repeat": repeat}, "prefill_s": prefill_s})
        for repeat, prefill_s in ((0, 0.4), (1, 0.6))
    ]
    group = only(tables_of(tmp_path, *plans).groups.rows)
    assert (group["engine"], group["n"]) == ("fast", 2)
    assert group["first_token_mean_s_mean"] == pytest.approx(0.5)


def test_passes_over_the_prompts_all_count(tmp_path: Path) -> None:
    plan = Plan(passes=3)
    tables = tables_of(tmp_path, plan)
    run = only(tables.runs.rows)
    assert run["generated_tokens"] == 3 * 32
    assert run["duration_s"] == pytest.approx(window_s(plan))
    assert only(tables.conditions.rows)["passes"] == 3


def test_conditions_tell_warm_up_memory_and_how_warm_the_gpus_were(tmp_path: Path) -> None:
    row = only(tables_of(tmp_path, PLAN).conditions.rows)
    assert (row["warmup"], row["warmup_batches"]) == ("steady", 3)
    assert row["memory_estimated_bytes"] == 1e9
    assert row["memory_allocated_over_estimated"] == pytest.approx(0.02)
    # The window goes from 2.5 s to 6.8 s; the die warms by 2 degrees a second from 40.
    assert row["temperature_start_c"] == pytest.approx(45.0, abs=0.3)
    assert row["temperature_end_c"] == pytest.approx(53.6, abs=0.3)


def test_a_gpus_clock_and_what_held_it_stand_beside_its_energy(tmp_path: Path) -> None:
    row = only(tables_of(tmp_path, PLAN).gpus.rows)
    assert (row["sm_clock_start_mhz"], row["sm_clock_end_mhz"]) == (1400.0, 1200.0)
    # It met its cap at 5 s of a window from 2.5 s to 6.8 s.
    assert row["held_share"] == pytest.approx(1.8 / 4.3, abs=0.03)
    assert str(row["held_by"]).startswith("power limit 4")


def test_a_gpu_without_such_readings_has_a_reason_and_not_zero(tmp_path: Path) -> None:
    row = only(tables_of(tmp_path, Plan()).gpus.rows)
    assert row["temperature_start_c"] is None
    assert row["held_share"] is None
    assert row["state_reason"] == "no reading in the window"


def test_levels_that_are_read_more_seldom_than_the_window_is_long_still_tell_its_edges(
    tmp_path: Path,
) -> None:
    def read_seldom(row: dict[str, Any]) -> dict[str, Any] | None:
        """Temperature, clock and holds are read at 2 s and 7 s alone."""
        levels = ("gpu_temperature_c", "sm_clock_mhz", "throttle_reasons")
        seldom = row["t_us"] - T0_US in (2_000_000, 7_000_000)
        return row if row["field"] not in levels or seldom else None

    plan = Plan(**{**vars(PLAN), "sample": read_seldom, "state_period_us": 5_000_000})
    row = only(tables_of(tmp_path, plan).gpus.rows)
    assert (row["temperature_start_c"], row["temperature_end_c"]) == (44.0, 54.0)
    assert row["sm_clock_mean_mhz"] == 1400.0
    assert row["held_share"] == 0.0


def test_a_family_that_no_formula_is_here_for_has_its_bound_from_its_own_arithmetic(
    tmp_path: Path,
) -> None:
    toy = {
        "family": "toy",
        "parameters": 1000,
        "flop_per_token": 10**9,
        "flop_per_token_and_position": 10**6,
        "flop_per_logit_row": 10**3,
        "weight_bytes_per_step": 10**9,
        "kv_bytes_per_position": 10**4,
    }
    plan = Plan(**{**vars(PLAN), "model": {"arithmetic": toy}, "without": ("shape",)})
    row = only(tables_of(tmp_path, plan).performance.rows)
    seconds = BATCHES * PLAN.decode_s
    moved = BATCHES * ((LENGTH - 1) * 10**9 + ROWS * met() * 10**4)
    assert row["decode_bandwidth_utilization"] == pytest.approx(moved / seconds / 4.8e12)
    prompt_met = PROMPT_TOKENS * (PROMPT_TOKENS + 1) // 2
    flops = BATCHES * ROWS * (10**9 * PROMPT_TOKENS + 10**6 * prompt_met + 10**3)
    assert row["prefill_flop_utilization"] == pytest.approx(
        flops / (BATCHES * PLAN.prefill_s) / 989e12
    )
    decode = ((LENGTH - 1) * 10**9 + ROWS * met() * 10**4) / 4.8e12
    prefill = (10**9 + ROWS * PROMPT_TOKENS * 10**4) / 4.8e12
    assert row["bound_tokens_per_s"] == pytest.approx(ROWS * LENGTH / (prefill + decode))
    assert row["performance_reason"] in (None, "")


def test_a_record_from_before_arithmetic_has_the_same_bound_by_its_family_s_formula(
    tmp_path: Path,
) -> None:
    plan = Plan(**{**vars(PLAN), "without": ("arithmetic",)})
    now = only(tables_of(tmp_path / "now", PLAN).performance.rows)
    before = only(tables_of(tmp_path / "before", plan).performance.rows)
    assert before == now


def test_arithmetic_that_is_none_gives_no_bound_and_a_reason(tmp_path: Path) -> None:
    plan = Plan(**{**vars(PLAN), "model": {"arithmetic": {"family": "llama"}}})
    row = only(tables_of(tmp_path, plan).performance.rows)
    assert row["bound_share"] is None
    assert "`arithmetic` must have `parameters`" in str(row["performance_reason"])


def test_a_format_that_nobody_has_bytes_for_gives_no_bound_and_a_reason(tmp_path: Path) -> None:
    parts = {
        "shape": {"dim": 256, "layers": 4, "ffn": 768, "vocab": 32000},
    }
    spec = {**PLAN.spec, "quantization": "int3"}
    plan = Plan(**{**vars(PLAN), "spec": spec, "model": parts, "without": ("arithmetic",)})
    row = only(tables_of(tmp_path, plan).performance.rows)
    assert row["bound_share"] is None
    assert row["performance_reason"] == "nobody says what a step reads in int3"
