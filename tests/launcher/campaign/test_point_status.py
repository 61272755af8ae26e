"""How far a running attempt is, as status and the launcher's display tell it."""

from pathlib import Path
from typing import Any

from rich.console import Console

from launcher.campaign.point_status import progress_line, read_progress
from launcher.status import look, page
from telemetry.record.files import write_json
from telemetry.record.paths import AttemptPaths
from tests.support.watched_attempts import make_attempt

CONTENT: dict[str, Any] = {
    "phase": "decode",
    "pass": 1,
    "prompts_done": 64,
    "prompts_total": 256,
    "batch": 1,
    "step": 57,
    "most_steps": 128,
    "generated_tokens": 8192,
    "tokens_per_s": 2400.0,
    "recent_tokens_per_s": 2510.4,
    "eta_s": 41.6,
    "t_us": 1,
}


def attempt_with(folder: Path, **changes: object) -> AttemptPaths:
    attempt = AttemptPaths(folder=folder)
    write_json(attempt.progress, {**CONTENT, **changes})
    return attempt


def test_prompts_step_rate_of_late_and_time_left_stand_on_one_line(tmp_path: Path) -> None:
    line = progress_line(attempt_with(tmp_path))
    assert line == "decode 64/256 prompts, step 57/128, 2510 tokens/s, 42 s left"


def test_a_later_pass_over_the_prompts_is_told(tmp_path: Path) -> None:
    assert "64/256 prompts of pass 3" in progress_line(attempt_with(tmp_path, **{"pass": 3}))


def test_a_run_that_just_began_has_no_rate_yet(tmp_path: Path) -> None:
    nothing = {"batch": None, "step": None, "most_steps": None, "tokens_per_s": None}
    attempt = attempt_with(
        tmp_path,
        phase="load",
        prompts_done=0,
        recent_tokens_per_s=None,
        eta_s=None,
        **nothing,
    )
    assert progress_line(attempt) == "load 0/256 prompts"


def test_progress_of_an_older_version_is_still_read(tmp_path: Path) -> None:
    attempt = AttemptPaths(folder=tmp_path)
    older = ("phase", "prompts_done", "prompts_total", "tokens_per_s", "eta_s", "t_us")
    write_json(attempt.progress, {key: CONTENT[key] for key in older})
    phase, share, rate = read_progress(attempt)
    assert (phase, share) == ("decode", 0.25)
    assert rate == "64/256 prompts, 2400 tokens/s, 42 s left"


def test_an_attempt_without_progress_is_queued_until_it_started(tmp_path: Path) -> None:
    attempt = AttemptPaths(folder=tmp_path)
    assert progress_line(attempt) == "queued"
    write_json(attempt.started, {"t_us": 1})
    assert progress_line(attempt) == "starting"


def shown(results: Path) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(page(*look(results, None), most=30))
    return captured.get()


def test_runs_that_engine_and_quantization_alone_tell_apart_are_told_apart(tmp_path: Path) -> None:
    for quantization in ("none", "int8"):
        make_attempt(tmp_path, spec={"engine": "fast", "quantization": quantization})
    assert sorted(line.split("attempt 1  ")[1] for line in shown(tmp_path).splitlines()[1:]) == [
        "fast  not submitted yet",
        "fast int8  not submitted yet",
    ]


def test_a_folder_of_the_reference_engine_alone_has_no_word_of_it(tmp_path: Path) -> None:
    make_attempt(tmp_path)
    assert "reference" not in shown(tmp_path)
