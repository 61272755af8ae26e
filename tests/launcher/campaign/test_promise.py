"""What the launch would refuse, the plan refuses; and its `next:` is a command that works."""

import io
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from launcher.__main__ import _close, main
from launcher.campaign.run import CampaignOutcome
from launcher.rounds import RoundsOutcome
from telemetry.command import ExitCode
from telemetry.output import Output
from tests.launcher.plan.test_check import grid_of
from tests.support.records import build_run
from tests.support.told import complaints
from tests.support.watched_attempts import LAUNCH

pytestmark = pytest.mark.grids
LOCAL = ("cluster=local", "gpu=simulated-a100", "model=nano", "allow_dirty=true")


def next_of(text: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith("next: ")]
    return shlex.split(line.removeprefix("next: "))


def rows(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("plan", ["true", "false"])
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("prompts=5000",), "`prompts` must be at most 64 for gsm8k-sample, but is 5000 instead"),
        (("prompts=2,5000",), "`prompts` must be at most 64"),
        (("dataset=file", "dataset.path={folder}/one.jsonl", "prompts=2"), "at most 1"),
        (("dataset=file", "dataset.path={folder}/broken.jsonl", "prompts=1"), "must be JSON"),
        (("dataset=file", "dataset.path={folder}/other.jsonl", "prompts=1"), "must be a column"),
        (("results={folder}/one.jsonl/r",), "`results` must be a folder that can be written"),
    ],
)
def test_what_the_launch_refuses_the_plan_refuses(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    plan: str,
    words: tuple[str, ...],
    told: str,
) -> None:
    rows(tmp_path / "one.jsonl", [json.dumps({"text": "a"})])
    rows(tmp_path / "broken.jsonl", ['{"text": "a"}', '{"text": '])
    rows(tmp_path / "other.jsonl", ['{"words": "a"}'])
    given = [word.format(folder=tmp_path) for word in words]
    if not any(word.startswith("results=") for word in given):
        given.append(f"results={tmp_path}/r")
    before = sorted(tmp_path.rglob("*"))
    assert main([*LOCAL, *given, f"plan={plan}"]) == ExitCode.BAD_INPUT
    printed = capsys.readouterr()
    assert told in printed.err
    assert len(complaints(printed.err)) == 1
    assert "next:" not in printed.out
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("plan", ["true", "false"])
def test_a_grid_for_real_gpus_on_the_local_executor_is_held_to_the_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], plan: str
) -> None:
    words = ("cluster=h200", "cluster.executor=local", "gpu=a100", "model=7b", "allow_dirty=true")
    assert main([*words, f"results={tmp_path}/r", f"plan={plan}"]) == ExitCode.BAD_INPUT
    assert "`prompts` must be at most 64" in capsys.readouterr().err


def test_a_plan_of_which_nothing_can_run_has_its_own_code_and_a_next_that_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("cluster=h200", "model=7b", "power_cap_w=10", "dataset.source=sample")
    code = main([*words, f"results={tmp_path}/r", "plan=true"])
    printed = capsys.readouterr()
    assert code == ExitCode.NOTHING_DONE
    assert complaints(printed.err) == [
        "joulegrid: no point of this grid can run here; the table says why"
    ]
    python, dash_m, module, *command = next_of(printed.out)
    assert (python, dash_m, module) == ("python", "-m", "launcher")
    assert main([*command, f"results={tmp_path}/r"]) == ExitCode.DONE


def test_prompts_that_only_an_unreachable_hub_has_are_told_with_how_to_stage_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("JOULEGRID_CACHE", str(tmp_path / "cache"))
    words = ("cluster=h200", "model=7b", "allow_dirty=true", f"results={tmp_path}/r")
    assert main([*words, "plan=true"]) == ExitCode.NOTHING_DONE
    printed = capsys.readouterr().out
    assert "1 not staged" in printed
    assert next_of(printed) == ["python", "-m", "launcher.stage", "gsm8k"]
    assert main([*words]) == ExitCode.NOTHING_DONE
    assert next_of(capsys.readouterr().out) == ["python", "-m", "launcher.stage", "gsm8k"]


