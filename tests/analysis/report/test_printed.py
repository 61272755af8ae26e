"""The command: what the terminal says, its exit codes, and what it leaves when it cannot write."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from analysis.__main__ import main
from analysis.audit.__main__ import main as audit_main
from analysis.report.staging import staged
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths
from telemetry.record.seal import verify_seal
from tests.conftest import REPOSITORY
from tests.support.records import Plan, build_run, reseal
from tests.support.told import complaints, unwrapped

pytestmark = pytest.mark.reports


def analysis(*words: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "analysis", *map(str, words)],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def halve(run: RunPaths) -> Path:
    """Half the power and half the counters, in the merged table alone."""
    path = run.attempt(1).table("samples")
    table = pq.read_table(path)
    column = table.column_names.index("value")
    values = [value / 2 for value in table["value"].to_pylist()]
    table = table.set_column(column, table.schema.field("value"), [values])
    pq.write_table(table, path)
    return path


def page(results: Path) -> str:
    return (results / "report" / "index.html").read_text(encoding="utf-8")


def test_a_changed_table_is_named_in_terminal_and_page_and_is_no_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path, Plan(spec={"repeat": 1}))
    halve(build_run(tmp_path))
    assert main([str(tmp_path)]) == 1
    printed = unwrapped(capsys.readouterr().out)
    reason = "not as sealed: attempt-001/samples.parquet: changed since it was sealed"
    assert reason in printed
    assert "1 sealed run is not as sealed and in no number" in printed
    assert "attempt-001/samples.parquet: changed since it was sealed" in page(tmp_path)
    # The mean is the whole run's alone: 200 W, not 150.
    assert re.search(r"\bW 200\b", printed)
    assert "150" not in printed


def test_a_folder_of_damaged_runs_alone_is_no_success_and_the_page_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = build_run(tmp_path)
    assert main([str(tmp_path)]) == 0
    halve(run)
    capsys.readouterr()
    assert main([str(tmp_path)]) == 3
    assert "samples.parquet: changed" in capsys.readouterr().out
    assert "No sealed run counts." in page(tmp_path)
    assert not list((tmp_path / "report" / "figures").glob("*.svg"))


def test_a_table_that_cannot_be_read_though_it_is_as_sealed_is_told_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = build_run(tmp_path)
    run.attempt(1).table("spans").write_bytes(b"no Parquet")
    reseal(run)
    assert main([str(tmp_path)]) == 3
    assert ", attempt 1: unreadable: " in unwrapped(capsys.readouterr().out)


def test_more_than_a_dozen_that_do_not_count_are_counted_and_damaged_ones_come_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = build_run(tmp_path)
    for number in range(2, 17):
        run.attempt(number).folder.mkdir()
    halve(build_run(tmp_path, Plan(spec={"seed": 9})))
    main([str(tmp_path)])
    printed = capsys.readouterr().out
    _, _, listed = printed.partition("16 not counted, of runs and attempts:\n")
    # Each of them begins with its run's name.
    assert "samples.parquet" in unwrapped(listed.split("  nano-")[1])
    assert "  and 4 more, which the report names" in printed.splitlines()


def test_what_differs_has_a_column_and_the_rest_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for temperature in (0.0, 0.8):
        for length in (32, 64):
            build_run(tmp_path, Plan(spec={"temperature": temperature, "max_prompt_len": length}))
    main([str(tmp_path)])
    header, same = capsys.readouterr().out.split("the same in every row: ")
    assert "temperature" in header
    assert "prompt" in header
    assert "weights random" in same
    assert "temperature" not in same
    assert "max prompt" not in same
    assert "RANDOM WEIGHTS: 4 of 4 runs" in same


def test_a_table_of_many_columns_gets_wider_and_no_value_is_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes: list[Mapping[str, Any]] = [
        {"model": "micro"},
        {"dataset": "alpaca-sample", "seed": 1_234_567},
        {"weights": "0123456789abcdef0123456789abcdef"},
        {"gpu": "simulated-h200", "power_cap_w": 300.0},
        {"temperature": 0.123, "top_p": 0.5, "ignore_eos": True},
        {"tokenizer": "another-tokenizer-of-a-long-name", "engine": "fast", "gpus": 2},
    ]
    for change in changes:
        build_run(tmp_path, Plan(spec=change))
    main([str(tmp_path)])
    printed = capsys.readouterr().out
    for change in changes:
        for value in change.values():
            assert f"{'yes' if value is True else value}".removesuffix(".0") in printed


def test_next_is_the_audit_until_the_page_holds_that_of_these_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "it's here"
    build_run(results)
    audit = f"next: python -m analysis.audit {shlex.quote(str(results))}"
    main([str(results)])
    assert audit in capsys.readouterr().out
    from analysis.audit.__main__ import main as audit_main  # noqa: PLC0415

    audit_main([str(results)])
    path = results / "report" / "audit.json"
    write_json(path, {"counts": {}, **read_json(path)})
    capsys.readouterr()
    main([str(results)])
    assert "next:" not in capsys.readouterr().out


def test_a_run_s_or_an_attempt_s_folder_is_that_run_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    run = build_run(results)
    build_run(results, Plan(spec={"seed": 5}))
    for folder in (run.folder, run.attempt(1).folder):
        out = tmp_path / f"of-{folder.name}"
        assert main([str(folder), "--out", str(out)]) == 0
        assert (out / "tables" / "runs.csv").read_text().count(run.run_id) == 1
        assert len((out / "tables" / "runs.csv").read_text().splitlines()) == 2
    assert not (run.folder / "report").exists()
    assert main([str(run.folder)]) == 0
    assert (results / "report" / run.run_id / "index.html").is_file()
    assert verify_seal(run, run.attempt(1)) == []


def test_a_file_in_place_of_the_folder_to_write_to_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    build_run(results)
    out = tmp_path / "page.html"
    out.write_text("mine")
    assert main([str(results), "--out", str(out)]) == 2
    said = complaints(capsys.readouterr().err)
    assert said == [f"analysis: `--out` must be a folder, but {out} is a file"]
    assert main([str(results), "--out", str(out / "more")]) in (1, 2)
    assert len(complaints(capsys.readouterr().err)) == 1
    assert out.read_text() == "mine"


def test_no_report_is_written_into_a_run_s_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = build_run(tmp_path)
    for folder in (run.folder, run.attempt(1).folder / "report"):
        assert main([str(tmp_path), "--out", str(folder)]) == 2
        assert f"lies in {run.run_id}'s" in capsys.readouterr().err
    assert verify_seal(run, run.attempt(1)) == []


def test_a_full_disk_leaves_the_old_report_whole_and_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build_run(tmp_path)
    main([str(tmp_path)])
    before = {
        path: path.read_bytes() for path in (tmp_path / "report").rglob("*") if path.is_file()
    }
    build_run(tmp_path, Plan(spec={"seed": 5}))
    capsys.readouterr()

    def full(_path: Path, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    # The page comes last: all else was written by then.
    monkeypatch.setattr(Path, "write_bytes", full)
    assert main([str(tmp_path)]) == 1
    assert len(complaints(capsys.readouterr().err)) == 1
    after = {path: path.read_bytes() for path in (tmp_path / "report").rglob("*") if path.is_file()}
    assert after == before


def test_a_report_that_could_not_be_written_leaves_no_folder_behind(tmp_path: Path) -> None:
    def write() -> None:
        with staged(tmp_path / "a" / "b") as fresh:
            (fresh / "half").write_text("half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write()
    assert not (tmp_path / "a").exists()


def test_what_a_user_keeps_beside_the_report_stays(tmp_path: Path) -> None:
    build_run(tmp_path)
    main([str(tmp_path)])
    own = tmp_path / "report" / "tables" / "mine.csv"
    own.write_text("mine")
    main([str(tmp_path)])
    assert own.read_text() == "mine"
    assert not list((tmp_path / "report").glob(".report.*"))


def test_a_terminal_that_knows_ascii_alone_gets_the_whole_table(tmp_path: Path) -> None:
    build_run(tmp_path)
    done = analysis(tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, complaints(done.stderr)) == (0, [])
    assert "+-" in done.stdout


def test_without_the_extra_s_packages_one_line_says_what_to_install(tmp_path: Path) -> None:
    build_run(tmp_path / "results")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "jinja2.py").write_text("raise ModuleNotFoundError('no', name='jinja2')\n")
    done = analysis(tmp_path / "results", PYTHONPATH=str(hidden))
    assert done.returncode == 2
    assert len(complaints(done.stderr)) == 1
    assert "jinja2" in done.stderr
    assert "[analysis]" in done.stderr


def test_control_characters_of_the_record_reach_neither_terminal_nor_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "\x1b[2J\x9b\u202eall checks passed\x00"
    run = build_run(
        tmp_path,
        Plan(gpu={"name": hostile}, provenance={"user": hostile, "command": [hostile]}),
    )
    dead = build_run(tmp_path, Plan(spec={"seed": 4}, end="failed"))
    ended = dead.attempt(1).ended
    ended.write_text('{"state": "\\u001b[2J", "reason": "\\u202e\\u0007"}')
    manifest = run.attempt(1).manifest
    manifest.write_text(manifest.read_text().replace('"notes": []', '"notes": ["\\u001b[1m"]'))
    # Half a character is no JSON that anything is read from: a run that cannot be read.
    halved = build_run(tmp_path, Plan(spec={"seed": 5}, provenance={"user": hostile}))
    provenance = halved.attempt(1).provenance
    provenance.write_text(provenance.read_text().replace("all checks", "\\ud800all checks"))
    reseal(halved)
    reseal(run)
    assert main([str(tmp_path)]) == 1
    written = capsys.readouterr()
    shown = written.out + written.err + page(tmp_path)
    shown += "".join(path.read_text() for path in (tmp_path / "report").rglob("*.csv"))
    shown += "".join(path.read_text() for path in (tmp_path / "report").rglob("*.svg"))
    for character in "\x1b\x9b\u202e\x00\ud800\x07":
        assert character not in shown


def test_prompts_that_were_lost_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path)
    shutil.rmtree(tmp_path / "prompts")
    assert main([str(tmp_path)]) == 3
    assert ".jsonl: missing" in unwrapped(capsys.readouterr().out)


@pytest.mark.parametrize("command", [main, audit_main])
def test_a_folder_is_named_as_for_every_other_command(
    command: Callable[[list[str]], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert command(["~/none"]) == 2
    assert f"{tmp_path}/none" in capsys.readouterr().err
    assert command([""]) == 2
    assert "`results` must be a folder, but is '' instead" in capsys.readouterr().err


def test_the_terminal_s_rows_have_their_marks_and_a_legend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path, Plan(state=True))
    assert main([str(tmp_path)]) == 0
    said = unwrapped(capsys.readouterr().out)
    assert "marks SWT" in said or "SWT" in said.split()
    assert "marks: S simulated, W random weights, T throttled" in said
