"""Caps and clocks as points ask for them: per cent, ways, and who is kept out."""

import dataclasses
from pathlib import Path

import pytest

from launcher.config.errors import BadInputError
from launcher.jobs.shapes import Trial, shape_of
from launcher.plan.grid import Verdict
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
