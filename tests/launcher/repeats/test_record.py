"""What was decided of repeats lies beside the last round's plan, and is told from there."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from launcher.repeats.record import REPEATS, is_open, keep, kept, last_rounds, said
from launcher.status import main
from telemetry.record.files import write_json
from telemetry.record.paths import campaigns_folder
from tests.launcher.repeats.series import look, rounds_of


def campaign(
    results: Path,
    name: str,
    run_ids: list[str],
    *,
    rule: bool = True,
    launcher: dict[str, str | int] | None = None,
) -> Path:
    folder = campaigns_folder(results) / name
    folder.mkdir(parents=True)
    content = {
        "command": ["python", "-m", "launcher", "repeats=auto", "results=elsewhere"],
        "points": [{"run_id": run_id} for run_id in run_ids],
        "repeats_auto": {"width": 0.05} if rule else None,
        "launcher": launcher,
    }
    write_json(folder / "campaign.json", content)
    return folder


def test_it_lies_in_the_last_campaign_of_its_points(laid: Path, tmp_path: Path) -> None:
    found = look(rounds_of(laid, "1,2"))[1]
    firsts = [each.first for each in found.series]
    campaign(tmp_path, "20261101T000000Z-a-1", firsts)
    mine = campaign(tmp_path, "20261102T000000Z-a-1", firsts)
    campaign(tmp_path, "20261103T000000Z-a-1", ["another-r0-00000000"])
    campaign(tmp_path, "20261104T000000Z-a-1", firsts, rule=False)
    keep(tmp_path, found)
    assert [path.parent for path in campaigns_folder(tmp_path).glob(f"*/{REPEATS}")] == [mine]
    assert last_rounds(tmp_path, set(firsts)) is not None
    content = kept(tmp_path)
    assert content == found.to_mapping()
    assert is_open(content)


def test_the_same_look_again_changes_no_file(laid: Path, tmp_path: Path) -> None:
    found = look(rounds_of(laid, "1"))[1]
    folder = campaign(tmp_path, "20261101T000000Z-a-1", [found.series[0].first])
    keep(tmp_path, found)
    before = (folder / REPEATS).stat().st_mtime_ns
    keep(tmp_path, look(rounds_of(laid, "1"))[1])
    assert (folder / REPEATS).stat().st_mtime_ns == before


def test_a_folder_without_a_rule_or_a_look_has_none(tmp_path: Path) -> None:
    assert kept(tmp_path) is None
    campaign(tmp_path, "20261101T000000Z-a-1", ["a-r0-00000000"])
    assert kept(tmp_path) is None
    (campaigns_folder(tmp_path) / "20261101T000000Z-a-1" / REPEATS).write_text("{")
    assert kept(tmp_path) is None


def test_it_says_of_each_point_why_it_stopped_and_of_a_power_model_that_it_is_one(
    laid: Path,
) -> None:
    found = look(rounds_of(laid, "1,2"))[1]
    head, noisy, quiet, drifted = said(found.to_mapping())
    assert head == (
        "repeats=auto after round 3 of at most 6: 2 points, 1 tight, 1 going on (asked: ± 5 %)"
    )
    assert quiet.startswith("  SIMULATED: nano-")
    assert ": tight, 3 repeats, " in quiet
    assert quiet.endswith(" J/token ± 0 %")
    assert ": going on, 3 repeats, " in noisy
    assert drifted.startswith("no drift told over 3 rounds of 2 points (p = ")


def test_status_tells_it_and_names_the_same_command_while_a_point_is_not_done(
    laid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = look(rounds_of(laid, "1,2"))[1]
    campaign(tmp_path, "20261101T000000Z-a-1", [each.first for each in found.series])
    (run_id, *_) = (each.name for each in laid.iterdir() if each.name.startswith("nano-"))
    shutil.copytree(laid / run_id, tmp_path / run_id)
    assert main([str(tmp_path)]) == 0
    nobody = capsys.readouterr().out
    assert "repeats=auto after round" not in nobody
    assert f"next: python -m launcher repeats=auto results={tmp_path}" in nobody
    keep(tmp_path, found)
    main([str(tmp_path)])
    assert "1 tight, 1 going on" in (open_ := capsys.readouterr().out)
    assert "next: python -m launcher repeats=auto" in open_
    keep(tmp_path, look(rounds_of(laid, "1,2", repeats_width=1.0, repeats_most=3))[1])
    main([str(tmp_path)])
    closed = capsys.readouterr().out
    assert "1 tight, 1 most reached" in closed
    assert "next: python -m launcher repeats=auto" not in closed


@pytest.fixture
def between_rounds(laid: Path, tmp_path: Path) -> tuple[Path, list[str]]:
    """A results folder whose round has ended, and the first repeats of its points."""
    (run_id, *_) = (each.name for each in laid.iterdir() if each.name.startswith("nano-"))
    shutil.copytree(laid / run_id, tmp_path / run_id)
    return tmp_path, [each.first for each in look(rounds_of(laid, "1,2"))[1].series]


def status_of(results: Path, capsys: pytest.CaptureFixture[str]) -> str:
    main([str(results)])
    return " ".join(capsys.readouterr().out.split())


def test_between_rounds_a_launcher_that_lives_goes_on_by_itself(
    between_rounds: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    results, firsts = between_rounds
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        created_us = int(psutil.Process(living.pid).create_time() * 1e6)
        launcher: dict[str, str | int] = {
            "host": socket.gethostname(),
            "pid": living.pid,
            "pid_created_us": created_us,
        }
        campaign(results, "20261101T000000Z-a-1", firsts, launcher=launcher)
        said = status_of(results, capsys)
        living.communicate(b"\n")
    assert f"process {living.pid} of {socket.gethostname()}, still runs" in said
    assert "the same command" not in said
    assert f"next: python -m launcher.status {results} --watch" in said
    gone = status_of(results, capsys)
    assert "the same command looks at it and goes on next: python -m launcher repeats" in gone


def test_a_launcher_that_cannot_be_seen_is_named_beside_the_same_command(
    between_rounds: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    results, firsts = between_rounds
    launcher: dict[str, str | int] = {"host": "elsewhere.hpc", "pid": 1, "pid_created_us": 1}
    campaign(results, "20261101T000000Z-a-1", firsts, launcher=launcher)
    said = status_of(results, capsys)
    assert "goes on, unless its launcher, process 1 of elsewhere.hpc, still runs" in said
