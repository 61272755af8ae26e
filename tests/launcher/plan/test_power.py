"""Caps and clocks as points ask for them: per cent, ways, and who is kept out."""

import dataclasses
from pathlib import Path

import pytest

from launcher.config.errors import BadInputError
from launcher.jobs.shapes import Trial, shape_of
from launcher.plan.grid import Verdict
from launcher.plan.power import PowerWays
from telemetry.record.paths import AttemptPaths
from tests.launcher.plan.test_check import grid_of, verdicts

REAL = ("cluster=h200", "model=7b")


def test_per_cent_are_of_the_board_s_own_limit_and_clock_and_stay_on_record(tmp_path: Path) -> None:
    (point,) = grid_of(tmp_path, *REAL, "power_cap_w=70%", "sm_clock_mhz='50 %'").points
    assert (point.spec.power_cap_w, point.spec.sm_clock_mhz) == (490.0, 990)
    assert point.launch.power_shares == {"power_cap_w": 70.0, "sm_clock_mhz": 50.0}


def test_per_cent_and_watts_of_one_value_are_one_run(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, *REAL, "power_cap_w=490,70%")
    assert len(grid.points) == 1


@pytest.mark.parametrize("word", ["power_cap_w=0%", "power_cap_w=101%", "memory_clock_mhz=50%"])
def test_per_cent_that_are_none_are_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(BadInputError, match=f"`{word.partition('=')[0]}` must be a number of"):
        grid_of(tmp_path, *REAL, word)


@pytest.mark.parametrize(
    ("words", "verdict", "reason"),
    [
        (("power_cap_w=100",), Verdict.ILLEGAL, "from 200 to 700"),
        (("sm_clock_mhz=1981",), Verdict.ILLEGAL, "at most 1980"),
        (("power_cap_w=300", "power=site"), Verdict.RUN, None),
        (("power_cap_w=300", "power=broker"), Verdict.RUN, None),
        (("power_cap_w=300.5", "power=broker"), Verdict.UNSUPPORTED, "whole watts"),
        (("power_cap_w=300", "power=slurm"), Verdict.UNSUPPORTED, "sets clocks alone"),
        (("sm_clock_mhz=1395", "power=slurm"), Verdict.RUN, None),
        (("decode_power_cap_w=300",), Verdict.RUN, None),
        (("decode_power_cap_w=300", "power=watcher"), Verdict.RUN, None),
        (("decode_power_cap_w=300", "power=site"), Verdict.UNSUPPORTED, "does not switch"),
        (("decode_sm_clock_mhz=1395", "power=slurm"), Verdict.UNSUPPORTED, "does not switch"),
        (("decode_power_cap_w=300", "prefill_power_cap_w=300"), Verdict.RUN, None),
        (
            ("decode_power_cap_w=300", "prefill_power_cap_w=300", "power=slurm"),
            Verdict.UNSUPPORTED,
            "sets clocks alone",
        ),
    ],
)
def test_what_a_way_cannot_set_is_kept_out(
    tmp_path: Path, words: tuple[str, ...], verdict: Verdict, reason: str | None
) -> None:
    (point,) = grid_of(tmp_path, *REAL, *words).points
    assert point.verdict is verdict
    assert reason is None or reason in str(point.reason)


@pytest.mark.parametrize(
    ("words", "comment", "gpu_freq"),
    [
        (("power_cap_w=300",), "joulegrid-power:cap_w=300", None),
        (("sm_clock_mhz=1395", "power=slurm"), None, "1395,verbose"),
        (("power_cap_w=300", "power=site"), None, None),
        ((), None, None),
    ],
)
def test_a_job_says_what_it_wishes_and_jobs_of_one_array_wish_alike(
    tmp_path: Path, words: tuple[str, ...], comment: str | None, gpu_freq: str | None
) -> None:
    (point,) = grid_of(tmp_path, *REAL, *words).points
    shape = shape_of(Trial(point=point, attempt=AttemptPaths(folder=tmp_path / "attempt-001")))
    assert (shape.comment, shape.gpu_freq) == (comment, gpu_freq)
    assert shape == dataclasses.replace(shape)


def test_all_of_the_paper_s_points_at_250_w_are_planned(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "experiment=table3_power_cap")
    capped = [point for point in grid.points if point.spec.power_cap_w == 250.0]
    assert len(capped) == 3
    assert Verdict.UNSUPPORTED not in verdicts(grid)


# Every experiment of the paper that has points on A100.
_ON_A100 = (
    *("figure2_throughput", "figure3_power", "table1_nodes", "table2_minimum_hardware"),
    *("table3_power_cap", "table4_utilization_a100"),
)


def test_none_of_the_paper_s_points_on_a100_is_kept_out_for_its_cap(tmp_path: Path) -> None:
    points = [
        point
        for name in _ON_A100
        for point in grid_of(tmp_path, f"experiment={name}", "power=site").points
        if point.spec.gpu == "a100"
    ]
    capped = [point for point in points if point.spec.power_cap_w is not None]
    assert len(points) >= 53
    assert {point.spec.power_cap_w for point in capped} == {250.0, 175.0, 150.0}
    # What does not fit, or is not staged here, says so; no cap stands in its way, whoever sets it.
    assert Verdict.UNSUPPORTED not in {point.verdict for point in points}
    ways = PowerWays({})
    for way in ("auto", "watcher", "broker", "site"):
        for point in capped:
            launch = dataclasses.replace(point.launch, power=way)
            assert ways.fault(point.spec, launch, point.cluster) is None, (way, point.spec)


def test_caps_and_clocks_are_both_engines_over_both_on_every_board(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "experiment=caps_and_clocks", *REAL, "power=site")
    assert {point.verdict for point in grid.points} == {Verdict.RUN}
    told = {
        (point.spec.engine, point.spec.power_cap_w, point.spec.sm_clock_mhz)
        for point in grid.points
    }
    assert told == {
        (engine, cap, clock)
        for engine in ("reference", "fast")
        for cap in (None, 490.0, 420.0, 350.0)
        for clock in (None, 1590, 1380, 1185, 990)
    }


def test_three_tasks_run_at_six_clocks_of_any_board_s_own(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "experiment=dvfs", *REAL, "power=site")
    told = {(point.spec.dataset.split("-")[0], point.spec.sm_clock_mhz) for point in grid.points}
    assert told == {
        (task, clock)
        for task in ("alpaca", "squad", "cnn_dailymail")
        for clock in (None, 1680, 1380, 1095, 795, 495)
    }
