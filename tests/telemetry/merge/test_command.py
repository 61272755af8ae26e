"""`python -m telemetry.merge` with what nobody should give it: one line, and an exit code."""

import json
import shutil
from pathlib import Path

import pytest

from telemetry.merge.__main__ import main
from telemetry.record.files import write_json
from telemetry.record.paths import RunPaths
from tests.support.records import Plan, build_run
from tests.support.told import complaints

Output = pytest.CaptureFixture[str]


def one_line(capsys: Output) -> str:
    """What stood on standard error, which is one line without a control character."""
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert "next:" not in out
    assert len(complaints(err)) == 1
    assert err.strip("\n").isprintable()
    return err


def test_an_empty_folder_is_refused(tmp_path: Path, capsys: Output) -> None:
    assert main([str(tmp_path)]) == 3
    assert f"but {tmp_path} is empty" in one_line(capsys)


def test_a_foreign_folder_is_refused(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "letter.txt").write_text("Dear")
    assert main([str(tmp_path)]) == 3
    assert "holds none" in one_line(capsys)


@pytest.mark.parametrize("place", ["", "attempt-001"])
def test_of_a_run_s_or_an_attempt_s_own_folder_that_one_is_merged(
    tmp_path: Path, place: str, capsys: Output
) -> None:
    run = build_run(tmp_path)
    other = build_run(tmp_path, Plan(spec={"seed": 5}))
    for each in (run, other):
        each.attempt(1).seal.unlink()
    assert main([str(run.folder / place)]) == 0
    assert run.attempt(1).seal.is_file()
    assert not other.attempt(1).seal.is_file()
    assert f"next: python -m analysis {tmp_path}\n" in capsys.readouterr().out


def test_a_folder_of_which_nothing_can_be_read_exits_with_3(tmp_path: Path, capsys: Output) -> None:
    run = build_run(tmp_path)
    run.attempt(1).seal.unlink()
    run.attempt(1).ended.write_text("{")
    assert main([str(tmp_path)]) == 3
    assert "1 of 1 attempts could not be merged" in one_line(capsys)


@pytest.mark.parametrize("name", ["none", "spec\0", "x\x1b[2J\u202e", "file"])
def test_what_is_no_folder_is_refused_and_steers_no_terminal(
    tmp_path: Path, name: str, capsys: Output
) -> None:
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / name)]) == 2
    assert "`results` must be a folder" in one_line(capsys)


def test_an_empty_name_is_not_the_folder_one_stands_in(capsys: Output) -> None:
    assert main([""]) == 2
    assert "`results` must be a folder, but is '' instead" in one_line(capsys)


def test_of_attempts_that_died_the_next_command_is_status(tmp_path: Path, capsys: Output) -> None:
    run = build_run(tmp_path)
    attempt = run.attempts()[0]
    attempt.seal.unlink()
    write_json(attempt.ended, {"state": "lost", "reason": "its node went", "t_us": 1})
    assert main([str(tmp_path)]) == 0
    assert f"next: python -m launcher.status {tmp_path}\n" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["a", "b"], ["--no-such"]])
def test_a_wrong_command_line_is_refused(words: list[str], capsys: Output) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    one_line(capsys)


DAMAGE = {
    "ended.json": ["{}", '{"state": "sleeping"}', "[]", "{", "[" * 100_000],
    "launch.json": ["{}", '{"device": 1}', ""],
    "ranks/rank-00000.json": ["{}", "null"],
    "watchers/n1.json": ["{}", '{"host": "n1", "events": [1]}', "\x00"],
    "clocks/n1.json": ["{}", "[]"],
    "model.json": ["[]", '{"warmup": 3}'],
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    return build_run(tmp_path_factory.mktemp("built"))


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in DAMAGE.items() for text in texts]
)
def test_a_damaged_file_of_a_record_costs_its_attempt_and_no_traceback(
    built: RunPaths, tmp_path: Path, name: str, text: str, capsys: Output
) -> None:
    shutil.copytree(built.results, tmp_path, dirs_exist_ok=True)
    run = RunPaths(results=tmp_path, run_id=built.run_id)
    attempt = run.attempt(1)
    attempt.seal.unlink()
    path = attempt.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    code = main([str(tmp_path)])
    out, err = capsys.readouterr()
    assert code in (0, 3)
    assert "Traceback" not in out + err
    # Nothing is sealed that could not be merged.
    assert attempt.seal.is_file() == (code == 0)
    assert ("not merged:" in out) == (code == 3)


def test_names_of_a_record_steer_no_terminal(
    built: RunPaths, tmp_path: Path, capsys: Output
) -> None:
    shutil.copytree(built.results, tmp_path, dirs_exist_ok=True)
    attempt = RunPaths(results=tmp_path, run_id=built.run_id).attempt(1)
    attempt.seal.unlink()
    ended = json.loads(attempt.ended.read_text())
    ended |= {"state": "failed", "reason": "\x1b[2J\u202eall checks passed"}
    attempt.ended.write_text(json.dumps(ended))
    (folder,) = attempt.shards("samples").iterdir()
    folder.rename(folder.with_name("n1\x1b[2J"))
    main([str(tmp_path)])
    out, _ = capsys.readouterr()
    assert all(line.isprintable() for line in out.splitlines())


def test_a_folder_of_nothing_but_corrupt_sealed_runs_is_no_success(
    tmp_path: Path, capsys: Output
) -> None:
    run = build_run(tmp_path)
    assert main([str(tmp_path)]) == 0
    with run.attempt(1).table("samples").open("ab") as table:
        table.write(b"more")
    assert main([str(tmp_path)]) == 3
    said = capsys.readouterr()
    assert "not merged: sealed, but not as it was sealed: " in said.out
    assert "samples.parquet: changed since it was sealed" in said.out
