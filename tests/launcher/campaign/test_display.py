"""The plan tells apart what the grid tells apart, and nothing else."""

import dataclasses
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from launcher.campaign.display import CampaignProgress, plan_table
from launcher.config.command_line import read_points
from launcher.forecast.forecaster import foresee
from launcher.forecast.totals import energy_cell, time_cell
from launcher.jobs.shapes import Trial
from launcher.plan.check import check
from telemetry.output import Output
from telemetry.record.paths import AttemptPaths
from tests.support.told import unwrapped

pytestmark = pytest.mark.grids

# Where the engine is left open, one that computes in the format is taken.
MANY = ("cluster=h200", "model=7b", "engine=reference", "quantization=none,int8", "seed=range(40)")


def plan(results: Path, *words: str, width: int = 120) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(plan_table(check(read_points([f"results={results}", *words]))))
    return captured.get()


def headings(text: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if "verdict" in line)


def test_a_grid_of_the_reference_engine_alone_has_no_column_for_it(tmp_path: Path) -> None:
    assert headings(plan(tmp_path, "cluster=h200", "model=7b"))[:2] == ["model", "GPUs"]
    assert "engine" in headings(plan(tmp_path, "cluster=h200", "model=7b", "engine=fast"))


def test_quantizations_stand_beside_the_engine_in_rows_of_their_own(tmp_path: Path) -> None:
    text = plan(tmp_path, *MANY)
    rows = [line for line in text.splitlines() if line.strip().startswith("7b")]
    assert [("reference int8" in row, "40 " in row) for row in rows] == [
        (False, True),
        (True, True),
    ]


def test_what_is_the_same_in_every_row_is_said_once(tmp_path: Path) -> None:
    words = ("cluster=h200", "dataset=fixed", "max_prompt_len=128", "gpus=1,8")
    text = plan(tmp_path, *words)
    assert text.startswith("2 points of 4096 fixed-synthetic prompts on h200 for")
    assert text.count("fixed-synthetic") == text.count("h200 ") == 1


def rows_of(text: str) -> list[list[str]]:
    """The words of each row that a point begins."""
    return [line.split() for line in text.splitlines() if line.strip().startswith("13b")]


def test_a_swept_dataset_has_a_column(tmp_path: Path) -> None:
    rows = rows_of(plan(tmp_path, "cluster=h200", "model=13b", "dataset=gsm8k,alpaca"))
    assert [row[1] for row in rows] == ["gsm8k", "alpaca"]


@pytest.mark.parametrize("width", [80, 120])
def test_a_grid_of_engines_and_quantizations_is_a_line_a_point(tmp_path: Path, width: int) -> None:
    words = ("cluster=h200", "model=13b", "batch_size=1,512", "gpus=1,8", "dataset=fixed")
    swept = ("max_prompt_len=128", "engine=reference,fast", "quantization=none,int8")
    text = plan(tmp_path, *words, *swept, width=width)
    table = text[: text.index("(1) ")]
    assert len(rows_of(text)) == 16
    assert "…" not in text
    assert not any(line.strip().startswith("int8") for line in table.splitlines())


def test_a_grid_too_wide_for_the_terminal_loses_no_column(tmp_path: Path) -> None:
    words = ("cluster=h200", "model=13b", "dataset=gsm8k,alpaca", "gpus=8,16", "batch_size=512")
    swept = ("engine=reference,fast", "quantization=none,int8")
    text = plan(tmp_path, *words, *swept, width=80)
    assert "…" not in text
    assert {word for row in rows_of(text) for word in row} >= {"gsm8k", "alpaca", "16", "illegal"}


def test_prompts_that_differ_have_a_column(tmp_path: Path) -> None:
    rows = rows_of(plan(tmp_path, "cluster=h200", "model=13b", "prompts=64,128"))
    assert [row[1] for row in rows] == ["64", "128"]


