"""What people read of a running point."""

from pathlib import Path
from typing import Any

from launcher.standing import progress_line, read_progress
from telemetry.record import write_json
from telemetry.run import AttemptPaths

CONTENT: dict[str, Any] = {
    "phase": "decode",
    "prompts_done": 128,
    "prompts_total": 4096,
    "tokens_per_s": 2510.4,
    "eta_s": 61.0,
}


def attempt_with(folder: Path, **more: Any) -> AttemptPaths:
    attempt = AttemptPaths(folder=folder / "attempt-001")
    attempt.folder.mkdir()
    write_json(attempt.progress, {**CONTENT, **more})
    return attempt


def test_a_running_point_tells_prompts_speed_and_time_left(tmp_path: Path) -> None:
    attempt = attempt_with(tmp_path)
    assert progress_line(attempt) == "decode 128/4096 prompts, 2510 tokens/s, 61 s left"
    assert read_progress(attempt)[1] == 128 / 4096


def test_a_long_batch_tells_its_step_and_the_speed_of_late(tmp_path: Path) -> None:
    attempt = attempt_with(
        tmp_path,
        **{"pass": 3, "batch": 66, "step": 40, "most_steps": 256, "recent_tokens_per_s": 2600.0},
    )
    assert progress_line(attempt) == (
        "decode 128/4096 prompts of pass 3, step 40/256, 2600 tokens/s, 61 s left"
    )