def test_the_plans_next_command_is_the_same_without_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*LOCAL, "prompts=2", f"results='{tmp_path}/my results'"]
    assert main([*words, "plan=true"]) == ExitCode.DONE
    assert next_of(capsys.readouterr().out) == ["python", "-m", "launcher", *words]


@pytest.mark.parametrize(("given", "folder"), [("~/x", "x"), ("~", ""), ("{home}/a/../x/", "x")])
def test_results_are_found_where_the_shell_would_put_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, folder: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a").mkdir()
    grid = grid_of(Path(f"'{given.format(home=tmp_path)}'"), "cluster=local", "prompts=2")
    assert grid.results == tmp_path / folder


@pytest.mark.parametrize("name", ["%j", "r/%A/x", "50%", "%%"])
def test_results_that_a_batch_system_would_read_otherwise_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main([*LOCAL, f"results='{tmp_path}/{name}'", "prompts=2"]) == ExitCode.BAD_INPUT
    assert "`results` must be a path without line breaks, %" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_and_weights_are_found_in_a_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    rows(tmp_path / "mine.jsonl", [json.dumps({"text": "a"})])
    words = ("cluster=local", "dataset=file", "dataset.path='~/mine.jsonl'", "prompts=1")
    assert grid_of(tmp_path / "r", *words).points[0].source.path == tmp_path / "mine.jsonl"


def test_a_sealed_run_measured_otherwise_is_kept_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    point = grid_of(tmp_path, *LOCAL, "prompts=2").points[0]
    attempt = tmp_path / point.spec.run_id / "attempt-001"
    attempt.mkdir(parents=True)
    (attempt / "seal.json").write_text("{}")
    launch = {**LAUNCH, **point.launch.to_mapping()}
    (attempt / "launch.json").write_text(json.dumps(launch))
    assert main([*LOCAL, "prompts=2", f"results={tmp_path}", "plan=true"]) == ExitCode.DONE
    assert "1 sealed\n" in capsys.readouterr().out
    again = [*LOCAL, "prompts=2", f"results={tmp_path}", "min_window_s=30"]
    for words in ([*again, "plan=true"], again):
        assert main(words) == ExitCode.DONE
        printed = capsys.readouterr().out
        assert "1 sealed otherwise" in printed
        told = " ".join(printed.split())
        assert "measured with min_window_s=0, asked for now: min_window_s=30; kept" in told
        assert "results=ANOTHER_FOLDER measures it so" in told


def closed(results: Path, **outcome: Any) -> tuple[int, str]:
    """How a launch of one point ends of which this came, and what it says."""
    told = io.StringIO()
    known: dict[str, Any] = {"sealed": 0, "failed": (), "queued": 0}
    grid = grid_of(results, *LOCAL)
    ended = CampaignOutcome(**{**known, **outcome})
    done = RoundsOutcome(grid=grid, outcome=ended, look=None, watched=False, watch_failed=False)
    code = _close(Output(told), done)
    return code, told.getvalue()


def test_of_points_that_all_failed_the_next_command_tells_why(tmp_path: Path) -> None:
    code, told = closed(tmp_path, failed=("nano-1",))
    assert code == ExitCode.FAILED
    assert told.startswith("1 point ran here: 0 sealed, 1 failed\n")
    assert next_of(told) == ["python", "-m", "launcher.status", str(tmp_path)]


def test_of_points_of_which_some_are_sealed_the_next_command_audits(tmp_path: Path) -> None:
    build_run(tmp_path)
    code, told = closed(tmp_path, sealed=1, failed=("nano-1",))
    assert code == ExitCode.FAILED
    assert next_of(told) == ["python", "-m", "analysis.audit", str(tmp_path)]
