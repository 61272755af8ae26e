"""Two levels of one factor, over all pairs of points: what is found, what is not, what is told."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.tables.table import Table
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run, window_s

H200: Mapping[str, Any] = {"name": "NVIDIA H200", "kind": "h200"}


def plan(decode_s: float, *, gpu: Mapping[str, Any] = H200, **spec: Any) -> Plan:
    return Plan(spec={"gpu": "h200", "dtype": "fp16", **spec}, gpu=gpu, decode_s=decode_s)


def table_of(results: Path, *plans: Plan) -> Table:
    for one in plans:
        build_run(results, one)
    return build_tables(load(results)).comparisons


def only(table: Table, **wanted: Any) -> Row:
    (row,) = [
        row for row in table.rows if all(row[name] == value for name, value in wanted.items())
    ]
    return row


def engines(ratio: float, *, scatter: float = 0.0, points: int = 5) -> list[Plan]:
    """Points of several lengths of answer, each under two engines of which one takes so much."""
    draw = np.random.default_rng(5)
    plans = []
    for length in range(points):
        slow = plan(1.0 + 0.5 * length, engine="reference", max_gen_len=5 + length)
        whole = window_s(slow) * ratio * math.exp(draw.normal(0.0, scatter))
        # What a batch takes beside its decoding is the same for both.
        decode_s = round(slow.decode_s - (window_s(slow) - whole) / 2, 1)
        plans += [slow, plan(decode_s, engine="fast", max_gen_len=5 + length)]
    return plans


def test_a_planted_difference_is_found_and_said(tmp_path: Path) -> None:
    row = only(table_of(tmp_path, *engines(0.7)), factor="engine")
    assert (row["base"], row["level"], row["pairs"]) == ("reference", "fast", 5)
    low, ratio, high = (row[name] for name in ("ratio_low", "ratio", "ratio_high"))
    assert isinstance(low, float)
    assert isinstance(ratio, float)
    assert isinstance(high, float)
    assert low < 0.7 < high
    assert ratio == pytest.approx(0.7, rel=0.03)
    sentence = str(row["sentence"])
    assert sentence.startswith("fast takes 0.7")
    assert "times the joules a token of reference: 95 % interval 0." in sentence
    assert "over 5 pairs, p < 0.001 after Holm over " in sentence
    assert "random weights" in sentence


def test_no_difference_is_none_and_says_what_would_have_been_seen(tmp_path: Path) -> None:
    row = only(table_of(tmp_path, *engines(1.0, scatter=0.1)), factor="engine")
    assert isinstance(row["p_holm"], float)
    assert row["p_holm"] > 0.05
    assert "no difference shown; one of " in str(row["sentence"])
    assert "% would have been in 4 cases of 5" in str(row["sentence"])
    assert isinstance(row["smallest"], float)
    assert 0 < row["smallest"] < 1


def test_one_pair_of_single_runs_has_a_ratio_and_no_interval(tmp_path: Path) -> None:
    row = only(table_of(tmp_path, *engines(0.7, points=1)), factor="engine")
    assert (row["ratio_low"], row["ratio_high"], row["p"], row["p_holm"]) == (None,) * 4
    assert row["reason"] == "one pair, one run on either side: no interval over repeats"
    assert "too few to say more" in str(row["sentence"])
    assert row["ratio_sensor"] is not None


def test_one_pair_of_repeats_is_welch_s(tmp_path: Path) -> None:
    plans = [
        plan(decode_s + 0.1 * repeat, engine=engine, repeat=repeat)
        for engine, decode_s in (("reference", 1.5), ("fast", 0.6))
        for repeat in range(3)
    ]
    row = only(table_of(tmp_path, *plans), factor="engine")
    assert str(row["interval_rule"]).startswith("Welch's t of logarithms")
    assert row["effect_size"] is not None
    assert row["p_holm"] is not None


def test_every_factor_of_a_grid_is_paired(tmp_path: Path) -> None:
    board = {"name": "NVIDIA H100 80GB HBM3", "kind": "h100"}
    start: dict[str, Any] = {"gpu": "h200", "dtype": "fp16", "engine": "fast"}
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"gpu": "h100"},
        {"gpus": 2, "gpus_per_node": 2},
        {"power_cap_w": 250.0},
        {"sm_clock_mhz": 1200},
        {"quantization": "int8"},
        {"quantization": "fp8"},
        {"dataset": "gsm8k"},
        {"batch_size": 1},
        {"max_gen_len": 9},
    )
    plans = [
        Plan(spec={**start, **change}, gpu=board if change.get("gpu") else H200, decode_s=0.5)
        for change in changes
    ]
    found = [(row["factor"], row["level"], row["base"]) for row in table_of(tmp_path, *plans).rows]
    assert found == [
        ("board", "h200", "h100"),
        ("shards", "2 GPUs", "1 GPU"),
        ("cap", "a cap of 250 W", "no cap"),
        ("clock", "a clock lock of 1200 MHz", "no clock lock"),
        ("format", "fp16 with int8 weights", "fp16"),
        ("format", "fp16 with fp8 products", "fp16"),
        ("format", "fp16 with fp8 products", "fp16 with int8 weights"),
        ("dataset", "gsm8k-sample", "gsm8k"),
        ("batch", "batch 2", "batch 1"),
        ("length", "9 tokens", "8 tokens"),
    ]


def test_points_that_differ_in_two_factors_are_no_pair(tmp_path: Path) -> None:
    plans = plan(1.5, engine="reference"), plan(0.5, engine="fast", max_gen_len=9)
    assert table_of(tmp_path, *plans).rows == ()


def test_simulated_and_measured_runs_are_never_paired(tmp_path: Path) -> None:
    simulated = Plan(spec={"gpu": "simulated-h100", "dtype": "fp16"}, decode_s=0.5)
    assert table_of(tmp_path, plan(1.5), simulated).rows == ()


def test_simulated_boards_are_compared_among_themselves_and_say_so(tmp_path: Path) -> None:
    plans = [
        Plan(spec={"gpu": f"simulated-{board}"}, decode_s=decode_s)
        for board, decode_s in (("a100", 1.5), ("h100", 0.5))
    ]
    (row,) = table_of(tmp_path, *plans).rows
    assert row["simulated"] is True
    assert "(simulated, random weights" in str(row["sentence"])


def test_holm_corrects_over_all_comparisons_that_were_tested(tmp_path: Path) -> None:
    plans = [
        plan(decode_s, engine=engine, max_gen_len=length, gpus=gpus)
        for engine, decode_s in (("reference", 1.5), ("fast", 0.6))
        for length in (8, 9)
        for gpus in (1, 2)
    ]
    table = table_of(tmp_path, *plans)
    tested = [row for row in table.rows if row["p"] is not None]
    assert {row["comparisons"] for row in table.rows} == {len(tested)} == {3}
    least = min(tested, key=lambda row: float(str(row["p"])))
    assert least["p_holm"] == pytest.approx(min(1.0, 3 * float(str(least["p"]))))


def test_the_same_runs_give_the_same_bytes_in_whatever_order_they_were_made(
    tmp_path: Path,
) -> None:
    plans = engines(0.8, scatter=0.05, points=3)
    one = table_of(tmp_path / "one", *plans)
    other = table_of(tmp_path / "other", *reversed(plans))
    assert one.to_csv() == other.to_csv()


def test_points_under_other_settings_of_the_launch_are_paired_only_where_there_are_no_others(
    tmp_path: Path,
) -> None:
    apart = Plan(
        spec={"gpu": "h200", "dtype": "fp16", "engine": "fast"},
        gpu=H200,
        decode_s=0.5,
        launch={"min_window_s": 7.0},
    )
    row = only(table_of(tmp_path, plan(1.5), apart), factor="engine")
    assert row["apart"] == "min_window_s in 1 pair"


def test_one_run_in_two_pairs_is_no_second_measurement(tmp_path: Path) -> None:
    base = replace(plan(1.5), launch={"period_ms": 100})
    others = (
        replace(plan(1.4, batch_size=4), launch={"period_ms": 50}),
        replace(plan(1.4, batch_size=4, repeat=1), launch={"period_ms": 20}),
    )
    row = only(table_of(tmp_path, base, *others), factor="batch")
    assert (row["pairs"], row["ratio_low"], row["p"]) == (1, None, None)
    assert "too few to say more" in str(row["sentence"])
