"""The command keeps a log that can be of these runs, and no other."""

from pathlib import Path

import pytest

from analysis.figures.witnesses import witnesses
from analysis.meter.__main__ import main
from analysis.runs.sealed_runs import load
from analysis.workbook.build import build_tables
from telemetry.command import ExitCode
from telemetry.record.files import read_json
from tests.analysis.meter.conftest import WORDS, Rows, Written
from tests.support.told import complaints


def call(results: Path, log: Path, *words: str) -> int:
    try:
        return main([str(results), str(log), *WORDS, *words])
    except SystemExit as end:
        return int(end.code or 0)


def test_a_log_is_kept_with_its_digest_and_stands_in_tables_and_figure(
    results: Path, rows: Rows, written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    log = written(rows)
    assert call(results, log, "--accuracy", "0.5", "--certificate", "lab 12, 2026-05") == 0
    told = capsys.readouterr().out
    assert "of 2 of 2 runs" in told
    assert "next: python -m analysis" in told
    kept = read_json(results / "meters" / "meter.json")
    assert kept["readings"] == len(rows)
    assert len(kept["source_sha256"]) == 64
    assert call(results, log, "--accuracy", "0.5", "--certificate", "lab 12, 2026-05") == 0
    loaded = load(results)
    tables = build_tables(loaded)
    assert len(tables.outside_meters.rows) == 6
    assert witnesses(loaded, tables).panels


@pytest.mark.parametrize(
    "moved",
    [(86_400, "it is of another time"), (3_600, "is `zone` right"), (-19_800, "is `zone` right")],
)
def test_a_log_of_another_day_or_zone_is_not_kept(
    results: Path,
    rows: Rows,
    written: Written,
    capsys: pytest.CaptureFixture[str],
    moved: tuple[int, str],
) -> None:
    moved_s, said = moved
    log = written([(t_us + moved_s * 1_000_000, e, p) for t_us, e, p in rows])
    assert call(results, log) == ExitCode.BAD_INPUT
    assert said in complaints(capsys.readouterr().err)[0]
    assert not (results / "meters").exists()


def test_a_log_in_kilowatts_that_is_called_watts_is_not_kept(
    results: Path, rows: Rows, written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    log = written([(t_us, e / 1000, p / 1000) for t_us, e, p in rows])
    assert call(results, log) == ExitCode.BAD_INPUT
    assert "a factor of 1000 between two units" in complaints(capsys.readouterr().err)[0]
    assert not (results / "meters").exists()


def test_a_log_whose_columns_are_of_two_units_is_not_kept(
    results: Path, rows: Rows, written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    log = written([(t_us, e / 3600, p) for t_us, e, p in rows])
    assert call(results, log) == ExitCode.BAD_INPUT
    assert "is a unit another one?" in complaints(capsys.readouterr().err)[0]


def test_a_log_of_another_load_is_not_kept(
    results: Path, rows: Rows, written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    log = written(
        [(t_us, 300.0 * at / 18.5, 300.0 + at % 7) for at, (t_us, _, _) in enumerate(rows)]
    )
    assert call(results, log) == ExitCode.BAD_INPUT
    assert "must follow the power" in complaints(capsys.readouterr().err)[0]


def test_another_log_of_a_name_that_is_taken_is_refused(
    results: Path, rows: Rows, written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(results, written(rows)) == ExitCode.DONE
    assert call(results, written(rows[:-1])) == ExitCode.BAD_INPUT
    assert "--name" in complaints(capsys.readouterr().err)[0]
    assert call(results, written(rows[:-1]), "--name", "second") == ExitCode.DONE


def test_a_host_that_no_run_knows_is_refused_with_those_that_are_known(
    results: Path, rows: Rows, written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--covers", "elsewhere")
    log = written(rows)
    arguments = [word if word != "vm" else "nowhere" for word in WORDS]
    assert main([str(results), str(log), *arguments, *words]) == ExitCode.BAD_INPUT
    assert "is none of vm, GPU-" in complaints(capsys.readouterr().err)[0]


def test_a_log_that_is_no_file_is_refused(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(results, tmp_path / "none.csv") == ExitCode.BAD_INPUT
    assert "`log` must be a file" in complaints(capsys.readouterr().err)[0]
