"""The format of cached keys is an axis of the grid: who cannot keep them so is listed, not run."""

import dataclasses
from pathlib import Path

import pytest

from launcher.config.command_line import read_points
from launcher.config.errors import BadInputError
from launcher.plan.check import check
from launcher.plan.grid import Grid, Verdict
from launcher.plan.kept_format import kept_fault
from telemetry.boards.table import BOARDS
from telemetry.record.spec import RunSpec


def grid_of(results: Path, *words: str) -> Grid:
    return check(read_points([f"results={results}", "cluster=h200", *words]))


def test_keys_are_kept_in_the_run_s_own_format_unless_another_is_asked_for(tmp_path: Path) -> None:
    [point] = grid_of(tmp_path, "engine=fast").points
    assert point.spec.kv_dtype is None
    assert point.spec.cached_dtype == "fp16"


def test_the_run_s_own_format_by_name_is_the_same_run(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "engine=fast", "dtype=fp16", "kv_dtype=auto,fp16,fp8")
    assert [point.spec.kv_dtype for point in grid.points] == [None, "fp8"]
    assert [point.verdict for point in grid.points] == [Verdict.RUN, Verdict.RUN]
    for engine in ("reference", "vllm"):
        [own] = grid_of(tmp_path, f"engine={engine}", "dtype=bf16", "kv_dtype=bf16").points
        assert own.spec.kv_dtype is None


@pytest.mark.parametrize("engine", ["reference", "transformers", "transformers-static", "vllm"])
def test_another_engine_keeps_keys_as_it_computes_and_says_so(tmp_path: Path, engine: str) -> None:
    [point] = grid_of(tmp_path, f"engine={engine}", "dtype=fp16", "kv_dtype=fp8").points
    assert point.verdict is Verdict.ILLEGAL
    assert point.reason == (
        f"`kv_dtype` must be fp16 with engine {engine} in fp16, but is fp8 instead"
    )


def test_a_format_that_the_run_s_does_not_hold_is_refused(tmp_path: Path) -> None:
    [point] = grid_of(tmp_path, "engine=fast", "dtype=bf16", "kv_dtype=fp16").points
    assert point.reason == (
        "`kv_dtype` must be bf16, fp8 with engine fast in bf16, but is fp16 instead"
    )


def test_an_open_engine_is_the_one_that_keeps_fewer_bits(tmp_path: Path) -> None:
    [point] = grid_of(tmp_path, "engine=auto", "dtype=fp16", "kv_dtype=fp8").points
    assert point.spec.engine == "fast"
    assert point.verdict is Verdict.RUN


@pytest.mark.parametrize("gpu", ["a100", "simulated-a100", "v100", "simulated-v100"])
def test_a_board_that_converts_no_fp8_is_refused_simulated_or_not(spec: RunSpec, gpu: str) -> None:
    asked = dataclasses.replace(spec, engine="fast", kv_dtype="fp8", gpu=gpu)
    capability = BOARDS[asked.gpu_kind].compute_capability
    said = kept_fault(asked)
    assert said is not None
    assert said.startswith(f"`kv_dtype` must be auto on {BOARDS[asked.gpu_kind].product}, as e4m3")
    assert said.endswith(f"8.9 on and it has {capability}, but is fp8 instead")
    assert kept_fault(dataclasses.replace(asked, kv_dtype="bf16")) is None


@pytest.mark.parametrize("gpu", ["h100", "h200", "l4", "simulated-h200", "cpu"])
def test_newer_boards_and_cpus_keep_fp8(spec: RunSpec, gpu: str) -> None:
    assert kept_fault(dataclasses.replace(spec, engine="fast", kv_dtype="fp8", gpu=gpu)) is None


def test_every_board_in_the_table_is_decided_by_its_compute_capability(spec: RunSpec) -> None:
    for name, board in BOARDS.items():
        asked = dataclasses.replace(spec, engine="fast", kv_dtype="fp8", gpu=name)
        assert board.compute_capability is not None
        able = float(board.compute_capability) >= 8.9
        assert (kept_fault(asked) is None) is able, name


def test_an_unknown_format_stops_the_command(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="`kv_dtype` must be one of fp32, fp16, bf16, fp8"):
        grid_of(tmp_path, "kv_dtype=fp7")
