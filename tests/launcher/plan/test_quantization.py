"""Quantization is an axis of the grid: what an engine does not take is listed, not run."""

import dataclasses
from pathlib import Path

import pytest

from launcher.config.command_line import read_points
from launcher.config.errors import BadInputError
from launcher.plan.check import check
from launcher.plan.grid import Grid, Verdict
from telemetry.record.spec import RunSpec
from workers.planning.engine_facts import engine_facts
from workers.planning.weight_formats import FP8, QUANTIZATIONS, WEIGHT_ONLY


def grid_of(results: Path, *words: str) -> Grid:
    return check(read_points([f"results={results}", "cluster=h200", *words]))


def test_a_run_is_unquantized_unless_it_is_asked_for(tmp_path: Path) -> None:
    [point] = grid_of(tmp_path).points
    assert point.spec.quantization == "none"
    assert point.launch.logit_error is None


def test_the_reference_engine_takes_no_quantized_weights_and_says_so(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "engine=reference", "quantization=none,int8,fp8,int4")
    assert [point.spec.quantization for point in grid.points] == list(QUANTIZATIONS)
    assert [point.verdict for point in grid.points] == [Verdict.RUN, *[Verdict.ILLEGAL] * 3]
    assert grid.points[1].reason == (
        "`quantization` must be none with engine reference, which takes weights as they are, "
        "but is int8 instead"
    )


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_another_engine_may_take_any_quantization(spec: RunSpec, quantization: str) -> None:
    asked = dataclasses.replace(spec, engine="fast", quantization=quantization)
    assert engine_facts("fast").fault(asked) is None


def test_each_quantization_is_a_run_of_its_own(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "quantization=none,int8,fp8,int4")
    assert len({point.spec.run_id for point in grid.points}) == 4


@pytest.mark.parametrize(
    ("words", "capability"),
    [
        (("cluster=h200", "cluster.gpu=v100", "gpu=v100"), "7.0"),
        (("cluster=h200", "gpu=a100"), "8.0"),
        (("cluster=local", "gpu=simulated-a100"), "8.0"),
    ],
)
def test_a_board_without_fp8_units_is_refused_fp8_and_nothing_else(
    tmp_path: Path, words: tuple[str, ...], capability: str
) -> None:
    shared = (f"results={tmp_path}", "engine=fast", "model=nano", "quantization=int8,fp8")
    eight, fp8 = check(read_points([*shared, *words])).points
    assert eight.verdict is Verdict.RUN
    assert fp8.verdict is Verdict.ILLEGAL
    assert fp8.reason is not None
    assert fp8.reason.startswith("`quantization` must be none, int8, int4 on ")
    assert f"(compute capability {capability}, and 8.9 has), but is fp8 instead" in fp8.reason


@pytest.mark.parametrize("gpu", ["simulated-l4", "simulated-h100", "simulated-b200", "cpu"])
def test_boards_with_fp8_units_and_cpus_take_fp8(tmp_path: Path, gpu: str) -> None:
    words = (f"results={tmp_path}", "cluster=local", "engine=fast", "model=nano", f"gpu={gpu}")
    [point] = check(read_points([*words, "quantization=fp8", "dtype=fp32"])).points
    assert (point.verdict, point.reason) == (Verdict.RUN, None)


def test_a_gpu_is_not_made_to_multiply_fp8_without_its_units(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "engine=fast", "quantization=fp8,int8", "dtype=fp16,bf16,fp32")
    refused = {
        (point.spec.quantization, point.spec.dtype): point.reason
        for point in grid.points
        if point.verdict is Verdict.ILLEGAL
    }
    assert list(refused) == [("fp8", "fp32")]
    assert str(refused["fp8", "fp32"]).startswith("`dtype` must be fp16 or bf16 with")


def test_nothing_is_rounded_to_fp8_that_was_not_asked_for() -> None:
    # `auto` and the way out take what leaves activations as they are.
    assert set(QUANTIZATIONS) - set(WEIGHT_ONLY) == {FP8}


def test_an_unknown_quantization_stops_the_command(tmp_path: Path) -> None:
    with pytest.raises(
        BadInputError, match="`quantization` must be one of none, int8, fp8, int4, auto, but"
    ):
        grid_of(tmp_path, "quantization=int3")


@pytest.mark.parametrize("asked", ["true", "false"])
def test_comparing_logits_is_asked_for_in_the_order(tmp_path: Path, asked: str) -> None:
    [point] = grid_of(tmp_path, f"logit_error={asked}").points
    assert point.launch.logit_error is (asked == "true")


def test_anything_else_than_true_false_or_null_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="`logit_error` must be true, false or null, but is"):
        grid_of(tmp_path, "logit_error=perhaps")
