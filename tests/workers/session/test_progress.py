import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from telemetry.clock import HostClock
from telemetry.record.files import read_json
from telemetry.record.schema import Phase
from workers.engines.base.step_clock import StepClock
from workers.session.progress import RankProgress, line_of


def open_progress(folder: Path, prompts: int, min_window_s: float = 0.0) -> RankProgress:
    return RankProgress(folder / "progress.json", HostClock.set_now(), prompts, min_window_s)


def until(found: Callable[[], Any]) -> Any:
    """What `found` finds within five seconds, five times the time between two looks."""
    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.02)
    raise AssertionError("not found in time")


def half_answered() -> StepClock:
    """The clock of a batch that has done three steps."""
    clock = StepClock(torch.device("cpu"))
    clock.start()
    for _ in range(3):
        clock.mark()
    return clock


def test_answered_prompts_are_logged_with_speed_and_time_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.INFO, logger="workers.session.progress"),
        open_progress(tmp_path, 64) as progress,
    ):
        progress.begin_batches()
        progress.count_batch(8, 100)
    (line,) = caplog.messages
    assert line.startswith("prompts 8/64, ")
    assert "tokens/s" in line
    assert line.endswith(" s left")


def test_the_file_says_at_the_end_that_all_is_done(tmp_path: Path) -> None:
    with open_progress(tmp_path, 3) as progress:
        progress.enter(Phase.LOAD)
        progress.begin_batches()
        for _ in range(3):
            progress.count_batch(1, 5)
    last = read_json(tmp_path / "progress.json")
    assert (last["prompts_done"], last["generated_tokens"], last["eta_s"]) == (3, 15, 0.0)


def test_a_long_batch_says_how_many_steps_it_has_done(tmp_path: Path) -> None:
    clock = half_answered()
    path = tmp_path / "progress.json"
    with open_progress(tmp_path, 8) as progress:
        progress.begin_batches()
        progress.begin_batch(0, 8, most_steps=6, most_tokens=48, clock=clock)
        content = until(lambda: path.is_file() and read_json(path))
    assert (content["batch"], content["step"], content["most_steps"]) == (0, 3, 6)
    # 8 rows, 3 steps of each; half of the work is to come.
    assert content["tokens_per_s"] > 0.0
    elapsed_s = 8 * 3 / content["tokens_per_s"]
    assert content["eta_s"] == pytest.approx(elapsed_s, rel=0.01)


def test_the_steps_of_a_batch_are_not_counted_again_once_it_is_answered(tmp_path: Path) -> None:
    with open_progress(tmp_path, 8) as progress:
        progress.begin_batches()
        progress.begin_batch(0, 4, most_steps=6, most_tokens=24, clock=half_answered())
        progress.count_batch(4, 9)
    last = read_json(tmp_path / "progress.json")
    assert (last["batch"], last["step"]) == (None, None)
    assert (last["prompts_done"], last["generated_tokens"]) == (4, 9)


def test_a_batch_under_way_is_taken_to_keep_what_those_before_it_kept(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    with open_progress(tmp_path, 8) as progress:
        progress.begin_batches()
        # Four tokens a prompt, though sixteen were allowed.
        progress.count_batch(4, 16)
        progress.begin_batch(1, 4, most_steps=6, most_tokens=64, clock=half_answered())
        content = until(lambda: path.is_file() and read_json(path))
    elapsed_s = (16 + 0.5 * 16) / content["tokens_per_s"]
    assert content["eta_s"] == pytest.approx(elapsed_s / 6 * 2, rel=0.01)


def test_a_further_pass_begins_with_no_prompt_done_and_keeps_the_speed(tmp_path: Path) -> None:
    with open_progress(tmp_path, 4, min_window_s=100.0) as progress:
        progress.begin_batches()
        progress.count_batch(4, 40)
        progress.begin_pass()
        progress.count_batch(2, 20)
    last = read_json(tmp_path / "progress.json")
    assert (last["pass"], last["prompts_done"], last["generated_tokens"]) == (2, 2, 60)
    # What is left is a window of 100 s, not half a pass.
    assert 90.0 < last["eta_s"] <= 100.0


def test_nothing_is_written_while_nothing_happens(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    with open_progress(tmp_path, 4) as progress:
        progress.enter(Phase.LOAD)
        until(path.is_file)
        written_ns = path.stat().st_mtime_ns
        time.sleep(2.2)
        assert path.stat().st_mtime_ns == written_ns


def test_a_folder_that_vanished_stops_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_progress(tmp_path / "gone", 4) as progress:
        progress.begin_batches()
        progress.count_batch(4, 1)
    assert "progress is not written" in caplog.text


def test_a_batch_cannot_be_counted_before_batches_begin(tmp_path: Path) -> None:
    progress = open_progress(tmp_path, 3)
    with pytest.raises(RuntimeError, match="batches must begin"):
        progress.count_batch(1, 5)


def test_a_line_names_pass_batch_and_step() -> None:
    content: dict[str, Any] = {
        "prompts_done": 64,
        "prompts_total": 128,
        "pass": 2,
        "batch": 3,
        "step": 40,
        "most_steps": 128,
        "tokens_per_s": 1234.4,
        "recent_tokens_per_s": 1300.0,
        "eta_s": 12.2,
    }
    assert line_of(content) == (
        "prompts 64/128 of pass 2, batch 3: step 40 of at most 128, "
        "1234 tokens/s, 1300 of late, 12 s left"
    )