@pytest.mark.parametrize(
    ("word", "heading", "cells"),
    [
        ("temperature=0,0.8", "temp", ["0", "0.8"]),
        ("ignore_eos=true,false", "EOS", ["yes", "no"]),
        ("max_prompt_len=32,64", "len", ["32", "64"]),
        ("seed=1,2", "seed", ["1", "2"]),
        ("top_p=0.5,1", "top-p", ["0.5", "1"]),
        ("dtype=fp32,bf16", "format", ["fp32", "bf16"]),
        ("power_cap_w=null,200", "cap", ["-", "200"]),
        ("repeats=2", "repeat", ["0", "1"]),
    ],
)
def test_every_field_in_which_points_differ_has_a_column(
    tmp_path: Path, word: str, heading: str, cells: list[str]
) -> None:
    text = plan(tmp_path, "cluster=local", "gpu=simulated-a100", "prompts=4", word)
    assert heading in headings(text)
    rows = [line.split() for line in text.splitlines() if line.strip().startswith("nano")]
    assert len(rows) == 2
    for row, cell in zip(rows, cells, strict=True):
        assert cell in row[2:]


def test_where_there_are_many_points_words_keep_rows_and_numbers_a_span(tmp_path: Path) -> None:
    text = plan(tmp_path, "cluster=local", "prompts=4", "seed=range(40)", "ignore_eos=true,false")
    rows = [line.split() for line in text.splitlines() if line.strip().startswith("nano")]
    assert len(rows) == 2
    assert all("0-39" in row for row in rows)
    assert {"yes" in row for row in rows} == {True, False}


def test_each_row_tells_what_its_jobs_cost_together(tmp_path: Path) -> None:
    words = (f"results={tmp_path}", "cluster=h200", "model=7b", "dataset=fixed", "seed=range(70)")
    console = Console(width=80)
    grid = foresee(check(read_points(words)))
    with console.capture() as captured:
        console.print(plan_table(grid))
    text = captured.get()
    assert headings(text)[-3:] == ["time", "kWh", "verdict"]
    (row,) = [line for line in text.splitlines() if line.strip().startswith("7b")]
    assert time_cell(grid.points) in row
    assert energy_cell(grid.points) in row
    assert "70 run" in row


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_no_row_of_a_plan_is_wider_than_the_terminal_or_breaks_a_word(
    tmp_path: Path, width: int
) -> None:
    words = ("cluster=local", "gpu=simulated-a100", "prompts=4", "temperature=0,0.8")
    swept = ("dataset=gsm8k,alpaca", "ignore_eos=true,false", "dtype=fp32,bf16")
    text = plan(tmp_path, *words, *swept, width=width)
    lines = text.splitlines()
    assert [line for line in lines if len(line) > width and len(line.split()) > 1] == []
    assert text.count("gsm8k-sample") == text.count("alpaca-sample") == 8


def test_one_point_on_a_simulated_board_breaks_no_word(tmp_path: Path) -> None:
    text = plan(tmp_path, "cluster=local", "gpu=simulated-rtx6000-ada,simulated-a100", width=60)
    assert "simulated-rtx6000-ada" in text
    assert "simulated-a100" in text


def trials(results: Path, *words: str) -> list[Trial]:
    grid = check(read_points([f"results={results}", *words]))
    made = []
    for point in grid.points:
        attempt = AttemptPaths(folder=results / point.spec.run_id / "attempt-001")
        attempt.folder.mkdir(parents=True)
        made.append(Trial(point=dataclasses.replace(point, foreseen=None), attempt=attempt))
    return made


def test_a_campaign_tells_its_points_the_time_gone_and_no_guess_of_the_time_left(
    tmp_path: Path,
) -> None:
    shown = trials(tmp_path, "cluster=local", "gpu=simulated-a100", "prompts=2", "repeats=3")
    log = io.StringIO()
    progress = CampaignProgress(Output(log), tmp_path, shown)
    assert progress.campaign() == "0 of 3 points in 0 s, time left unknown yet"
    with progress.shown():
        progress.update(shown[0])
        progress.update(shown[0])
        progress.finish(shown[0], "sealed", None)
        # One that failed tells nothing of how long its like takes.
        progress.finish(shown[1], "failed", "why")
    # The third is the first's repeat, and will take what that one took.
    assert re.fullmatch(r"2 of 3 points in \d s, about \d s left", progress.campaign())
    told = unwrapped(log.getvalue())
    assert told.count(f"[1/3] {shown[0].point.spec.run_id} queued; 0 of 3 points") == 1
    assert f"[2/3] {shown[1].point.spec.run_id} failed: why" in told
    assert all(len(line) <= 80 for line in log.getvalue().splitlines())
