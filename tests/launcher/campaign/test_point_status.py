"""How far a running attempt is, as status and the launcher's display tell it."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from launcher.campaign.point_status import progress_line, read_progress
from launcher.cancel import main as cancel_main
from launcher.status import look, page
from launcher.status import main as status_main
from telemetry.record.files import write_json
from telemetry.record.foreseen import Basis, Expected, Foreseen
from telemetry.record.paths import AttemptPaths
from tests.support.records import Plan, build_run
from tests.support.watched_attempts import LAUNCH, make_attempt

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
        console.print(page(look(results, None)[0], most=30))
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


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"engine": 3}', "\x00\xff", '{"a": "\x1b[2J"}']
)
def test_one_damaged_record_is_told_and_hides_no_other(tmp_path: Path, text: str) -> None:
    make_attempt(tmp_path, spec={"seed": 1})
    run, _ = make_attempt(tmp_path, spec={"seed": 2})
    run.spec.write_text(text)
    lines = shown(tmp_path)
    assert "not submitted yet" in lines
    assert "\x1b" not in lines
    assert lines.count("attempt") == 2


def test_every_field_in_which_runs_differ_stands_beside_them(tmp_path: Path) -> None:
    make_attempt(tmp_path, spec={"temperature": 0.0})
    make_attempt(tmp_path, spec={"temperature": 0.5, "ignore_eos": True})
    text = shown(tmp_path)
    assert "temperature=0.5, ignore_eos=yes" in text
    assert "temperature=0, ignore_eos=no" in text
    assert "seed=" not in text


def test_settings_of_the_measurement_that_differ_stand_beside_runs(tmp_path: Path) -> None:
    for seed, window_s in ((1, 0.0), (2, 5.0)):
        _, attempt = make_attempt(tmp_path, spec={"seed": seed})
        write_json(attempt.launch, {**LAUNCH, "min_window_s": window_s})
    text = shown(tmp_path)
    assert "min_window_s=0" in text
    assert "min_window_s=5" in text


def test_a_folder_that_is_no_results_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "holiday.jpg").write_text("")
    for main in (status_main, cancel_main):
        assert main([str(tmp_path)]) == 3
        assert capsys.readouterr().err.endswith("holds none\n")


def test_a_run_s_or_an_attempt_s_own_folder_shows_that_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = build_run(tmp_path)
    make_attempt(tmp_path, spec={"seed": 5})
    for folder in (run.folder, run.attempt(1).folder):
        assert status_main([str(folder)]) == 0
        assert capsys.readouterr().out.startswith("1 point: 1 sealed\n")


def test_a_run_whose_spec_became_a_folder_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = make_attempt(tmp_path)
    run.spec.unlink()
    run.spec.mkdir()
    assert status_main([str(tmp_path)]) == 3
    assert capsys.readouterr().out.startswith("1 point: 1 unreadable\n")


def test_a_campaign_that_is_not_there_is_told_with_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_attempt(tmp_path)
    for name in ("20261127T000000Z-here-1", "20270101T000000Z-there-2"):
        folder = tmp_path / "campaigns" / name
        folder.mkdir(parents=True)
        write_json(folder / "campaign.json", {"points": []})
    assert status_main([str(tmp_path), "--campaign", "20261127T00000Z-here-1"]) == 2
    assert capsys.readouterr().err.endswith("did you mean 20261127T000000Z-here-1?\n")


def test_the_next_command_is_quoted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "my results"
    make_attempt(results)
    assert status_main([str(results)]) == 0
    assert f"next: python -m launcher.status '{results}' --watch" in capsys.readouterr().out


def test_of_what_is_sealed_the_next_command_analyses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path)
    assert status_main([str(tmp_path)]) == 0
    assert f"next: python -m analysis {tmp_path}\n" in capsys.readouterr().out


FORESEEN = Foreseen(
    time_s=Expected(value=100.0, low=80.0, high=130.0),
    energy_j=None,
    window_s=Expected(value=50.0, low=40.0, high=60.0),
    window_energy_j=None,
    basis=Basis.DATASHEET,
    told="from core_gflops alone",
    runs=(),
    simulated=False,
)


def test_a_running_job_tells_when_it_ends_as_foreseen(tmp_path: Path) -> None:
    attempt = attempt_with(tmp_path)
    write_json(attempt.foreseen, FORESEEN.to_mapping())
    assert "; ends in 1.7 min" in progress_line(attempt)


def test_a_sealed_job_tells_what_it_took_beside_what_was_foreseen(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    attempt = run.attempt(1)
    write_json(attempt.started, {"t_us": 2_000_000, "pid_created_us": 1_000_000})
    write_json(attempt.ended, {"state": "completed", "reason": None, "t_us": 91_000_000})
    write_json(attempt.foreseen, FORESEEN.to_mapping())
    assert "took 90 s, foreseen 1.7 min (80 s to 2.2 min)" in shown(tmp_path)


def test_a_point_s_labels_stand_beside_it_by_their_marks_and_below_in_words(
    tmp_path: Path,
) -> None:
    build_run(tmp_path, Plan(provenance={"git": {"commit": "01" * 20, "dirty": True}}))
    build_run(tmp_path, Plan(spec={"repeat": 1}, end="failed"))
    text = shown(tmp_path)
    assert "[SWD]" in text
    assert "[SWFU]" in text
    legend = "marks: S simulated, W random weights, D dirty tree, F failed, U unsealed"
    assert legend in " ".join(text.split())
