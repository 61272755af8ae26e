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
from workers.planning.weight_formats import QUANTIZATIONS


def grid_of(results: Path, *words: str) -> Grid:
    return check(read_points([f"results={results}", "cluster=h200", *words]))


def test_a_run_is_unquantized_unless_it_is_asked_for(tmp_path: Path) -> None:
    [point] = grid_of(tmp_path).points
    assert point.spec.quantization == "none"
    assert point.launch.logit_error is None


def test_the_reference_engine_takes_no_quantized_weights_and_says_so(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "engine=reference", "quantization=none,int8,int4")
    assert [point.spec.quantization for point in grid.points] == list(QUANTIZATIONS)
    assert [point.verdict for point in grid.points] == [
        Verdict.RUN,
        Verdict.ILLEGAL,
        Verdict.ILLEGAL,
    ]
    assert grid.points[1].reason == (
        "`quantization` must be none with engine reference, which takes weights as they are, "
        "but is int8 instead"
    )


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_another_engine_may_take_any_quantization(spec: RunSpec, quantization: str) -> None:
    asked = dataclasses.replace(spec, engine="fast", quantization=quantization)
    assert engine_facts("fast").fault(asked) is None


def test_each_quantization_is_a_run_of_its_own(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "quantization=none,int8,int4")
    assert len({point.spec.run_id for point in grid.points}) == 3


def test_an_unknown_quantization_stops_the_command(tmp_path: Path) -> None:
    with pytest.raises(
        BadInputError, match="`quantization` must be one of none, int8, int4, auto, but"
    ):
        grid_of(tmp_path, "quantization=int3")


@pytest.mark.parametrize("asked", ["true", "false"])
def test_comparing_logits_is_asked_for_in_the_order(tmp_path: Path, asked: str) -> None:
    [point] = grid_of(tmp_path, f"logit_error={asked}").points
    assert point.launch.logit_error is (asked == "true")


def test_anything_else_than_true_false_or_null_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="`logit_error` must be true, false or null, but is"):
        grid_of(tmp_path, "logit_error=perhaps")
